"""Whether `prepare` will take a user's data, asked before a project is made of it.

The functions that `prepare` calls read the data, so that what they refuse is refused in the same
words: all of it where it is small, and else a few of the files or the beginning of the table. What
they leave on the disk is thrown away. Samples have to be enough for every split, as in `look`, but
without those that are skipped.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from narrows.config.plugins import Plugin
from narrows.data import glance, look
from narrows.data.datasets import _arrays, _documents, _files, _pictures, table
from narrows.data.datasets._base import Dataset, NothingLeft
from narrows.data.tables import reading
from narrows.errors import UserError

SMALL = 4 * 2**20
"""Bytes of data that are read as a whole: in a second or two."""
MANY = 500
"""Files of them, at most."""
SUFFIXES = {"image_folder": _pictures.SUFFIXES | _pictures.HEIC, "text": _documents.SUFFIXES}
RAW = Path("raw")
KEY = "params.yaml: dataset.path: "


def rehearse(dataset: Plugin) -> None:
    """Reads data that lies on this machine as `fetch` and `prepare` will; other data is let be.

    Args:
        dataset: of the family `datasets`; a `path` of it is absolute.

    Raises:
        UserError: what `fetch` or `prepare` would say, or how few samples are left and why.
    """
    if not (path := getattr(dataset.config, "path", None)):
        return
    try:
        _rehearse(dataset, Path(path))
    except UserError as error:  # there is no params.yaml yet
        problem = error.problem if isinstance(error, NothingLeft) else str(error)
        raise UserError(problem.removeprefix(KEY)) from None


def _rehearse(dataset: Plugin, path: Path) -> None:
    files = _files_in(path, dataset.name) if path.is_dir() else [path]
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        if not _are_small(files):
            if not path.is_dir():
                _begin(dataset, path)
                return
            with contextlib.suppress(UserError):  # of a few files: others may do
                _files.fetch(_files.look_at(path, glance.some(files)), RAW)
                _load(dataset, path)
                return
        dataset.module.fetch(dataset.config, RAW)
        _load(dataset, path)


def _load(dataset: Plugin, path: Path) -> None:
    """Reads what is listed as samples, which have to be enough."""
    data: Dataset = dataset.module.load(dataset.config, RAW).without_blank()
    if len(data.x) < look.LEAST:
        raise look.too_few(path, dataset.name, len(data.x), data.skipped)


def _files_in(path: Path, name: str) -> list[Path]:
    """The files of a folder that can be samples."""
    return [file for file, problem in _files.listed(path, SUFFIXES[name]) if not problem]


def _are_small(files: Sequence[Path]) -> bool:
    """Whether files are little to read; where they are not, not all of them are looked at."""
    n_bytes = 0
    sizes = (file.stat().st_size for file in files)
    return len(files) <= MANY and all((n_bytes := n_bytes + size) <= SMALL for size in sizes)


def _begin(dataset: Plugin, path: Path) -> None:
    """Reads the first rows of a large table; of a large array, whether it is as long as it says."""
    if dataset.name == "table":
        with path.open("rb") as stream:
            reading.read(stream, path, table.layout_of(dataset.config), is_beginning=True)
    elif path.suffix.lower() == _arrays.NPY:
        _arrays.opened(path)
