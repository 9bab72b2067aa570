"""A picture's bytes to an array of one size, whatever its format; what is wrong with it, if it is.

Only formats that are named here are opened, because Pillow's others start programs or are rare.
"""

from __future__ import annotations

import datetime
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
HEIC = {".heic", ".heif"}
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
TAKEN, CHANGED, EXIF = 0x9003, 0x0132, 0x8769  # EXIF tags: DateTimeOriginal, DateTime, its folder
ORIENTATION = 0x0112
SEQUENTIAL, SCAN = {0xC0, 0xC1}, 0xDA  # JPEG markers: of frames that are not progressive, a scan
SEGMENTS = {*range(0xC0, 0xD0), *range(0xDA, 0xFF)}  # markers with a length behind them
UPRIGHT = {  # by orientation, what is to be done; 1 is upright, others mean nothing
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


class Unreadable(Exception):
    """Why a picture was left out."""


class Shape(NamedTuple):
    """What every picture is made into."""

    size: int
    """Side of the square in pixels."""
    colour: bool
    """Three channels, or one of grey."""
    background: int
    """Grey value, 0 to 255, beside a picture that is no square and below transparent pixels."""
    max_pixels: int
    """Number of pixels above which a picture is not decoded."""


def formats() -> tuple[str, ...]:
    """What can be opened here: HEIC needs the package pillow-heif."""
    from PIL import Image

    Image.init()
    try:
        import pillow_heif  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def decode(stream: IO[bytes], shape: Shape, accepted: tuple[str, ...]) -> tuple[np.ndarray, str]:
    """Pixels uint8 (C, size, size), upright, in the middle of the background; and the EXIF date.

    A JPEG is decoded at a fraction of its size where that is enough (Pillow's `draft`), so that a
    picture of 100 million pixels takes a few megabytes. Not so one of several scans, progressive
    ones among them, which libjpeg keeps as a whole: it counts with all its pixels.

    Raises:
        Unreadable: not a picture, broken, cut, or larger than `shape.max_pixels`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(stream, formats=accepted) as image:
            whole = image.size
            image.draft("RGB" if shape.colour else "L", (2 * shape.size, 2 * shape.size))
            width, height = image.size if _is_in_one_scan(stream) else whole
            if width * height > shape.max_pixels:
                raise Unreadable(f"too large: {width} x {height} pixels")
            if image.format == "PNG":  # whose EXIF may follow the pixels: their faults come first
                image.load()
            date = _date(image)
            image.load()
            turn = UPRIGHT.get(_exif(image, ORIENTATION))  # now, as Pillow has turned a TIFF itself
            flat = _flat(image, shape)
            small = _fitted(flat.transpose(Image.Transpose[turn]) if turn else flat, shape)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("broken: no picture of a known format") from None
    except Exception as error:  # decoders meet hostile bytes with any exception there is
        message = " ".join(str(error).split())[:100]
        kind = "truncated" if "truncated" in message.lower() else "broken"
        raise Unreadable(f"{kind}: {message or type(error).__name__}") from None
    pixels = np.asarray(small)
    return (pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)), date


def _is_in_one_scan(stream: IO[bytes]) -> bool:
    """Whether it is a JPEG, not progressive, whose first scan has all colours. What is not plain to
    see counts as none, so that no picture is decoded by mistake."""
    at, n_colours = stream.tell(), 0
    try:
        stream.seek(2)
        while len(head := stream.read(4)) == 4 and head[0] == 0xFF and head[1] in SEGMENTS:
            segment = stream.read(max(0, int.from_bytes(head[2:]) - 2))
            if head[1] in SEQUENTIAL:
                n_colours = segment[5]
            if head[1] == SCAN:
                return segment[0] == n_colours
        return False
    finally:
        stream.seek(at)


def _flat(image: Image, shape: Shape) -> Image:
    """Without transparency, palette or more than 8 bits."""
    from PIL import Image as pillow

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float32)
        low = min(0.0, float(values.min()))
        high = 65535.0 if image.mode.startswith("I") else float(values.max())
        scaled = (values - low) / max(high - low, 1e-12) * 255
        image = pillow.fromarray(np.nan_to_num(scaled).clip(0, 255).round().astype(np.uint8))
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = pillow.new("RGBA", image.size, (*[shape.background] * 3, 255))
        image = pillow.alpha_composite(ground, image)
    return image.convert("RGB" if shape.colour else "L")


def _fitted(image: Image, shape: Shape) -> Image:
    """The whole picture, its aspect kept, in the middle of a square."""
    from PIL import Image as pillow

    side, longer = shape.size, max(image.size)
    width, height = (max(1, round(side * length / longer)) for length in image.size)
    resized = image.resize((width, height), pillow.Resampling.LANCZOS, reducing_gap=2.0)
    ground = (shape.background,) * 3 if shape.colour else shape.background
    square = pillow.new(image.mode, (side, side), ground)
    square.paste(resized, ((side - width) // 2, (side - height) // 2))
    return square


def _date(image: Image) -> str:
    """When it was taken, ISO 8601; empty where it does not say or nothing that makes sense."""
    text = _exif(image, TAKEN, EXIF) or _exif(image, CHANGED) or ""
    try:
        taken = datetime.datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return ""
    return taken.isoformat()


def _exif(image: Image, tag: int, folder: int | None = None) -> Any:
    """A tag of the picture or of a folder of its tags; None where it is missing or damaged."""
    try:
        exif = image.getexif()
        return (exif if folder is None else exif.get_ifd(folder)).get(tag)
    except Exception:  # any, of bytes that may be anything; the pixels are none the worse
        return None
