"""A folder of pictures: what is taken, how it is drawn, and why the rest is left out."""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from narrows.config import plugins
from narrows.data import spread
from narrows.data.datasets import _files, _pictures, image_folder
from narrows.data.datasets._base import Dataset
from narrows.data.places import Place
from narrows.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (40, 80, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(**options: Any) -> Dataset:
    cfg = image_folder.Config(path="photos", **options)
    image_folder.fetch(cfg, Path("raw"))
    return image_folder.load(cfg, Path("raw"))


def picture(name: str, pixels: np.ndarray = NOISE, **options: Any) -> Path:
    file = Path("photos", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, **options)
    return file


def test_every_format_is_read_in_the_order_of_paths() -> None:
    names = ["a.jpg", "b/c.PNG", "b/d.webp", "e.gif", "f.tiff", "g.bmp", 'ü "<script>"\n.png']
    for i, name in enumerate(names):
        picture(name, NOISE[i:])
    Image.new("RGB", (4, 4), "red").save(
        "photos/z.gif", save_all=True, append_images=[Image.new("RGB", (4, 4), "blue")]
    )
    data = load(size=8)
    assert data.names == sorted([*names, "z.gif"])
    assert data.x.shape == (8, 3, 8, 8)
    assert data.x[-2, :, 0, 0].tolist() in ([254, 0, 0], [255, 0, 0])  # the first frame
    assert data.skipped == []
    again = image_folder.encode(data.schema, {}, Path("photos"))
    np.testing.assert_array_equal(again.x, data.x)


def test_a_picture_keeps_its_aspect_and_its_pixels() -> None:
    """6 x 3 pixels in a square of 6: two rows of background below, one above (3 / 2 rounded)."""
    pixels = np.arange(18, dtype=np.uint8).reshape(3, 6) * 10
    picture("wide.png", pixels)
    x = load(size=6, colour=False, background=7).x
    assert x.shape == (1, 1, 6, 6)
    np.testing.assert_array_equal(x[0, 0, 1:4], pixels)
    assert (x[0, 0, [0, 4, 5]] == 7).all()


def test_exif_turns_the_picture_and_dates_it() -> None:
    """Orientation 6: the camera's left side is up."""
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0132] = "2022:01:01 00:00:00"  # changed, which counts where it is not told when taken
    exif.get_ifd(0x8769)[0x9003] = "2021:02:03 04:05:06"
    for name in ("turned.jpg", "turned.png", "turned.webp", "turned.tiff"):
        picture(name, pixels, exif=exif)
        data = load(size=8, colour=False)
        assert data.x[0, 0, 0].min() > 240, name
        assert data.x[0, 0, 7].max() < 15, name
        changed, taken = "2022-01-01T00:00:00", "2021-02-03T04:05:06"
        assert data.dates == [changed if name == "turned.tiff" else taken], name  # as Pillow saves
        Path("photos", name).unlink()


def test_exif_places_the_picture_to_a_hundredth_of_a_degree() -> None:
    """33 degrees, 51 minutes and 54 seconds are 33.865 degrees; a picture without a place is next
    to one with it."""
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "S", 2: (33, 51, 54.5), 3: "E", 4: (151, 12, 36)})
    exif[0x0112] = 1  # Pillow writes none into a PNG without a tag outside folders
    for name in ("a.jpg", "b.png", "c.webp"):
        picture(name, np.zeros((8, 8), np.uint8), exif=exif)
    picture("d.jpg", np.ones((8, 8), np.uint8))
    assert load(size=8, colour=False).places == [Place(-33.87, 151.21)] * 3 + [None]


@pytest.mark.parametrize(
    "tags",
    [
        {2: (52, 30, 0), 4: (13, 24, 0)},
        {1: "N", 2: (52, 30, 0), 3: "E"},
        {1: "N", 2: (52, 30, 0), 3: "?", 4: (13, 24, 0)},
        {1: "N", 2: (91, 0, 0), 3: "E", 4: (13, 24, 0)},
        {1: "N", 2: (52, 99, 0), 3: "E", 4: (13, 24, 0)},
        {1: "N", 2: (52, 30), 3: "E", 4: (13, 24, 0)},
        {1: "N", 2: (IFDRational(52, 0), 30, 0), 3: "E", 4: (13, 24, 0)},
        {1: "N", 2: (52, IFDRational(0, 0), 0), 3: "E", 4: (13, 24, 0)},
        {1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)},
    ],
)
def test_a_place_that_makes_no_sense_is_none(tags: dict[int, Any]) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update(tags)
    picture("a.jpg", np.zeros((8, 8), np.uint8), exif=exif)
    data = load(size=8, colour=False)
    assert data.names == ["a.jpg"]
    assert data.places == [None]


def test_damaged_exif_costs_no_picture() -> None:
    """Bytes that are no EXIF; and a resolution that is text, in a picture that is to be turned."""
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4] = 255
    picture("a.jpg", pixels, exif=b"Exif\0\0 of no use")
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    resolution = struct.pack("<HHI4s", 0x011A, 2, 3, b"72")
    header = struct.pack("<4sIH", b"II*\0", 8, 2)
    exif = b"Exif\0\0" + header + orientation + resolution + bytes(4)
    picture("b.jpg", pixels, exif=exif)
    data = load(size=8, colour=False)
    assert data.names == ["a.jpg", "b.jpg"]
    assert data.dates == ["", ""]
    assert data.x[0, 0, :, 0].min() > 240
    assert data.x[1, 0, 0].min() > 240


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_as_pillow_turns_it(orientation: int) -> None:
    """0 and 9 mean nothing."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = picture("a.png", NOISE[:20, :20], exif=exif)
    with Image.open(file) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(load(size=20).x[0].transpose(1, 2, 0), expected)


def test_other_modes_become_eight_bits() -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    picture("clear.png", clear)
    picture("deep.png", np.repeat([[0, 65535]], 32, axis=0).reshape(8, 8).astype(np.uint16))
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save("photos/print.jpg")
    Image.new("1", (8, 8), 1).save("photos/two.png")
    data = load(size=8, background=200)
    assert data.names == ["clear.png", "deep.png", "print.jpg", "two.png"]
    assert [int(x.mean()) for x in data.x] == [200, 127, 255, 255]


def test_what_cannot_be_used_is_told() -> None:
    good = picture("good.png")
    content = good.read_bytes()
    jpeg = picture("a.jpg").read_bytes()
    folder = Path("photos")
    (folder / "copy.png").write_bytes(content)  # comes first, so that good.png is the duplicate
    (folder / "cut.png").write_bytes(content[:-500])
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "empty.png").touch()
    (folder / "junk.jpg").write_bytes(b"hello")
    (folder / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")  # Pillow would start a program
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.png").write_text("x")
    (folder / "phone.heic").write_bytes(b"x")
    Image.new("1", (9000, 9000)).save(folder / "bomb.png")
    with open(os.fsencode(folder) + b"/odd\xff.png", "wb") as stream:
        stream.write(content)
    Path("secret.png").write_bytes(content)
    os.symlink(Path("secret.png").resolve(), folder / "out.png")
    os.symlink("good.png", folder / "in.png")
    os.symlink("nowhere", folder / "dead.png")
    os.symlink("..", folder / "up")
    os.mkfifo(folder / "pipe.png")
    data = load()
    heic = "broken" if "HEIF" in _pictures.formats() else "needs the package pillow-heif"
    assert data.names == ["a.jpg", "copy.png"]
    assert {file.path: file.reason.partition(":")[0] for file in data.skipped} == {
        "bomb.png": "too large",
        "cut.jpg": "truncated",
        "cut.png": "truncated",
        "dead.png": "a link that leads nowhere",
        "empty.png": "empty",
        "good.png": "duplicate",
        "in.png": "a link",
        "junk.jpg": "broken",
        "notes.txt": "another kind of file",
        "odd\\xff.png": "its name is not UTF-8",
        "out.png": "a link that leads out of the folder",
        "page.jpg": "broken",
        "phone.heic": heic,
        "pipe.png": "not a regular file",
        "up": "a link that leads out of the folder",
    }
    assert all(str(Path.cwd()) not in file.reason for file in data.skipped)


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    """7200 x 7200 pixels are 51.8 million; an eighth of each side is enough for 64."""
    Path("photos").mkdir()
    Image.new("L", (7200, 7200), 90).save("photos/large.jpg")
    assert load(size=16).x.mean() == pytest.approx(90, abs=2)


def colour_by_colour(jpeg: bytes) -> bytes:
    """A grey JPEG as one of three colours in three scans, each as the grey one's."""
    n_frame = jpeg.index(b"\xff\xc0") + 2
    n_scan = jpeg.index(b"\xff\xda")
    colours = b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    frame = struct.pack(">H", 17) + jpeg[n_frame + 2 : n_frame + 7] + b"\3" + colours
    scan = jpeg[n_scan + 10 : -2]
    scans = [b"\xff\xda\0\x08\1" + bytes([i, 0, 0, 63, 0]) + scan for i in (1, 2, 3)]
    return jpeg[:n_frame] + frame + jpeg[n_frame + 11 : n_scan] + b"".join(scans) + jpeg[-2:]


def test_a_jpeg_that_is_kept_as_a_whole_counts_as_a_whole() -> None:
    """Of one with several scans libjpeg keeps all 800 x 800 pixels until the last; of a plain one
    an eighth of each side is enough, 100 x 100."""
    pixels = np.full((800, 800), 90, np.uint8)
    plain = picture("plain.jpg", pixels)
    picture("plain colour.jpg", np.full((800, 800, 3), 90, np.uint8))
    picture("progressive.jpg", pixels, progressive=True)
    Path("photos/scans.jpg").write_bytes(colour_by_colour(plain.read_bytes()))
    data = load(size=16, max_pixels=20_000)
    assert data.names == ["plain colour.jpg", "plain.jpg"]
    reason = "too large: 800 x 800 pixels"
    assert data.skipped == [("progressive.jpg", reason), ("scans.jpg", reason)]
    assert len(load(size=16, max_pixels=640_000).x) == 4


def test_nothing_left_is_a_sentence() -> None:
    Path("photos").mkdir()
    with pytest.raises(UserError, match=r"photos has no picture to learn from$"):
        load()
    Path("photos/empty.png").touch()
    with pytest.raises(UserError, match=r"no picture to learn from \(skipped: 1 empty\)"):
        load()


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "dataset.path: there is no nowhere"), ("file", "file is no folder")],
)
def test_a_wrong_path_is_a_sentence(path: str, message: str) -> None:
    Path("file").touch()
    with pytest.raises(UserError, match=message):
        image_folder.fetch(image_folder.Config(path=path), Path("raw"))


def test_many_pictures_are_decoded_by_processes_into_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seven files, two at a time, of which the third is cut; the last then changes."""
    for i in range(7):
        picture(f"{i}.png", np.full((8, 8), 30 * i, np.uint8))
    Path("photos/2.png").write_bytes(Path("photos/2.png").read_bytes()[:40])
    threads = load(size=8)
    monkeypatch.setattr(spread, "MANY", 7)
    monkeypatch.setattr(spread, "TOGETHER", 2)
    with spread.over_processes():
        processes = load(size=8)
        assert spread.is_worth_it(7)
        Path("photos/6.png").write_bytes(b"another")
        with pytest.raises(UserError, match=r"6\.png changed after fetch"):
            image_folder.load(image_folder.Config(path="photos"), Path("raw"))
    assert not spread.is_worth_it(7)
    np.testing.assert_array_equal(processes.x, threads.x)
    assert (processes.names, processes.skipped) == (threads.names, threads.skipped)
    assert [file.path for file in processes.skipped] == ["2.png"]


def test_a_picture_that_changes_between_the_stages_stops() -> None:
    file = picture("a.png")
    cfg = image_folder.Config(path="photos")
    image_folder.fetch(cfg, Path("raw"))
    file.write_bytes(b"other")
    with pytest.raises(UserError, match=r"a.png changed after fetch; run `dvc repro` again"):
        image_folder.load(cfg, Path("raw"))


def test_folders_are_labels_and_what_lies_in_none_has_none() -> None:
    for i, name in enumerate(["cats/1.png", "dogs/2.png", "more/cats/3.png", "4.png"]):
        picture(name, NOISE[i:])
    data = load(labels="folders", size=8)
    assert data.names == ["cats/1.png", "dogs/2.png", "more/cats/3.png"]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.label_names == ("cats", "dogs")
    assert data.skipped == [("4.png", "no label")]


def test_the_documents_layout_works_as_it_stands() -> None:
    """train.csv tells of 0.png, which lies in train/; test.csv has no labels."""
    for i in range(4):
        picture(f"{'train' if i < 3 else 'test'}/{i}.png", NOISE[i:])
    Path("photos/train.csv").write_text("filename,label\n0.png,4\n1.png,10\n2.png,4\n")
    Path("photos/test.csv").write_text("filename\n3.png\n")
    data = load(labels="train.csv", size=28, colour=False)
    assert data.names == ["train/0.png", "train/1.png", "train/2.png"]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.label_names == ("4", "10")
    assert [file.path for file in data.skipped] == ["test.csv", "test/3.png"]
    assert len(load(size=28).x) == 4  # without labels, all of them


def test_names_are_the_same_however_their_accents_are_written() -> None:
    """A Mac's names in the folder; in the CSV those of Notepad, with one of Windows' paths."""
    for i, name in enumerate(["Ka\u0308fer.png", "Biene.png", "Mu\u0308cken/1.png"]):
        picture(name, NOISE[i:])
    lines = (
        "filename,label\nK\u00e4fer.png, K\u00e4fer \nBiene.png,Ka\u0308fer\nM\u00fccken\\1.png,x\n"
    )
    Path("photos/labels.csv").write_text(lines, encoding="utf-16")
    data = load(labels="labels.csv", size=8)
    assert data.labels.tolist() == [0, 0, 1]
    assert data.label_names == ("K\u00e4fer", "x")
    assert data.warnings[1:] == ["photos/labels.csv: it was read as UTF-16"]
    data = load(labels="folders", size=8)
    assert data.label_names == ("M\u00fccken",)


def test_names_that_lead_nowhere_are_told() -> None:
    """Four pictures without a label, and four names without a picture."""
    for i in range(5):
        picture(f"IMG {i}.png", NOISE[i:])
    names = ["IMG 0.png", *(f"IMG_{i}.png" for i in range(1, 5))]
    Path("photos/labels.csv").write_text("filename,label\n" + ",a\n".join(names) + ",b\n")
    data = load(labels="labels.csv", size=8)
    assert data.names == ["IMG 0.png"]
    assert data.warnings[1] == (
        "photos/labels.csv names 4 pictures that are not there, for example 'IMG_1.png', and 4 "
        "have no label, for example 'IMG 1.png'"
    )


def test_what_is_excluded_is_not_looked_at_and_told() -> None:
    """What a NAS makes always; names anywhere, and paths from the folder on."""
    names = ["a.png", "@eaDir/a.png/M.png", "b/thumb_1.png", "b/@eaDir/x.png", "b/c/d.png"]
    for i, name in enumerate([*names, "c/d.png", "__MACOSX/a.png"]):
        picture(name, NOISE[i:])
    data = load(size=8, exclude=("thumb_*", "b/c"))
    assert data.names == ["a.png", "c/d.png"]
    assert data.skipped == [
        ("@eaDir", "excluded: @eaDir"),
        ("__MACOSX", "excluded: __MACOSX"),
        ("b/@eaDir", "excluded: @eaDir"),
        ("b/c", "excluded: b/c"),
        ("b/thumb_1.png", "excluded: thumb_*"),
    ]
    again = image_folder.encode(data.schema, {}, Path("photos"))
    assert again.names == data.names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\n", "should have the columns filename and label, found name, label"),
        ("filename,label\nx.png,1\n", "names no picture in photos, for example 'x.png'"),
        (f'filename,label\nx.png,"{"1" * 140_000}', "labels.csv is no table that can be read: "),
        (f'"{"1" * 140_000}', "labels.csv is no table that can be read: field larger than"),
    ],
)
def test_wrong_labels_are_a_sentence(text: str, message: str) -> None:
    picture("a.png")
    Path("labels.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        load(labels=str(Path("labels.csv").resolve()))


def test_labels_that_are_a_folder_are_a_sentence() -> None:
    picture("kinds/a.png")
    with pytest.raises(UserError, match=r"dataset.labels: photos/kinds is no file; accepted are"):
        load(labels="kinds")


def test_folders_may_be_deeper_than_python_recurses(tmp_path: Path) -> None:
    """1,200 of them, which pytest could not remove."""
    picture("a/b.png")
    picture("a/e.png")
    picture("a.png")
    os.chdir("photos/a")
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    Path("f.png").write_bytes(b"deep")
    try:
        paths = [file.path for file in _files.find(tmp_path / "photos", {".png"}, (), False)]
    finally:
        Path("f.png").unlink()
        for _ in range(1200):
            os.chdir("..")
            os.rmdir("d")
    assert paths == ["a.png", "a/b.png", f"a/{'d/' * 1200}f.png", "a/e.png"]


def test_known_files_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    picture("a.png")
    picture("b.png", NOISE[1:])
    first = _files.find(Path("photos"), {".png"})

    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(_files.hashlib, "file_digest", refuse)
    assert _files.find(Path("photos"), {".png"}) == first
    os.utime("photos/a.png", ns=(0, 0))
    with pytest.raises(AssertionError, match="read again"):
        _files.find(Path("photos"), {".png"})


def test_digits_as_a_folder_of_pngs_are_the_digits_as_they_come() -> None:
    digits = plugins.load("datasets", "mnist_5k")
    digits.fetch(digits.Config(), Path("digits"))
    expected = digits.load(digits.Config(), Path("digits"))
    rows = range(0, 5000, 100)
    lines = ["filename,label"]
    for i in rows:
        picture(f"train/{i:04}.png", expected.x[i, 0])
        lines.append(f"{i:04}.png,{expected.labels[i]}")
    Path("photos/train.csv").write_text("\n".join(lines))
    data = load(labels="train.csv", size=28, colour=False)
    np.testing.assert_array_equal(data.x, expected.x[rows])
    np.testing.assert_array_equal(data.labels, expected.labels[rows])
