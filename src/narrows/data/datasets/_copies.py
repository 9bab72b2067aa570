"""Small copies of large photographs, in .work/copies by the SHA-256 of their files.

Decoding a JPEG of ten megabytes takes a tenth of a second however small it comes out, and samples,
features and thumbnails each want it. So it is decoded once, while its bytes are at hand for their
SHA-256, and what is smaller than the copy is made from that. Where the copy has gone it is made
anew: what a picture looks like does not depend on what this folder remembers.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
from pathlib import Path
from typing import IO

from narrows.data.datasets import _files, _pictures
from narrows.data.datasets._files import ListedFile
from narrows.data.datasets._pictures import Picture, Shape, Unreadable
from narrows.data.places import Place
from narrows.store import finished, outputs
from narrows.store.outputs import WORK

LEAST_BYTES = 2**20
"""Size of a file from which on it has a copy; smaller ones are decoded in a few milliseconds."""
SIDE = 288
"""Least side of a copy in pixels, and the largest size that is made from it: what most networks
take is 224 or 256, a thumbnail has 128."""
QUALITY = 95
MAX_PIXELS = 50_000_000
"""Pixels that are decoded for a copy, at most."""
COPIES = WORK / "copies" / f"{SIDE}-{QUALITY}"
JPEG = ("JPEG",)


def picture(root: Path, file: ListedFile, shape: Shape, accepted: tuple[str, ...]) -> Picture:
    """The picture of a listed file, from its copy where it has one that is large enough.

    Args:
        root: folder that its path is relative to.
        accepted: Pillow's names of formats.

    Raises:
        Unreadable: as `_pictures.decode` does.
        UserError: it is read, and is not what was listed any more.
    """
    if file.size < LEAST_BYTES:
        return _pictures.decode(io.BytesIO(_files.content(root, file)), shape, accepted)
    has_copy = shape.size <= SIDE
    if has_copy:
        with contextlib.suppress(OSError, ValueError, Unreadable):  # not there, or damaged
            place = COPIES / file.sha256
            os.utime(place)  # the last that was used is the last that goes
            return _decode(place.read_bytes(), shape)
    with _files.open_listed(root, file) as stream:
        if has_copy and (copy := _copy(stream)):
            _write(file.sha256, copy)
            return _decode(copy, shape)
        stream.seek(0)
        return _pictures.decode(stream, shape, accepted)


def remember(sha256: str, stream: IO[bytes]) -> None:
    """Makes the copy of a file that has just been read, if it has one and it is not there."""
    place, n_bytes = COPIES / sha256, os.fstat(stream.fileno()).st_size
    if n_bytes < LEAST_BYTES or finished.limit() == 0 or place.exists():
        return
    if copy := _copy(stream):
        _write(sha256, copy)


def bound() -> None:
    """Deletes the copies that were used longest ago beyond what `.work/finished` may hold, too."""
    outputs.drop_oldest(COPIES.parent.glob("*/*"), finished.limit())


def _copy(stream: IO[bytes]) -> bytes | None:
    """A JPEG of the picture, upright, with what else is known of the file as its comment.

    It is the original shrunk by the largest whole number that leaves both sides `SIDE` pixels, each
    pixel the mean of a square, so that another resampling of it loses next to nothing. None of what
    is no JPEG of one scan, has less than twice these pixels, or cannot be decoded.
    """
    from PIL import Image

    stream.seek(0)
    with contextlib.suppress(Exception), Image.open(stream, formats=JPEG) as image:
        whole = image.size
        image.draft("RGB", (SIDE, SIDE))
        width, height = image.size
        if (
            min(whole) < 2 * SIDE
            or image.mode not in {"L", "RGB"}
            or width * height > MAX_PIXELS
            or not _pictures.is_in_one_scan(stream)
        ):
            return None
        known = [image.format, whole, _pictures.date_of(image), _pictures.place_of(image)]
        small = image.reduce(min(image.size) // SIDE)
        if turn := _pictures.turn_of(image):
            small = small.transpose(Image.Transpose[turn])
        content = io.BytesIO()
        small.save(content, "JPEG", quality=QUALITY, subsampling=0, comment=json.dumps(known))
        return content.getvalue()
    return None


def _decode(copy: bytes, shape: Shape) -> Picture:
    from PIL import Image

    with Image.open(io.BytesIO(copy), formats=JPEG) as image:
        kind, (width, height), date, degrees = json.loads(image.info["comment"])
    small = _pictures.decode(io.BytesIO(copy), shape, JPEG)
    place = Place(*degrees) if degrees else None
    return small._replace(format=kind, size=(width, height), date=date, place=place)


def _write(sha256: str, copy: bytes) -> None:
    """Writes a copy, whole or not at all; files of the same bytes may do it at once. A disk that is
    full is said by what has to be written to it."""
    if finished.limit() == 0:
        return
    partial = COPIES / f".{sha256}.{os.getpid()}-{threading.get_ident()}"
    with contextlib.suppress(OSError):
        COPIES.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(copy)
        partial.replace(COPIES / sha256)
