"""The project's files as one reader sees them: of the working tree, or of a commit."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from narrows.config import inheritance, yaml_file
from narrows.errors import UserError
from narrows.store.reading import read_array, read_arrays

SECTIONS = ("baselines", "autoencoders", "searches", "clusterings", "deep_clusterings")


class Tree:
    """The project's files as they lie in a folder.

    What is missing is no error: the reader of it gets None or nothing.
    """

    def __init__(self, folder: Path = Path(), name: str = "the working tree"):
        self.folder, self.name = folder, name

    def file(self, path: str) -> Path | None:
        """A local file of that content; None where there is none."""
        return self.folder / path if (self.folder / path).is_file() else None

    def text(self, path: str) -> str | None:
        """The content of a file; None where it is missing."""
        file = self.file(path)
        try:
            return file.read_text(encoding="utf-8") if file else None
        except UnicodeDecodeError as error:
            raise UserError(f"{self.name}: {path} is damaged ({error})") from None

    def rows(self, path: str) -> list[dict[str, str]]:
        """Lines of a CSV; none where it is missing."""
        return list(csv.DictReader(io.StringIO(self.text(path) or "")))

    def json(self, path: str) -> Any:
        """The content of a JSON file; None where it is missing."""
        text = self.text(path)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise UserError(f"{self.name}: {path} is no JSON ({error})") from None

    def yaml(self, path: str) -> dict[str, Any]:
        """A mapping; an empty one where the file is missing.

        Raises:
            UserError: it is not valid YAML, or no mapping.
        """
        file = self.file(path)
        content = (yaml_file.read(file) if file else None) or {}
        if not isinstance(content, dict):
            raise UserError(f"{path} of {self.name}: should be a mapping of keys")
        return content

    def array(self, path: str, name: str | None = None) -> np.ndarray | None:
        """An .npy, memory-mapped, or the array `name` of an .npz; None where it is missing."""
        if (file := self.file(path)) is None:
            return None
        if name is None:
            return read_array(file)
        return read_arrays(file)[name]

    def params(self) -> dict[str, Any]:
        """params.yaml with what rows inherit, unchecked: an older one may have had other keys."""
        written: dict[str, Any] = inheritance.written_out(self.yaml("params.yaml"))
        return written

    def row(self, key: str) -> dict[str, Any]:
        """The row of params.yaml with this key, whatever its section; {} where there is none."""
        params = self.params()
        return next((params[s][key] for s in SECTIONS if key in (params.get(s) or {})), {})

    def keys(self) -> list[str]:
        """Keys of all rows of params.yaml."""
        params = self.params()
        return [str(key) for section in SECTIONS for key in params.get(section) or {}]


class Revision(Tree):
    """The project's files of a commit: what git tracks, and DVC's outputs that its cache has."""

    def __init__(self, commit: str, folder: Path):
        from dvc.api import DVCFileSystem

        super().__init__(folder, f"commit {commit[:10]}")
        self.file_system = DVCFileSystem(rev=commit)

    def file(self, path: str) -> Path | None:
        copy = self.folder / path
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.file_system.get_file(path, str(copy))
            except Exception:  # DVC has one of its own for each way in which a file can be missing
                copy.unlink(missing_ok=True)
                return None
        return copy if copy.is_file() else None


@contextmanager
def revision(commit: str) -> Iterator[Revision]:
    """The files of a commit, copied to a temporary folder for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        yield Revision(commit, Path(folder))
