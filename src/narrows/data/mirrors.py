"""The kinds of mirrors: a folder, a base URL, a package of npm's or Debian's.

All of them may send `<name>` or `<name>.gz`; the latter is unpacked on the way.
"""

import gzip
import http.client
import os
import subprocess
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from narrows.data.sources import File, Mirror, Readable, Refused, Unreachable
from narrows.errors import UserError
from narrows.store import project

SILENCE_S = 10  # a host that neither connects nor sends for so long is given up
TOOL_S = 300  # one call of npm, apt-get or dpkg-deb, download included
SENT_AS: dict[str, Callable[[IO[bytes]], Readable]] = {
    "": lambda stream: stream,
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
}


def own(dataset: str, mirror: str | None) -> Iterator[Mirror]:
    """Mirrors of the user's: `dataset.mirror`, then NARROWS_MIRROR; a folder or a base URL.

    A file is looked for in their subfolder `dataset` first, then in themselves.
    """
    named = {
        "dataset.mirror": mirror,
        "NARROWS_MIRROR": os.environ.get("NARROWS_MIRROR"),
    }
    for key, base in named.items():
        if not base:
            continue
        scheme = base.partition("://")[0] if "://" in base else ""
        name = f"{base} ({key})"
        if scheme in ("http", "https"):
            yield web(name, f"{base.rstrip('/')}/{dataset}", base.rstrip("/"))
        elif scheme in ("file", ""):
            path = urllib.request.url2pathname(urlsplit(base).path) if scheme else base
            place = project.locate(path)
            yield folder(name, place / dataset, place)
        else:
            raise UserError(
                f"{key}: {base!r} is no mirror; accepted are a folder, file://, http://, https://"
            )


def installed(package: str, subfolder: str) -> Mirror:
    """Files inside an installed Python package, which is located without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"this dataset lies in the Python package {package}: install it first")
    return folder(f"the Python package {package}", Path(spec.origin).parent / subfolder)


def folder(name: str, *places: Path) -> Mirror:
    """Folders of this machine."""

    @contextmanager
    def open_(file: File, scratch: Path) -> Iterator[Readable]:
        if not any(place.is_dir() for place in places):
            raise Unreachable(f"there is no folder {places[-1]}")
        for place in places:
            for suffix, unpack in SENT_AS.items():
                path = place / f"{file.name}{suffix}"
                if path.is_file():
                    with path.open("rb") as stream:
                        yield unpack(stream)
                    return
        raise Refused("not there")

    return Mirror(name, open_)


def web(name: str, *places: str) -> Mirror:
    """Base URLs, without a slash at their end."""

    @contextmanager
    def open_(file: File, scratch: Path) -> Iterator[Readable]:
        for place in places:
            for suffix, unpack in SENT_AS.items():
                try:
                    answer = urllib.request.urlopen(
                        f"{place}/{file.name}{suffix}", timeout=SILENCE_S
                    )
                except urllib.error.HTTPError as error:
                    error.close()
                    status = error.code
                except (OSError, http.client.HTTPException, ValueError) as error:  # or no URL
                    raise Unreachable(getattr(error, "reason", error)) from None
                else:
                    with answer:
                        yield unpack(answer)
                    return
        raise Refused(f"answered HTTP {status}")

    return Mirror(name, open_)


def npm(package: str, subfolder: str) -> Mirror:
    """A folder of a package that npm downloads; `package` is `name@version`."""

    @contextmanager
    def open_(file: File, scratch: Path) -> Iterator[Readable]:
        pack = ["npm", "pack", package, "--loglevel=error", "--logs-max=0", "--fetch-retries=1"]
        with _downloaded("*.tgz", scratch, pack).open("rb") as archive:
            with _member(archive, subfolder, file) as stream:
                yield stream

    return Mirror(f"npm {package}", open_)


def apt(package: str, subfolder: str) -> Mirror:
    """A folder of a Debian package: downloaded and read, not installed, so nobody needs root."""

    @contextmanager
    def open_(file: File, scratch: Path) -> Iterator[Readable]:
        (scratch / "lists/partial").mkdir(parents=True, exist_ok=True)
        options = [f"Dir::State::Lists={scratch}/lists", f"Dir::Cache={scratch}/cache"]
        options += ["Debug::NoLocking=1", f"Acquire::http::Timeout={SILENCE_S}"]
        apt_get = ["apt-get", *(word for option in options for word in ("-o", option))]
        # the machine's own lists may be empty or root's: hence the private ones
        deb = _downloaded("*.deb", scratch, [*apt_get, "update"], [*apt_get, "download", package])
        unpack = ["dpkg-deb", "--fsys-tarfile", str(deb)]
        with subprocess.Popen(unpack, stdout=subprocess.PIPE) as unpacking:
            assert unpacking.stdout is not None
            watchdog = threading.Timer(TOOL_S, unpacking.kill)
            watchdog.start()
            try:
                with _member(unpacking.stdout, subfolder, file) as stream:
                    yield stream
            finally:
                watchdog.cancel()
                unpacking.kill()  # the rest of the archive is of no interest

    return Mirror(f"apt-get {package}", open_)


@contextmanager
def _member(archive: IO[bytes], subfolder: str, file: File) -> Iterator[Readable]:
    """The content of one member of a tar stream; nothing else of it is read into memory."""
    members = {f"{subfolder}/{file.name}{suffix}": unpack for suffix, unpack in SENT_AS.items()}
    with tarfile.open(fileobj=archive, mode="r|*") as tar:
        for member in tar:
            unpack = members.get(member.name.removeprefix("./"))
            if unpack is None:
                continue
            content = tar.extractfile(member) if member.isreg() else None  # no links
            if content is None:
                raise Refused(f"{member.name} is no plain file")
            yield unpack(content)
            return
    raise Refused(f"holds no {subfolder}/{file.name}")


def _downloaded(pattern: str, scratch: Path, *commands: list[str]) -> Path:
    """The file that the commands leave in `scratch`; they run once, for the first file wanted."""
    if not any(scratch.glob(pattern)):
        for command in commands:
            _run(command, scratch)
    for path in scratch.glob(pattern):
        return path
    raise Unreachable(f"{commands[-1][0]} left no {pattern}")


def _run(command: list[str], cwd: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TOOL_S,
        )
    except OSError as error:
        raise Unreachable(f"{command[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} took more than {TOOL_S} s") from None
    if done.returncode:
        words = done.stderr.replace("npm error", "").split()
        raise Unreachable(f"{command[0]} failed: {' '.join(words)[:200]}")
