"""What some of the files tell before all are read: pictures in colour, texts in English."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from narrows.data import decoding
from narrows.data.datasets import _pictures

N_OPENED = 20  # of the files
COLOURED = {"RGB", "RGBA", "P", "CMYK", "YCbCr", "LAB", "HSV"}  # Pillow's modes
COMMONEST = frozenset(
    "the of and to in a is that it for as was with be by on not he this are or his from at which "
    "but have had they you we i".split()
)
"""A third and more of the words of English prose."""
LEAST = 0.15  # share of them; of other languages' words they are below .1
N_LETTERS = 2000  # that are read of a text


def are_in_colour(files: Sequence[Path]) -> bool:
    """Whether most of some of the pictures have colours, as photographs do: scans and drawings
    often have none. No pixel is decoded."""
    from PIL import Image

    chosen = some(files)
    n_coloured = 0
    for file in chosen:
        with contextlib.suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            with Image.open(file, formats=_pictures.formats()) as image:
                n_coloured += image.mode in COLOURED
    return n_coloured > len(chosen) / 2


def are_english(files: Sequence[Path]) -> bool:
    """Whether some of the documents are in English."""
    texts = []
    for file in some(files):
        with contextlib.suppress(OSError), file.open("rb") as stream:
            texts.append(decoding.decode(stream.read(N_LETTERS))[0])
    return is_english(texts)


def some(files: Sequence[Path]) -> Sequence[Path]:
    """At least `N_OPENED` of many files, evenly."""
    return files[:: max(1, len(files) // N_OPENED)]


def is_english(texts: Iterable[str]) -> bool:
    """Whether many words of these texts are among the commonest of English.

    >>> is_english(["It was the best of times, it was the worst of times."])
    True
    >>> is_english(["Es war die beste aller Zeiten, es war die schlimmste aller Zeiten."])
    False
    """
    words = [word for text in texts for word in re.findall(r"\w+", text[:N_LETTERS].lower())]
    return sum(word in COMMONEST for word in words) > LEAST * len(words)
