"""Every file verified, wrong ones refused, nothing half-written. Folders stand in for mirrors."""

import gzip
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from narrows.data import mirrors, sources
from narrows.data.sources import File, Mirror, fetch
from narrows.errors import UserError

PIXELS = bytes(range(256)) * 40
LABELS = b"0123456789"


def file_of(content: bytes, name: str) -> File:
    return File(name, hashlib.sha256(content).hexdigest(), len(content))


IMAGE_FILE, LABEL_FILE = file_of(PIXELS, "images-ubyte"), file_of(LABELS, "labels-ubyte")


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "data/raw"


def put(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def good(tmp_path: Path) -> Mirror:
    return mirrors.folder("the good one", put(tmp_path / "good", IMAGE_FILE.name, PIXELS))


def streamed(stream: Any) -> Mirror:
    @contextmanager
    def open_(file: File, scratch: Path) -> Iterator[Any]:
        yield stream

    return Mirror("a stream", open_)


def test_a_verified_file_is_not_fetched_again(raw_dir: Path) -> None:
    def never() -> Iterator[Mirror]:
        raise AssertionError("no mirror should be asked")
        yield

    put(raw_dir, "images-ubyte", PIXELS)
    fetch([IMAGE_FILE], raw_dir, never())
    sources.require([IMAGE_FILE], raw_dir)


def test_a_wrong_file_is_replaced(tmp_path: Path, raw_dir: Path) -> None:
    put(raw_dir, "images-ubyte", PIXELS[:-1])
    with pytest.raises(UserError, match="images-ubyte is not the published file"):
        sources.require([IMAGE_FILE], raw_dir)
    fetch([IMAGE_FILE], raw_dir, [good(tmp_path)])
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS


def test_require_names_a_missing_file(raw_dir: Path) -> None:
    with pytest.raises(UserError, match="images-ubyte is missing; run the stage fetch again"):
        sources.require([IMAGE_FILE], raw_dir)


def test_a_file_that_is_packed_by_name_stays_packed(tmp_path: Path, raw_dir: Path) -> None:
    packed = gzip.compress(PIXELS)
    put(tmp_path, "images-ubyte.gz", packed)
    file = file_of(packed, "images-ubyte.gz")
    fetch([file], raw_dir, [mirrors.folder("it", tmp_path)])
    assert (raw_dir / "images-ubyte.gz").read_bytes() == packed


BOMB = gzip.compress(bytes(50_000_000))
BAD = {
    "corrupt": ("images-ubyte", b"\1" + PIXELS[1:], "with SHA-256"),
    "cut": ("images-ubyte", PIXELS[:100], "sent 100 bytes"),
    "empty": ("images-ubyte", b"", "sent 0 bytes"),
    "longer": ("images-ubyte", PIXELS + b"\0", "more than the 10,240 bytes"),
    "cut gz": ("images-ubyte.gz", gzip.compress(PIXELS)[:-20], "ended before"),
    "corrupt gz": ("images-ubyte.gz", b"\x1f\x8b" + bytes(100), "compression method"),
    "bomb": ("images-ubyte.gz", BOMB, "more than the 10,240 bytes"),
    "web page": ("images-ubyte.gz", b"<html>Log in first</html>", "Not a gzipped file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_and_the_next_mirror_asked(
    case: str, tmp_path: Path, raw_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, why = BAD[case]
    bad = mirrors.folder("the bad one", put(tmp_path / "bad", name, content))
    fetch([IMAGE_FILE], raw_dir, [bad, good(tmp_path)])
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS
    refusal, success = capsys.readouterr().out.splitlines()
    assert refusal.startswith("the bad one: images-ubyte: ")
    assert why in refusal
    assert success.startswith("the good one: images-ubyte, 10,240 bytes in ")


@pytest.mark.parametrize("case", BAD)
def test_a_refused_file_leaves_nothing_behind(case: str, tmp_path: Path, raw_dir: Path) -> None:
    name, content, why = BAD[case]
    with pytest.raises(UserError, match=why):
        fetch([IMAGE_FILE], raw_dir, [mirrors.folder("bad", put(tmp_path / "bad", name, content))])
    assert list(raw_dir.iterdir()) == []


def test_reading_stops_past_the_known_size(raw_dir: Path) -> None:
    class Endless(io.RawIOBase):
        n_reads = 0

        def read(self, size: int = -1) -> bytes:
            self.n_reads += 1
            return bytes(size)

    stream = Endless()
    with pytest.raises(UserError, match="more than the 10,240 bytes"):
        fetch([IMAGE_FILE], raw_dir, [streamed(stream)])
    assert stream.n_reads == 1


def test_an_interrupt_leaves_nothing_behind(raw_dir: Path) -> None:
    class Interrupted(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            if any(raw_dir.iterdir()) and self.seen:
                raise KeyboardInterrupt
            self.seen = True
            return PIXELS[:100]

        seen = False

    with pytest.raises(KeyboardInterrupt):
        fetch([IMAGE_FILE], raw_dir, [streamed(Interrupted())])
    assert list(raw_dir.iterdir()) == []


def test_mirrors_complete_each_other(tmp_path: Path, raw_dir: Path) -> None:
    first = mirrors.folder("first", put(tmp_path / "a", LABEL_FILE.name, LABELS))
    fetch([IMAGE_FILE, LABEL_FILE], raw_dir, [first, good(tmp_path)])
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS
    assert (raw_dir / "labels-ubyte").read_bytes() == LABELS
