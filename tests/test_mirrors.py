"""Each kind of mirror, alive, hostile and dead. No test leaves this machine."""

import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        assert address[0] == "127.0.0.1", f"a test tried to reach {address}"
        real_connect(self, address)

    real_connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("NARROWS_MIRROR", raising=False)


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "data/raw"


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def answering(reply: bytes) -> Iterator[str]:
    """A host that takes connections, sends `reply`, and then neither sends nor hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(reply)
                held.append(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def put(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def good(tmp_path: Path) -> Mirror:
    return mirrors.folder("the good one", put(tmp_path / "good", IMAGE_FILE.name, PIXELS))


# --- folders and URLs of the user's ---


@pytest.mark.parametrize("sent", ["as it is", "gz"])
@pytest.mark.parametrize("subfolder", ["", "mnist"])
@pytest.mark.parametrize("address", ["path", "file", "http", "http/"])
def test_own_mirror(address: str, subfolder: str, sent: str, tmp_path: Path, raw_dir: Path) -> None:
    home = tmp_path / "my mirror"  # with a space: file:// URLs write it as %20
    if sent == "gz":
        put(home / subfolder, "images-ubyte.gz", gzip.compress(PIXELS))
    else:
        put(home / subfolder, "images-ubyte", PIXELS)
    with serving(home) as url:
        base = {"path": str(home), "file": home.as_uri(), "http": url, "http/": url + "/"}[address]
        fetch([IMAGE_FILE], raw_dir, mirrors.own("mnist", base))
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS
    assert [path.name for path in raw_dir.iterdir()] == ["images-ubyte"]


def test_the_datasets_own_subfolder_comes_first(tmp_path: Path, raw_dir: Path) -> None:
    put(tmp_path, "images-ubyte", b"of another dataset")
    put(tmp_path / "mnist", "images-ubyte", PIXELS)
    fetch([IMAGE_FILE], raw_dir, mirrors.own("mnist", str(tmp_path)))
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS


def test_dataset_mirror_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWS_MIRROR", "/theirs")
    assert [m.name for m in mirrors.own("mnist", "/mine")] == [
        "/mine (dataset.mirror)",
        "/theirs (NARROWS_MIRROR)",
    ]
    assert [m.name for m in mirrors.own("mnist", None)] == ["/theirs (NARROWS_MIRROR)"]


def test_a_mirror_of_unknown_kind_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"dataset\.mirror: 's3://bucket' is no mirror; accepted"):
        list(mirrors.own("mnist", "s3://bucket"))


@pytest.mark.parametrize("base", ["http://[", "http://host:port", "http://a b"])
def test_a_base_that_is_no_url_is_a_reason(base: str, raw_dir: Path) -> None:
    with pytest.raises(UserError, match="no mirror gave images-ubyte"):
        fetch([IMAGE_FILE], raw_dir, mirrors.own("mnist", base))


def test_an_uninstalled_package_is_named() -> None:
    with pytest.raises(UserError, match="lies in the Python package no_such_package"):
        mirrors.installed("no_such_package", "data")


# --- hosts that are not there, or hang ---


def test_a_dead_mirror_fails_at_once_and_once(
    tmp_path: Path, raw_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = put(tmp_path / "good", LABEL_FILE.name, LABELS)
    start = time.monotonic()
    fetch(
        [IMAGE_FILE, LABEL_FILE],
        raw_dir,
        [mirrors.web("dead", closed_port()), good(tmp_path), mirrors.folder("next", both)],
    )
    assert time.monotonic() - start < 10
    assert (raw_dir / "labels-ubyte").read_bytes() == LABELS
    assert capsys.readouterr().out.count("dead: ") == 1  # not asked again for the second file


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"", "timed out"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 10240\r\n\r\nabc", "timed out"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0"),
    ],
    ids=["says nothing", "stalls", "no web server"],
)
def test_a_host_that_hangs_is_given_up(
    reply: bytes, why: str, tmp_path: Path, raw_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "SILENCE_S", 0.2)
    with answering(reply) as url:
        start = time.monotonic()
        with pytest.raises(UserError, match=why):
            fetch([IMAGE_FILE], raw_dir, [mirrors.web("it", url)])
        assert time.monotonic() - start < 10
        fetch([IMAGE_FILE], raw_dir, [mirrors.web("it", url), good(tmp_path)])
    assert (raw_dir / "images-ubyte").read_bytes() == PIXELS


def test_when_all_fail_one_message_lists_what_each_said(tmp_path: Path, raw_dir: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as url, pytest.raises(UserError) as failure:
        fetch(
            [IMAGE_FILE, LABEL_FILE],
            raw_dir,
            [
                mirrors.folder("nowhere", tmp_path / "nowhere"),
                mirrors.folder("cut", put(tmp_path / "cut", "images-ubyte", PIXELS[:7])),
                mirrors.web("dead", closed_port()),
                mirrors.web("empty", url),
            ],
        )
    assert str(failure.value).splitlines() == [
        f"no mirror gave images-ubyte, labels-ubyte, wanted in {raw_dir}:",
        f"  nowhere: there is no folder {tmp_path / 'nowhere'}",
        f"  cut: images-ubyte: sent 7 bytes with SHA-256 "
        f"{hashlib.sha256(PIXELS[:7]).hexdigest()}, not {IMAGE_FILE.sha256}",
        "  cut: labels-ubyte: not there",
        "  dead: [Errno 111] Connection refused",
        "  empty: images-ubyte: answered HTTP 404",
        "  empty: labels-ubyte: answered HTTP 404",
        "Put them into a folder, as they are or as .gz, and name it in NARROWS_MIRROR.",
    ]
    assert list(raw_dir.iterdir()) == []
