"""Pictures whose values are no bytes: one scale for the folder, and what has no value."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from narrows.data.datasets import _pictures, image_folder
from narrows.data.datasets._base import Dataset, NothingLeft

RAMP = np.arange(64).reshape(8, 8)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(**options: Any) -> Dataset:
    cfg = image_folder.Config(path="photos", **{"size": 8, "colour": False} | options)
    image_folder.fetch(cfg, Path("raw"))
    return image_folder.load(cfg, Path("raw"))


def picture(name: str, values: np.ndarray, **options: Any) -> Path:
    file = Path("photos", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(file, **options)
    return file


def replace(file: Path, old: bytes, new: bytes) -> None:
    """Another entry in a file's tags."""
    content = file.read_bytes()
    assert content.count(old) == 1
    file.write_bytes(content.replace(old, new))


def short_tag(tag: int, value: int) -> bytes:
    """A TIFF's entry of one number of 16 bits."""
    return struct.pack("<HHIHH", tag, 3, 1, value, 0)


def png_of_16_bits(file: Path, values: np.ndarray) -> None:
    """Colours (H, W, 3), which Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", checksum(kind, content))
        )

    def checksum(kind: bytes, content: bytes) -> int:
        return zlib.crc32(kind + content)

    height, width, _ = values.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )


def test_twelve_bits_in_sixteen_use_all_grey_values() -> None:
    """0 to 4,095 in one picture, 0 to 2,047.5 in the other: 255 and half of that, 127.5."""
    bright, dim = RAMP * 65, RAMP * 65 // 2
    picture("a.tif", bright.astype(np.uint16))
    picture("b.png", dim.astype(np.uint16))
    data = load()
    assert data.schema["ranges"] == {"16 bits": [0, 4095]}
    np.testing.assert_array_equal(data.x[0, 0], (bright / 4095 * 255).round())
    np.testing.assert_allclose(data.x[1, 0], dim / 4095 * 255, atol=0.51)
    assert data.warnings == [
        "1 TIFF, 1 PNG, of 8 x 8 pixels, fitted into 8 x 8",
        "2 pictures hold values of 16 bits: 0 becomes black and 4,095 white, in new pictures, too",
    ]
    schema = json.loads(json.dumps(data.schema))
    new = image_folder.encode(schema, {}, Path("photos/b.png"))
    np.testing.assert_array_equal(new.x, data.x[1:])
    assert not new.warnings


def test_floats_share_a_scale_and_what_has_no_value_is_background() -> None:
    """From -1 to 3, so 1 is 127.5; nan, infinity, the largest float and a map's own mark."""
    values = np.full((2, 8, 8), 1, np.float32)
    values[0, 0], values[1, 0] = -1, 3
    values[0, 4, :4] = np.nan, np.inf, -np.inf, np.finfo(np.float32).max
    values[1, 4, 0] = -9999
    picture("a.tif", values[0])
    picture("b.tif", values[1], tiffinfo={42113: "-9999 "})
    data = load(background=7)
    assert data.schema["ranges"] == {"floats": [-1, 3]}
    assert data.x[:, 0, 0, 0].tolist() == [0, 255]
    assert data.x[0, 0, 4].tolist() == [7, 7, 7, 7, 128, 128, 128, 128]
    assert data.x[1, 0, 4].tolist() == [7, *[128] * 7]


def test_a_gap_does_not_darken_what_is_beside_it() -> None:
    """Half of every second pixel is missing; the rest is 5 everywhere, between 0 and 10."""
    gaps = np.full((16, 16), 5, np.float32)
    gaps[::4, ::2] = np.nan
    picture("a.tif", gaps)
    picture("b.tif", np.linspace(0, 10, 256, dtype=np.float32).reshape(16, 16))
    x = load(background=7).x[0, 0].astype(int)
    assert set(x.ravel()) <= {127, 128, 129}


def test_a_hot_pixel_costs_no_contrast() -> None:
    """One of 32 x 32 pixels that become one, in a picture of 256 x 256."""
    values = np.kron(RAMP * 20, np.ones((32, 32))).astype(np.uint16)
    values[128, 128] = 65535
    picture("a.png", values)
    assert load().schema["ranges"]["16 bits"][1] < 2_000


def test_kinds_of_values_have_scales_of_their_own() -> None:
    """Bytes stay as they are; 32 bits without a sign reach above 2 ** 31; white may be 0."""
    picture("a.png", RAMP.astype(np.uint8))
    picture("b.tif", RAMP.astype(np.uint16))
    replace(picture("c.tif", 9 + RAMP.astype(np.uint16)), short_tag(262, 1), short_tag(262, 0))
    wide = (RAMP * 2.0**26).astype(np.uint32).view(np.int32)
    replace(picture("d.tif", wide), short_tag(339, 2), short_tag(339, 1))
    picture("e.tif", 1000 - RAMP.astype(np.int32))
    replace(picture("f.tif", RAMP.astype(np.uint8)), short_tag(258, 8), short_tag(258, 8))
    data = load()
    assert data.schema["ranges"] == {
        "16 bits": [0, 63],
        "16 bits, white is 0": [72, 9],
        "32 bits": [0, 63 * 2**26],
        "32 bits with a sign": [937, 1000],
    }
    grey = (RAMP / 63 * 255).round().astype(int)
    expected = [RAMP, grey, 255 - grey, grey, 255 - grey, RAMP]
    np.testing.assert_allclose(data.x[:, 0], expected, atol=1)


def test_colours_of_sixteen_bits_have_one_scale() -> None:
    """Pillow reads the upper byte: 0 to 15 of 12 bits, as 0 to 15 times 257."""
    Path("photos").mkdir()
    red = np.repeat(np.arange(16) * 256, 4).reshape(8, 8)
    png_of_16_bits(Path("photos/a.png"), np.stack([red, red // 3, red * 0], axis=2))
    data = load(colour=True)
    assert data.schema["ranges"] == {"16 bits a colour": [0, 15 * 257]}
    np.testing.assert_array_equal(data.x[0, 0], red // 256 * 17)
    np.testing.assert_array_equal(data.x[0, 1], red // 3 // 256 * 17)
    assert not data.x[0, 2].any()


def test_a_picture_without_contrast_on_the_folders_scale_is_left_out() -> None:
    picture("a.png", (RAMP * 1000).astype(np.uint16))
    picture("b.png", (RAMP // 32 + 100).astype(np.uint16))
    picture("c.tif", np.full((8, 8), np.nan, np.float32))
    data = load()
    assert data.names == ["a.png"]
    assert data.skipped == [
        ("b.png", "its contrast is lost: 100 to 101 of 0 to 63,000"),
        ("c.tif", "no value: none is a number"),
    ]


def test_one_odd_picture_among_many_is_told() -> None:
    """3 of 4 reach from 0 to 630 where one reaches to 63,000: 1.0 %."""
    for i in range(3):
        picture(f"{i}.png", (RAMP * 10 + i).astype(np.uint16))
    picture("odd.png", (RAMP * 1000).astype(np.uint16))
    assert load().warnings[1] == (
        "4 pictures hold values of 16 bits: 0 becomes black and 63,000 white, in new pictures, "
        "too. Half of them use less than 1.0% of that; odd.png has values from 0 to 63,000: "
        "`exclude` leaves it out"
    )


def test_new_pictures_beyond_the_scale_are_told() -> None:
    picture("a.png", (RAMP * 10).astype(np.uint16))
    schema = load().schema
    Image.fromarray((RAMP * 20).astype(np.uint16)).save("new.png")
    new = image_folder.encode(schema, {}, Path("new.png"))
    assert new.x.max() == 255
    assert new.warnings == [
        "1 of 1 pictures reach beyond the values that were learned from and are cut there, "
        "for example new.png"
    ]
    Image.fromarray(RAMP.astype(np.float32)).save("floats.tif")
    with pytest.raises(NothingLeft) as nothing:
        image_folder.encode(schema, {}, Path("floats.tif"))
    assert nothing.value.skipped == [("floats.tif", "no such values were learned from: floats")]


def masks() -> None:
    picture("a.png", RAMP[:4, :4].astype(np.uint8) % 4)


def stack() -> None:
    frames = [Image.fromarray((RAMP * i).astype(np.uint8)) for i in (4, 3, 2)]
    Path("photos").mkdir()
    frames[0].save("photos/a.tif", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (masks, "1 PNG, of 4 x 4 pixels, fitted into 8 x 8; 1 of them are smaller and were"),
        (masks, "all pictures lie between the grey values 0 and "),
        (stack, "1 have several frames, of which the first is used"),
    ],
)
def test_what_was_assumed_is_told(write: Callable[[], None], message: str) -> None:
    write()
    assert message in "\n".join(load().warnings)


def test_a_disk_that_fails_does_not_break_the_picture() -> None:
    class Failing(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            raise OSError(5, "Input/output error")

    shape = _pictures.Shape(8, False, 255, 10**7)
    with pytest.raises(_pictures.Unreadable, match=r"^cannot be read: Input/output error$"):
        _pictures.decode(Failing(), shape, _pictures.FORMATS)
