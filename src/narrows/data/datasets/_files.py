"""A user's files: found, hashed and listed in raw/files.csv, where DVC sees what changed.

Nothing is copied but a CSV of labels. `fetch` looks at every file's size and times in each `dvc
repro` and reads again only those that changed, so that a folder that is as it was costs a walk
through it.
"""

from __future__ import annotations

import contextlib
import csv
import fnmatch
import functools
import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from narrows.data import spread
from narrows.data.datasets._base import NothingLeft, Part, Skipped, aside
from narrows.errors import UserError
from narrows.rendering import progress
from narrows.store import outputs, project
from narrows.store.files import atomic_write, write_csv
from narrows.store.reading import existing

LISTING = "files.csv"
Also = Callable[[str, IO[bytes]], None]
S = TypeVar("S")
T = TypeVar("T")
EXCLUDED = (
    "@eaDir",
    "@Recycle",
    "@Recently-Snapshot",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "__MACOSX",
    ".thumbnails",
    "System Volume Information",
    "lost+found",
)
"""Folders that a NAS, an archive or a system puts among a user's files."""
N_THREADS = min(16, os.cpu_count() or 1)  # hashing and decoding let go of Python's lock

TOGETHER = 8  # files that a thread is handed at once


class ListedFile(NamedTuple):
    """A file of the user's as it was when it was listed."""

    path: str
    """Path relative to the folder, with / between its parts."""
    size: int
    """Number of bytes."""
    sha256: str
    """SHA-256 of the content, in hex; empty where there is a problem."""
    problem: str
    """Why it cannot be used, empty if it can."""


def located(path: str, key: str = "dataset.path") -> Path:
    """A path of params.yaml with ~ expanded, which has to exist; see `project.locate`."""
    place = project.locate(path)
    if not place.exists():
        raise UserError(f"params.yaml: {key}: there is no {place}")
    return place


def find(
    path: Path,
    suffixes: Collection[str],
    ignored: Collection[Path] = (),
    is_remembered: bool = True,
    exclude: Sequence[str] = (),
    also: Also | None = None,
) -> list[ListedFile]:
    """Every file below a folder, or the one file, by path; hidden ones are not looked at.

    Args:
        suffixes: in lower case with their dot; other files are problems, and so are links,
            special files and names that cannot be written as UTF-8.
        ignored: files that are left out of the list.
        is_remembered: keeps sizes and times in .work, for the next look.
        exclude: patterns of names, or of paths where there is a / in them, beside `EXCLUDED`; a
            folder that matches is a problem and is not entered.
    """
    root = path if path.is_dir() else path.parent
    cache_file = outputs.WORK / "listings" / f"{_name_of(path.resolve())}.json"
    try:
        cache = json.loads(cache_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        cache = {}
    look = functools.partial(_look, root, cache, also)
    files = _files_below(path, suffixes, ignored, exclude)
    pairs = sorted(in_threads(look, files), key=lambda pair: pair[0].path)
    if is_remembered:
        cache = {file.path: [state, file.sha256] for file, state in pairs if state}
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        _replace(cache_file, json.dumps(cache).encode())
    return [file for file, _ in pairs]


def _look(
    root: Path, cache: Mapping[str, Any], also: Also | None, entry: tuple[Path, str]
) -> tuple[ListedFile, list[int]]:
    """A file that was found, with its problem, as it is listed; and size and times by which it is
    known again, none where it cannot be used."""
    file, problem = entry
    name = os.fsencode(file.relative_to(root)).decode("utf-8", "backslashreplace")
    name = name.replace(os.sep, "/")
    if problem:
        return ListedFile(name, 0, "", problem), []
    try:
        status = file.stat()
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        known = cache.get(name)
        if known and known[0] == state:
            return ListedFile(name, status.st_size, known[1], ""), state
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if also:
                also(digest, stream)
        return ListedFile(name, status.st_size, digest, ""), state
    except OSError as error:
        return ListedFile(name, 0, "", f"cannot be read: {error.strerror}"), []


def look_at(root: Path, files: Sequence[Path]) -> list[ListedFile]:
    """Some files below a folder that can be used, as `find` would list them; by path."""
    return sorted(_look(root, {}, None, (file, ""))[0] for file in files)


def listed(path: Path, suffixes: Collection[str]) -> list[tuple[Path, str]]:
    """Every file below a folder that `find` would list, and its problem, empty if there is none;
    no file is opened."""
    return list(_walk(path, suffixes, EXCLUDED))


def _files_below(
    path: Path, suffixes: Collection[str], ignored: Collection[Path], exclude: Sequence[str]
) -> list[tuple[Path, str]]:
    """Files and their problems, without those that are ignored."""
    if path.is_dir():
        files = list(_walk(path, suffixes, (*EXCLUDED, *exclude)))
    else:
        files = [(path, _problem(path, path.is_file(), suffixes))]
    skip = {os.path.realpath(file) for file in ignored}
    names = {file.name for file in ignored}  # looked at first: a real path costs system calls
    return [
        (file, problem)
        for file, problem in files
        if file.name not in names or os.path.realpath(file) not in skip
    ]


def fetch(
    files: Sequence[ListedFile], raw_dir: Path, copies: Mapping[str, Path] | None = None
) -> None:
    """Leaves the listing in raw_dir, and copies of small files by name, and nothing else."""
    copies = copies or {}
    raw_dir.mkdir(parents=True, exist_ok=True)
    write_csv(raw_dir / LISTING, [ListedFile._fields, *files], quoted=True)
    for name, file in copies.items():
        _replace(raw_dir / name, file.read_bytes())
    for stray in raw_dir.iterdir():
        if stray.name not in {LISTING, *copies}:
            stray.unlink()


def read(raw_dir: Path) -> list[ListedFile]:
    """The listing that `fetch` left."""
    file = existing(raw_dir / LISTING)
    with file.open(newline="", encoding="utf-8") as stream:
        _, *rows = csv.reader(stream)
    return [ListedFile(path, int(size), sha256, problem) for path, size, sha256, problem in rows]


@contextlib.contextmanager
def open_listed(root: Path, file: ListedFile) -> Iterator[IO[bytes]]:
    """The file's bytes, which have to be those that were listed."""
    try:
        with (root / file.path).open("rb") as stream:
            _check(root, file, hashlib.file_digest(stream, "sha256").hexdigest())
            stream.seek(0)
            yield stream
    except FileNotFoundError:
        raise _gone(root, file) from None


def content(root: Path, file: ListedFile) -> bytes:
    """The same bytes, read once, of a file that is small."""
    try:
        whole = (root / file.path).read_bytes()
    except FileNotFoundError:
        raise _gone(root, file) from None
    _check(root, file, hashlib.sha256(whole).hexdigest())
    return whole


def _check(root: Path, file: ListedFile, sha256: str) -> None:
    if sha256 != file.sha256:
        raise UserError(f"{root / file.path} changed after fetch; run `dvc repro` again")


def _gone(root: Path, file: ListedFile) -> UserError:
    return UserError(f"{root / file.path} went away after fetch; run `dvc repro` again")


def usable(files: Sequence[ListedFile]) -> tuple[list[ListedFile], list[Skipped]]:
    """Files worth reading, and those that are not: problems, empty ones, repeated bytes."""
    first: dict[str, str] = {}
    used, skipped = [], []
    for file in files:
        if file.problem:
            skipped.append(Skipped(file.path, file.problem))
        elif file.size == 0:
            skipped.append(Skipped(file.path, "empty"))
        elif file.sha256 in first:
            skipped.append(Skipped(file.path, f"duplicate: of {first[file.sha256]}"))
        else:
            first[file.sha256] = file.path
            used.append(file)
    return used, skipped


def in_parts(files: Sequence[ListedFile], n: int) -> Iterator[Part]:
    """Consecutive files, at most n that can be used in a part, and the others between them; what
    is repeated says so as its problem, since a part does not know the others."""
    _, skipped = usable(files)
    problems = dict(skipped)
    marked = [file._replace(problem=problems.get(file.path, "")) for file in files]
    start, n_used, n_before = 0, 0, 0
    for at, file in enumerate(marked):
        if n_used == n and not file.problem:
            yield Part(n_used, n_before, marked[start:at])
            start, n_used, n_before = at, 0, n_before + n_used
        n_used += not file.problem
    yield Part(n_used, n_before, marked[start:])


def none_left(root: Path, kind: str, skipped: Sequence[Skipped], advice: str = "") -> NothingLeft:
    """The sentence for a folder of which nothing can be used."""
    message = f"params.yaml: dataset.path: {root} has no {kind} to learn from{aside(skipped)}"
    return NothingLeft(message, skipped, advice)


def in_order(
    root: Path, files: Sequence[ListedFile], use: Callable[[ListedFile, IO[bytes]], T]
) -> Iterator[T]:
    """What `use` makes of each file, in their order, some files at a time."""

    def open_and_use(file: ListedFile) -> T:
        with open_listed(root, file) as stream:
            return use(file, stream)

    return in_threads(open_and_use, files)


def side_by_side(use: Callable[[Sequence[S]], list[T]], items: Sequence[S]) -> Iterator[T]:
    """The same by processes where there are many items and `spread` may start them.

    Args:
        use: results for some items; picklable, as items and results are.
    """
    if not spread.is_worth_it(len(items)):
        yield from in_threads(lambda item: use([item])[0], items)
        return
    yield from progress.counted("files", spread.of_many(use, items), len(items))


def in_threads(use: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
    """Results of a function in the order of the items, computed by several threads."""
    with ThreadPoolExecutor(N_THREADS) as pool:
        starts = range(0, len(items), 1000)  # so that no more results wait
        parts = (_mapped(pool, use, items[start : start + 1000]) for start in starts)
        yield from progress.counted("files", chain.from_iterable(parts), len(items))


def _mapped(pool: ThreadPoolExecutor, use: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
    """The same of some items, a few together: to hand one to a thread takes as long as half of what
    is done with a small file."""
    groups = (items[start : start + TOGETHER] for start in range(0, len(items), TOGETHER))
    return chain.from_iterable(pool.map(lambda own: [use(item) for item in own], groups))


def composed(text: str) -> str:
    """The text with each letter and its accents as one character (NFC), however it came: a Mac
    writes names of files with the accents apart."""
    return unicodedata.normalize("NFC", text)


def _walk(
    top: Path, suffixes: Collection[str], exclude: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """Files and their problems; folders are entered unless they are links or excluded."""
    root = top.resolve()
    patterns = [composed(pattern).strip("/") for pattern in exclude]
    # a stack and no recursion: folders may be deeper than Python's calls
    waiting: list[tuple[Path, os.DirEntry[str] | None]] = [(top, None)]
    while waiting:
        file, entry = waiting.pop()
        if entry and (pattern := _excluded_by(patterns, file, top)):
            yield file, f"excluded: {pattern}"
        elif entry and entry.is_symlink():
            yield file, _link(file, root)
        elif entry and not entry.is_dir():
            yield file, _problem(file, entry.is_file(follow_symlinks=False), suffixes)
        else:
            try:
                inside = sorted(os.scandir(file), key=lambda inner: inner.name, reverse=True)
            except OSError as error:
                yield file, f"cannot be read: {error.strerror}"
                continue
            waiting += [(Path(i.path), i) for i in inside if not i.name.startswith(".")]


def _excluded_by(patterns: Sequence[str], file: Path, top: Path) -> str:
    """The first of the patterns (NFC) that a file or a folder matches; empty if none."""
    name = composed(file.name)
    for pattern in patterns:
        whole = composed(file.relative_to(top).as_posix()) if "/" in pattern else name
        if fnmatch.fnmatchcase(whole, pattern):
            return pattern
    return ""


def _problem(file: Path, is_regular: bool, suffixes: Collection[str]) -> str:
    if not is_regular:
        return "not a regular file"
    if os.fsencode(file.name).decode("utf-8", "ignore") != file.name:
        return "its name is not UTF-8"
    if file.suffix.lower() not in suffixes:
        return f"another kind of file: {file.suffix.lower() or 'no suffix'}"
    return ""


def _link(file: Path, root: Path) -> str:
    try:
        target = file.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    if target.is_relative_to(root):
        return f"a link: to {target.relative_to(root).as_posix() or '.'}, which is in the folder"
    return "a link that leads out of the folder"


def _name_of(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _replace(file: Path, content: bytes) -> None:
    with atomic_write(file) as partial:
        partial.write_bytes(content)
