"""Bytes of a user's text files as text: by their byte order mark, as UTF-8, else cp1252."""

from __future__ import annotations

import codecs
import io
import itertools
from collections.abc import Iterable
from typing import IO

MARKS = (  # that of UTF-32 first: it begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WESTERN = "cp1252"
BLOCK = 1 << 20  # bytes that are looked at together


def decode(content: bytes) -> tuple[str, str]:
    """Text, without a byte order mark, and the encoding that it was read by.

    >>> decode("Größe".encode("utf-16"))
    ('Größe', 'utf-16')
    >>> decode("Größe".encode("cp1252"))
    ('Größe', 'cp1252')
    """
    encoding = encoding_of([content])
    return content.decode(encoding, "replace"), encoding


def open_text(
    stream: IO[bytes], encoding: str | None = None, is_beginning: bool = False
) -> tuple[io.TextIOWrapper, str]:
    """A file's bytes from their start as text, ends of lines as they are, and the encoding.

    The text is read from the file bit by bit; closing it closes the file.

    Args:
        encoding: one that the user has named, in which reading raises `UnicodeError` where bytes
            are no text; None looks at the bytes.
        is_beginning: whether a look at the first of them has to do.
    """
    stream.seek(0)
    if encoding:
        return io.TextIOWrapper(stream, encoding, newline=""), encoding
    content = iter(lambda: stream.read(BLOCK), b"")
    encoding = encoding_of(itertools.islice(content, 1 if is_beginning else None))
    stream.seek(0)
    return io.TextIOWrapper(stream, encoding, errors="replace", newline=""), encoding


def encoding_of(blocks: Iterable[bytes]) -> str:
    """UTF-8, -16 or -32 where the bytes begin with its mark, UTF-8 where all of them are, else
    Windows' Western letters."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for i, block in enumerate(blocks):
        if i == 0 and (marked := [name for mark, name in MARKS if block.startswith(mark)]):
            return marked[0]
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            return WESTERN
    return WESTERN if decoder.getstate()[0] else "utf-8"  # the last letter may be cut


def remark(encoding: str) -> str:
    """What a user should know of an encoding that was not written down; empty of UTF-8.

    >>> remark("utf-8-sig"), remark("cp1252")
    ('', "it is no UTF-8 and was read as Windows' Western letters (cp1252)")
    """
    if encoding == WESTERN:
        return "it is no UTF-8 and was read as Windows' Western letters (cp1252)"
    return "" if encoding.startswith("utf-8") else f"it was read as {encoding.upper()}"
