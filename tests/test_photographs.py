"""Large photographs are decoded once: what is smaller comes from a copy, which changes nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.data import new_files, originals
from narrows.data.datasets import _copies, _files, image_folder
from narrows.data.datasets._base import Dataset, Original
from narrows.data.datasets._pictures import Shape
from narrows.data.new_files import NewSamples, Piece
from narrows.data.places import Place
from narrows.errors import UserError

CONFIG = image_folder.Config(path="photos", size=60)
RAW = Path("raw")
COPIES = Path(".work/copies")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_copies, "LEAST_BYTES", 0)
    Path("photos").mkdir()


def photograph(
    name: str = "a.jpg", width: int = 1200, height: int = 800, **options: object
) -> Path:
    """Black on the left of the upright picture, white on the right, after a turn by EXIF."""
    upright = np.repeat(np.arange(width)[None] >= width // 2, height, axis=0)
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2024:05:06 07:08:09"
    exif.get_ifd(0x8825).update({1: "N", 2: (52, 31, 12), 3: "W", 4: (0, 24, 0)})
    stored = Image.fromarray((255 * upright).astype(np.uint8)).convert("RGB")
    stored = stored.transpose(Image.Transpose.ROTATE_90)
    stored.save(Path("photos", name), exif=exif, **options)
    return Path("photos", name)


def load() -> Dataset:
    image_folder.fetch(CONFIG, RAW)
    return image_folder.load(CONFIG, RAW)


def original(schema: object) -> Original:
    (single,) = image_folder.originals(schema, Path("photos"), _files.read(RAW)).values()
    return single


def test_samples_features_and_thumbnails_need_the_file_once() -> None:
    """It may go after `fetch`. 1,200 x 800 pixels are 60 x 40, ten rows of background above and
    below; the middle square of 800 is black and white by halves, at any size."""
    photograph()
    image_folder.fetch(CONFIG, RAW)
    Path("photos/a.jpg").unlink()
    data = image_folder.load(CONFIG, RAW)
    assert (data.x[0, :, :10] == 255).all()
    assert (data.x[0, :, 10:50, :28] < 10).all()
    assert (data.x[0, :, 10:50, 32:] > 245).all()
    assert data.dates == ["2024-05-06T07:08:09"]
    assert data.places == [Place(52.52, -0.4)]
    assert data.warnings[0] == "1 JPEG, of 800 x 1,200 pixels, fitted into 60 x 60"
    middle = original(data.schema).read(224)
    assert (middle[:, :, :110] < 10).all()
    assert (middle[:, :, 114:] > 245).all()


def test_what_is_remembered_changes_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pixels with a copy, with a damaged one, without any and where none may be kept."""
    photograph()
    data = load()
    x, middle = np.array(data.x), original(data.schema).read(200)
    (copy,) = COPIES.glob("*/*")
    with Image.open(copy) as image:
        assert image.size == (600, 400)  # a half, because a third of 800 is below 288
    whole = copy.read_bytes()

    def same() -> bool:
        return np.array_equal(image_folder.load(CONFIG, RAW).x, x) and np.array_equal(
            original(data.schema).read(200), middle
        )

    copy.write_bytes(whole[: len(whole) // 2])
    assert same()
    assert copy.read_bytes() == whole
    shutil.rmtree(COPIES)
    assert same()
    shutil.rmtree(COPIES)
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", "0")
    assert same()
    assert not list(COPIES.glob("*/*"))


def test_new_files_are_seen_in_the_same_way() -> None:
    photograph()
    data = load()
    Path("photos/a.jpg").rename("b.jpg")
    new = new_files.encoded(Path("b.jpg"), data.schema, {})
    assert np.array_equal(new.x, data.x)
    path, beyond = Path("b.jpg"), np.zeros((1, 1), np.float32)
    samples = NewSamples(new.x, [path], ["b.jpg"], [""], [], beyond, [], [Piece(path)])
    (single,) = originals.new(data.schema, samples)
    assert single.read(100).shape == (3, 100, 100)


@pytest.mark.parametrize(
    "make",
    [
        lambda: photograph("a.png"),
        lambda: photograph(progressive=True),
        lambda: photograph(width=900, height=575),
        lambda: Path("photos/a.jpg").write_bytes(photograph().read_bytes()[:5000]),
    ],
    ids=["no JPEG", "several scans", "small", "cut"],
)
def test_others_are_decoded_each_time(make: Callable[[], object]) -> None:
    make()
    image_folder.fetch(CONFIG, RAW)
    assert not list(COPIES.glob("*/*"))


def test_larger_sizes_come_from_the_file() -> None:
    """A network that takes 400 pixels a side sees more than the copy has."""
    photograph()
    data = load()
    Path("photos/a.jpg").rename("elsewhere.jpg")
    assert original(data.schema).read(_copies.SIDE).shape == (3, 288, 288)
    with pytest.raises(UserError, match="went away after fetch"):
        original(data.schema).read(_copies.SIDE + 1)


def test_huge_ones_are_shrunk_further() -> None:
    """libjpeg decodes at an eighth: 600 x 576, and half of that leaves 288 rows."""
    Image.new("L", (4800, 4608)).save("photos/a.jpg")
    load()
    (copy,) = COPIES.glob("*/*")
    with Image.open(copy) as image:
        assert (image.size, image.mode) == ((300, 288), "L")


def test_copies_that_were_used_longest_ago_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for two of three; the first was used after the second."""
    for name, width in (("a.jpg", 1200), ("b.jpg", 1202)):
        photograph(name, width)
        image_folder.fetch(CONFIG, RAW)
    first, second = _files.read(RAW)
    shape = Shape(60, True, 255, 10**7)
    _copies.picture(Path("photos"), first, shape, ("JPEG",))
    room = sum(file.stat().st_size for file in COPIES.glob("*/*"))
    monkeypatch.setenv("NARROWS_FINISHED_BYTES", str(room + 100))
    photograph("c.jpg", 1204)
    image_folder.fetch(CONFIG, RAW)
    names = {file.name for file in COPIES.glob("*/*")}
    assert first.sha256 in names
    assert second.sha256 not in names
    assert len(names) == 2
