"""Documents of your own: a folder of .txt files, or a column of a CSV, as text with names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from narrows.data import decoding
from narrows.data.datasets import _files
from narrows.data.datasets._base import Part, Skipped
from narrows.data.datasets._files import ListedFile, composed
from narrows.data.tables.reading import NO_TABLE
from narrows.errors import UserError

FOLDERS = "folders"
SUFFIXES = {".txt", ".text", ".md"}
CSV = {".csv", ".tsv"}


class Documents(NamedTuple):
    """Documents that can be used, and what was left out."""

    texts: list[str]
    """Text of every document."""
    names: list[str]
    """Path in the folder, or row of the CSV, of every document."""
    labels: list[str] | None
    """Label of every document; None without labels."""
    skipped: list[Skipped]
    """What was left out."""
    remarks: list[str]
    """How the letters were read where the files are not UTF-8."""


def find(path: Path, exclude: Sequence[str], is_remembered: bool = True) -> list[ListedFile]:
    """The files that `read` takes, without those that match a pattern."""
    suffixes = SUFFIXES if path.is_dir() else SUFFIXES | CSV
    return _files.find(path, suffixes, is_remembered=is_remembered, exclude=exclude)


def read(
    path: Path, files: Sequence[ListedFile], column: str | None, labels: str | None, separator: str
) -> Documents:
    """Documents and their names: paths in the folder, or "row 1" and so on of a CSV.

    Args:
        column: column of a CSV with the text.
        labels: `folders`, or a column of the CSV; documents without a label are left out.
    """
    if not is_table(path):
        return _folder(path if path.is_dir() else path.parent, files, labels)
    if column is None:
        raise UserError(f"params.yaml: dataset.column is missing: which column of {path} is text?")
    return _table(path, files, column, labels, separator)


def is_table(path: Path) -> bool:
    """Whether documents are the rows of this file."""
    return not path.is_dir() and path.suffix.lower() in CSV


def in_parts(documents: Documents, n: int) -> Iterator[Part]:
    """Documents of a table, n at a time; what was left out goes with the first ones."""
    for start in range(0, len(documents.texts), n):
        rows = slice(start, start + n)
        left_out = (documents.skipped, documents.remarks) if start == 0 else ([], [])
        some = Documents(documents.texts[rows], documents.names[rows], None, *left_out)
        yield Part(len(some.texts), start, some)


def file_of(path: Path, name: str) -> Path | None:
    """The file of the document that `read` has named so; None for a row of a CSV."""
    if path.is_dir():
        return path / name
    return None if is_table(path) else path


def _folder(root: Path, files: Sequence[ListedFile], labels: str | None) -> Documents:
    if labels not in (None, FOLDERS):
        raise UserError(
            f"params.yaml: dataset.labels: accepted are folders and null, found {labels!r}"
        )
    used, skipped = _files.usable(files)
    if labels:
        skipped += [Skipped(file.path, "no label") for file in used if not _folder_of(file)]
        used = [file for file in used if _folder_of(file)]
    texts, names, folders = [], [], []
    by_remark: dict[str, list[str]] = {}
    contents = _files.in_order(root, used, lambda _, stream: stream.read())
    for file, content in zip(used, contents, strict=True):
        text, encoding = decoding.decode(content)
        if not text.strip():
            skipped.append(Skipped(file.path, "empty"))
        elif "\0" in text:
            skipped.append(Skipped(file.path, "no text: it has zero bytes"))
        else:
            texts.append(text)
            names.append(file.path)
            folders.append(_folder_of(file))
            by_remark.setdefault(decoding.remark(encoding), []).append(file.path)
    if not texts:
        raise _files.none_left(root, "document", skipped)
    remarks = [
        f"{len(paths):,} of {len(texts):,} documents, for example {paths[0]}: {remark}"
        for remark, paths in by_remark.items()
        if remark
    ]
    return Documents(texts, names, folders if labels else None, skipped, remarks)


def _table(
    path: Path, files: Sequence[ListedFile], column: str, labels: str | None, separator: str
) -> Documents:
    (file,) = files
    if file.problem:
        raise UserError(f"{path}: {file.problem}")
    with _files.open_listed(path.parent, file) as stream:
        text, encoding = decoding.decode(stream.read())
    csv.field_size_limit(1 << 30)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    columns = reader.fieldnames = [composed(name) for name in reader.fieldnames or ()]
    column, labels = composed(column), composed(labels) if labels else None
    for key, name in (("column", column), ("labels", labels)):
        if name and name not in columns:
            raise UserError(
                f"params.yaml: dataset.{key}: {path} has no column {name!r}; it has "
                f"{', '.join(columns) or 'none'}"
            )
    remark = decoding.remark(encoding)
    remarks = [f"{path}: {remark}"] if remark else []
    documents = Documents([], [], [] if labels else None, [], remarks)
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
                documents.labels.append(composed(row[labels]))
    if not documents.texts:
        raise _files.none_left(path, "document", documents.skipped)
    return documents


def _lines(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(f"{path}: {NO_TABLE}: {error}") from None


def _folder_of(file: ListedFile) -> str:
    return composed(PurePosixPath(file.path).parent.name)
