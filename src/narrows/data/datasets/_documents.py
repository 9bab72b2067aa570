"""Documents of your own: a folder of .txt files, or a column of a CSV, as text with names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from narrows.data.datasets import _files
from narrows.data.datasets._base import Skipped
from narrows.data.datasets._files import Found
from narrows.errors import UserError

FOLDERS = "folders"
SUFFIXES = {".txt", ".text", ".md"}
CSV = {".csv", ".tsv"}


class Documents(NamedTuple):
    texts: list[str]
    names: list[str]
    labels: list[str] | None
    skipped: list[Skipped]


def find(path: Path, is_remembered: bool = True) -> list[Found]:
    """The files that `read` takes."""
    suffixes = SUFFIXES if path.is_dir() else SUFFIXES | CSV
    return _files.find(path, suffixes, is_remembered=is_remembered)


def read(
    path: Path, found: Sequence[Found], column: str | None, labels: str | None, separator: str
) -> Documents:
    """Documents and their names: paths in the folder, or "row 1" and so on of a CSV.

    Args:
        column: of a CSV, where the text is.
        labels: `folders`, or a column of the CSV; those without a label are left out.
    """
    if path.is_dir() or path.suffix.lower() not in CSV:
        return _folder(path if path.is_dir() else path.parent, found, labels)
    if column is None:
        raise UserError(f"params.yaml: dataset.column is missing: which column of {path} is text?")
    return _table(path, found, column, labels, separator)


def _folder(root: Path, found: Sequence[Found], labels: str | None) -> Documents:
    if labels not in (None, FOLDERS):
        raise UserError(
            f"params.yaml: dataset.labels: accepted are folders and null, found {labels!r}"
        )
    kept, skipped = _files.usable(found)
    if labels:
        skipped += [Skipped(one.path, "no label") for one in kept if not _folder_of(one)]
        kept = [one for one in kept if _folder_of(one)]
    texts, names, told = [], [], []
    read = _files.in_order(root, kept, lambda one, stream: stream.read())
    for one, content in zip(kept, read, strict=True):
        text = _decoded(content)
        if text.strip():
            texts.append(text)
            names.append(one.path)
            told.append(_folder_of(one))
        else:
            skipped.append(Skipped(one.path, "empty"))
    if not texts:
        raise _files.none_left(root, "document", skipped)
    return Documents(texts, names, told if labels else None, skipped)


def _table(
    path: Path, found: Sequence[Found], column: str, labels: str | None, separator: str
) -> Documents:
    if found[0].problem:
        raise UserError(f"{path}: {found[0].problem}")
    with _files.opened(path.parent, found[0]) as stream:
        text = _decoded(stream.read())
    csv.field_size_limit(1 << 30)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    columns = list(reader.fieldnames or ())
    for key, name in (("column", column), ("labels", labels)):
        if name and name not in columns:
            raise UserError(
                f"params.yaml: dataset.{key}: {path} has no column {name!r}; it has "
                f"{', '.join(columns) or 'none'}"
            )
    documents = Documents([], [], [] if labels else None, [])
    seen: dict[str, str] = {}
    for i, row in enumerate(_lines(reader, path), start=1):
        content, name = (row[column] or "").strip(), f"row {i}"
        if not content:
            documents.skipped.append(Skipped(name, "empty"))
        elif content in seen:
            documents.skipped.append(Skipped(name, f"duplicate: of {seen[content]}"))
        elif labels and not row[labels]:
            documents.skipped.append(Skipped(name, "no label"))
        else:
            seen[content] = name
            documents.texts.append(content)
            documents.names.append(name)
            if documents.labels is not None and labels:
                documents.labels.append(row[labels])
    if not documents.texts:
        raise _files.none_left(path, "document", documents.skipped)
    return documents


def _lines(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(f"{path}: not a table that can be read: {error}") from None


def _decoded(content: bytes) -> str:
    """UTF-8, or where it is not, Windows' Western letters."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _folder_of(one: Found) -> str:
    return PurePosixPath(one.path).parent.name
