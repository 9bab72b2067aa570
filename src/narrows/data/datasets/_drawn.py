"""Pictures that a library hands over one by one, fitted like those of a folder."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.data.datasets import _pictures
from narrows.data.datasets._base import Skipped
from narrows.data.datasets._pictures import Shape
from narrows.data.datasets._stacked import stacked

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = 64  # of pictures that are no squares or not all of one size
MOST = 1024  # pixels a side
BACKGROUND, MAX_PIXELS = 255, 50_000_000
N_LOOKS = 64  # pictures by which a set is known
GREY = {"1", "L"}  # Pillow's modes without colour


def shape_of(pictures: Collection[Image], size: int | None) -> Shape:
    """What all pictures are made into, judged by some of them.

    Args:
        size: side of the square in pixels; None for their own, where they are squares of one size,
            else 64.
    """
    sizes = {picture.size for picture in pictures}
    if size is None:
        width, height = next(iter(sizes), (0, 1))
        size = width if len(sizes) == 1 and width == height and 4 <= width <= MOST else SIZE
    colour = any(picture.mode not in GREY for picture in pictures)
    return Shape(size, colour, BACKGROUND, MAX_PIXELS)


def schema(shape: Shape) -> dict[str, Any]:
    """New pictures come as files, which image_folder encodes."""
    return {"dataset": "image_folder", **shape._asdict(), "exclude": [], "ranges": {}}


def fitted(
    pictures: Iterable[tuple[str, Image | bytes | str]], shape: Shape
) -> tuple[np.ndarray | None, list[str], list[Skipped]]:
    """x uint8 (N, C, size, size) of the pictures that can be used, or None of none; their names;
    and what was left out.

    Args:
        pictures: name, and a picture, the bytes of its file, or why there is none.
    """
    names: list[str] = []
    skipped: list[Skipped] = []

    def usable() -> Iterator[np.ndarray]:
        accepted = _pictures.formats()
        for name, picture in pictures:
            try:
                if isinstance(picture, str):
                    raise _pictures.Unreadable(picture)
                yield _pixels(picture, shape, accepted)[None]
            except _pictures.Unreadable as why:
                skipped.append(Skipped(name, str(why)))
            else:
                names.append(name)

    x = stacked(usable())
    return x, names, skipped


class _Stream(io.BytesIO):
    """Bytes as an opened file."""

    name, mode = "", "rb"


def _pixels(picture: Image | bytes, shape: Shape, accepted: tuple[str, ...]) -> np.ndarray:
    """uint8 (C, size, size)."""
    if isinstance(picture, bytes):
        return _decoded(picture, shape, accepted)
    is_flat = picture.mode == ("RGB" if shape.colour else "L")
    if is_flat and picture.size == (shape.size, shape.size):  # as it would come out again
        pixels = np.asarray(picture)
        return pixels.transpose(2, 0, 1) if shape.colour else pixels[None]
    stream = io.BytesIO()
    picture.save(stream, "TIFF")  # has every kind of pixels, and packs none
    return _decoded(stream.getvalue(), shape, accepted)


def _decoded(content: bytes, shape: Shape, accepted: tuple[str, ...]) -> np.ndarray:
    pixels, *_ = _pictures.decode(_Stream(content), shape, accepted)
    if pixels.dtype != np.uint8:
        raise _pictures.Unreadable("more than 8 bits a colour: keep it in a folder of pictures")
    return np.asarray(pixels)
