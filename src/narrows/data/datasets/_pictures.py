"""A picture's bytes to an array of one size, whatever its format; what is wrong with it, if it is.

Only formats that are named here are opened, because Pillow's others start programs or are rare.
"""

from __future__ import annotations

import contextlib
import datetime
import io
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.data import places
from narrows.data.places import Place
from narrows.data.scales import WHITE_IS_0

if TYPE_CHECKING:
    from PIL.Image import Image

Stream = IO[bytes] | io.BytesIO
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}
HEIC = {".heic", ".heif"}
FRAMED = {"GIF", "PNG", "TIFF", "WEBP"}
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
TAKEN, CHANGED, EXIF = 0x9003, 0x0132, 0x8769  # EXIF tags: DateTimeOriginal, DateTime, its folder
GPS = 0x8825  # another folder
REFERENCES, ANGLES = (1, 3), (2, 4)  # tags of it: N or S, E or W, and how far
ORIENTATION = 0x0112
PHOTOMETRIC, SAMPLE_FORMAT, NODATA = 262, 339, 42113  # TIFF tags; the last is GDAL's, a text
HUGE = 3e38  # floats as large as they can be mean that there is no value
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # as Pillow weighs red, green and blue
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
    is_filled: bool = False
    """Whether the picture's middle fills the square, and not the whole picture a part of it."""


class Picture(NamedTuple):
    """A picture as it was drawn, and what its file was."""

    pixels: np.ndarray
    """uint8 (C, size, size); or of a kind of values that are no bytes float32, nan for nothing."""
    kind: str
    """Kind of the values, like "16 bits"; empty where they are bytes."""
    date: str
    """EXIF date, ISO 8601, or empty."""
    format: str
    """Pillow's name of the format."""
    size: tuple[int, int]
    """Width and height of the file's picture in pixels."""
    place: Place | None
    """Where it was taken, by EXIF; None where that does not say."""
    has_more: bool
    """Whether other frames follow, which are not looked at."""


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


def decode(stream: Stream, shape: Shape, accepted: tuple[str, ...]) -> Picture:
    """The picture upright, in the middle of the background, and its EXIF date and place.

    A JPEG is decoded at a fraction of its size where that is enough (Pillow's `draft`), so that a
    picture of 100 million pixels takes a few megabytes. Not so one of several scans, progressive
    ones among them, which libjpeg keeps as a whole: it counts with all its pixels.

    Raises:
        Unreadable: not a picture, broken, cut, without a value, or larger than `shape.max_pixels`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(stream, formats=accepted) as image:
            whole = image.size
            image.draft("RGB" if shape.colour else "L", (2 * shape.size, 2 * shape.size))
            width, height = whole
            if width * height > shape.max_pixels and is_in_one_scan(stream):
                width, height = image.size
            if width * height > shape.max_pixels:
                raise Unreadable(f"too large: {width} x {height} pixels")
            kind = _kind(image)
            if image.format == "PNG":  # whose EXIF may follow the pixels: their faults come first
                image.load()
            date, place = date_of(image), place_of(image)
            image.load()
            turn = turn_of(image)  # now, as Pillow has turned a TIFF itself
            pixels = _values(image, kind, turn, shape) if kind else _drawn(image, turn, shape)
            form = str(image.format)
            return Picture(pixels, kind, date, form, whole, place, _has_more(image))
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("broken: no picture of a known format") from None
    except Exception as error:  # decoders meet hostile bytes with any exception there is
        if isinstance(error, OSError) and error.strerror:  # the system's, none of the decoder
            raise Unreadable(f"cannot be read: {error.strerror}") from None
        message = " ".join(str(error).split())[:100]
        kind = "truncated" if "truncated" in message.lower() else "broken"
        raise Unreadable(f"{kind}: {message or type(error).__name__}") from None


def is_in_one_scan(stream: Stream) -> bool:
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


def _kind(image: Image) -> str:
    """What the values are where they are no bytes; of a picture whose pixels are not decoded."""
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    tiles = getattr(image, "tile", [])[:1]
    raw = [tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles]
    has_sign = tags.get(SAMPLE_FORMAT, (1,))[0] == 2
    if image.mode == "F":
        kind = "floats"
    elif image.mode.startswith("I"):
        n_bits = 32 if any("32" in str(name) for name in raw) else 16
        kind = f"{n_bits} bits with a sign" if has_sign else f"{n_bits} bits"
    elif image.mode in {"RGB", "RGBA"} and any(";16" in str(name) for name in raw):
        kind = "16 bits a colour"
    elif image.mode == "L" and has_sign:
        kind = "8 bits with a sign"
    else:
        return ""
    return kind + (WHITE_IS_0 if tags.get(PHOTOMETRIC) == 0 else "")


def _drawn(image: Image, turn: str | None, shape: Shape) -> np.ndarray:
    """Pixels uint8 (C, size, size) of a picture of bytes."""
    from PIL import Image as pillow

    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = pillow.new("RGBA", image.size, (*[shape.background] * 3, 255))
        image = pillow.alpha_composite(ground, image)
    image = image.convert("RGB" if shape.colour else "L")
    grey = shape.background
    pixels = np.asarray(_fitted(image, turn, shape, (grey,) * 3 if shape.colour else grey))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _values(image: Image, kind: str, turn: str | None, shape: Shape) -> np.ndarray:
    """Values float32 (C, size, size) of a picture that is none of bytes; nan where it has none.

    Pixels without a value count for nothing: what is shrunk is how far the others are from their
    mean, with zeros in the gaps, and it is divided by what ones become.
    """
    from PIL import Image as pillow

    values, has_value = _as_floats(image, kind)  # (H, W, B), (H, W)
    if values.shape[2] == 3 and not shape.colour:
        values = (values @ GREY)[..., None]
    known = values[has_value]
    if not known.size:
        raise Unreadable("no value: none is a number")
    low, mean, high = known.min(), known.mean(), known.max()
    del known

    def fitted(plane: np.ndarray) -> np.ndarray:
        return np.asarray(_fitted(pillow.fromarray(plane), turn, shape, 0.0))

    def shrunk(band: np.ndarray) -> np.ndarray:
        plane = band - mean
        plane[~has_value] = 0
        return fitted(plane)

    weights = fitted(has_value.astype(np.float32))  # (size, size), 0 beside the picture
    far = np.stack([shrunk(band) for band in values.transpose(2, 0, 1)])  # (B, size, size)
    small = (mean + far / np.maximum(weights, 0.5)).clip(low, high)
    small[:, weights < 0.5] = np.nan
    if np.isnan(small).all():
        raise Unreadable("no value: hardly one is a number")
    return np.repeat(small, 3, axis=0) if shape.colour and len(small) == 1 else small


def _as_floats(image: Image, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Values float32 (H, W, B), and which of the pixels (H, W) have one."""
    raw = np.asarray(image)
    if kind.startswith("32 bits") and "sign" not in kind:
        raw = raw.view(np.uint32)  # Pillow has no such mode
    elif kind.startswith("8 bits"):
        raw = raw.view(np.int8)
    values = np.asarray(raw, np.float32).reshape(image.height, image.width, -1)
    has_value = np.asarray(((values > -HUGE) & (values < HUGE)).all(axis=2))  # not nan either
    if kind.startswith("16 bits a colour"):
        has_value &= (values[..., 3:] >= 128).all(axis=2)
        return values[..., :3] * 257, has_value  # Pillow reads the upper half of the bits
    with contextlib.suppress(Exception):  # any, of bytes that may be anything
        tag = getattr(image, "tag_v2", {}).get(NODATA, image.info.get("transparency"))
        has_value &= values[..., 0] != np.float32(str(tag).strip("\0 "))
    return values, has_value


def _fitted(image: Image, turn: str | None, shape: Shape, ground: Any) -> Image:
    """The whole picture, upright, its aspect kept, in the middle of a square, or its middle."""
    from PIL import Image as pillow

    if turn:
        image = image.transpose(pillow.Transpose[turn])
    side, edge = shape.size, min(image.size) if shape.is_filled else max(image.size)
    width, height = (max(1, round(side * length / edge)) for length in image.size)
    resized = image.resize((width, height), pillow.Resampling.LANCZOS, reducing_gap=2.0)
    if (width, height) == (side, side):
        return resized
    square = pillow.new(image.mode, (side, side), ground)
    square.paste(resized, ((side - width) // 2, (side - height) // 2))
    return square


def _has_more(image: Image) -> bool:
    """Whether frames follow the first; a second picture in a JPEG is a copy for other screens."""
    with contextlib.suppress(Exception):  # any, of bytes that may be anything
        return image.format in FRAMED and bool(getattr(image, "is_animated", False))
    return False


def date_of(image: Image) -> str:
    """When it was taken, ISO 8601; empty where it does not say or nothing that makes sense."""
    text = _exif(image, TAKEN, EXIF) or _exif(image, CHANGED) or ""
    try:
        taken = datetime.datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return ""
    return taken.isoformat()


def place_of(image: Image) -> Place | None:
    """Where it was taken; None where it does not say or nothing that makes sense."""
    letters, angles = ([_exif(image, tag, GPS) for tag in tags] for tags in (REFERENCES, ANGLES))
    return places.of_gps(letters, angles)


def turn_of(image: Image) -> str | None:
    """Pillow's name of what turns the picture upright; None where it is, or says nothing."""
    return UPRIGHT.get(_exif(image, ORIENTATION))


def _exif(image: Image, tag: int, folder: int | None = None) -> Any:
    """A tag of the picture or of a folder of its tags; None where it is missing or damaged."""
    try:
        exif = image.getexif()
        return (exif if folder is None else exif.get_ifd(folder)).get(tag)
    except Exception:  # any, of bytes that may be anything; the pixels are none the worse
        return None
