"""What lies at a place that a user names: which example fits it, and what `dataset:` says then.

Names, sizes, headers and first rows are looked at; no picture is decoded and no table read, so that
100,000 files take about a second.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from narrows.config import plugins
from narrows.config.messages import plural
from narrows.data import glance, table_head
from narrows.data.datasets import _arrays, _documents, _files, _pictures
from narrows.data.datasets._base import Skipped, aside
from narrows.data.table_head import Head
from narrows.data.tables import first_line
from narrows.data.tables.reading import PARQUET
from narrows.errors import UserError

PICTURES = _pictures.SUFFIXES | _pictures.HEIC
TEXTS = _documents.SUFFIXES
ARRAYS = {_arrays.NPY, _arrays.NPZ}
EXCEL = {".xlsx", ".xls", ".ods"}
TABLES = {".csv", ".tsv"} | PARQUET
ELSEWHERE = ("torchvision", "huggingface")  # what stands before a colon
ACCEPTED = (
    "a folder of pictures or of .txt, a .csv, .tsv, .parquet, .npy or .npz, torchvision:<name>, "
    "huggingface:<name>, or the name of a data set that comes along"
)
"""What `look` takes."""
ANOTHER_KIND = "another kind of file"  # as _files has it
MOST_INSIDE = 0.9  # share of files in folders whose names may be labels
LEAST = 6  # samples, for at least one in each split by the examples' shares
FEW = 3  # files that may be a readme and a licence
MOST_OTHERS = 3  # columns beside one of long texts, above which it is a remark in a table
LABEL_WORDS = frozenset("label labels class classes target y category species diagnosis".split())
N_LISTED = 6
PHOTOS, SENTENCES = "photos", "sentences"  # examples with encoders that others trained
MOST_LETTERS = 500  # of a line


@dataclass(frozen=True)
class Proposal:
    """What a project for this data begins with."""

    example: str
    """The example of params.yaml whose rows fit."""
    dataset: dict[str, Any]
    """Keys of `dataset:`, `name` first; a path is absolute."""
    labels: str | None = None
    """What `labels:` could be, for a comment: labels are for scoring only, and nobody but the user
    knows whether these are any."""
    n_samples: int | None = None
    """Number of samples, of a large table about; None where a look does not say it."""
    lines: tuple[str, ...] = field(default=())
    """At most ten sentences on what is there, and what would be left out."""


def look(place: str) -> Proposal:
    """What a project for this data would begin with.

    Args:
        place: a folder of pictures or of texts; a table, an array; torchvision:<name>,
            huggingface:<name>; or the name of a data set that comes along.

    Raises:
        UserError: nothing is there, or nothing that can be used; says what is accepted. Or there is
            too little of it.
    """
    proposal = _look(place)
    if proposal.n_samples is not None and proposal.n_samples < LEAST:
        raise too_few(proposal.dataset["path"], proposal.dataset["name"], proposal.n_samples)
    return dataclasses.replace(proposal, lines=tuple(map(_plain, proposal.lines)))


def too_few(path: Any, name: str, n_samples: int, skipped: Sequence[Skipped] = ()) -> UserError:
    """The sentence for data of a kind that has fewer than `LEAST` samples.

    >>> too_few("letters", "text", 1, [Skipped("a.txt", "empty")]).args[0].partition(";")[0]
    'letters has 1 document to learn from (skipped: 1 empty)'
    """
    what = {"image_folder": "picture", "text": "document"}.get(name, "row")
    return UserError(
        f"{path} has {plural(n_samples, what)} to learn from{aside(skipped)}; at least {LEAST} are "
        "needed, because some train, some choose and some test"
    )


def _look(place: str) -> Proposal:
    scheme, _, name = place.partition(":")
    if not place.strip() or "\0" in place:
        raise UserError(f"{place[:200]!a} names no data; accepted are {ACCEPTED}")
    try:
        place.encode()
        path = Path(os.path.abspath(Path(place).expanduser()))
    except UnicodeError:
        raise UserError(f"{place[:200]!a} is no path: names are UTF-8") from None
    except RuntimeError as error:  # no such user
        raise UserError(f"{place[:200]}: {error}") from None
    if not os.path.lexists(path):
        if name and scheme in ELSEWHERE:
            return {"torchvision": _torchvision, "huggingface": _huggingface}[scheme](name)
        return _built_in(place, path)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        kind = "a link that leads nowhere" if path.is_symlink() else "neither a file nor a folder"
        raise UserError(f"{path} is {kind}")
    return _file(path)


def _built_in(name: str, path: Path) -> Proposal:
    """A data set whose plug-in needs nothing but its name."""
    known = [
        kind
        for kind in plugins.available("datasets")
        if not _needed(plugins.load("datasets", kind).Config)
    ]
    if name not in known:
        near = difflib.get_close_matches(name, known)
        if path.parent.is_dir() and os.access(path.parent, os.R_OK):
            near += [str(path.parent / n) for n in _close(path.name, os.listdir(path.parent))]
        hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
        hint = hint or f"; accepted are {ACCEPTED}: {', '.join(known)}"
        raise UserError(f"there is no {str(path)[:200]}{hint}")
    about = (plugins.load("datasets", name).__doc__ or name).partition("\n")[0]
    example = {"points": "points"}.get(name, "image_folder")
    return Proposal(example, {"name": name}, lines=(f"{name}: {about}",))


def _needed(config: Any) -> list[str]:
    """Keys without a default."""
    missing = dataclasses.MISSING
    return [
        item.name
        for item in dataclasses.fields(config)
        if item.default is missing and item.default_factory is missing
    ]


def _torchvision(name: str) -> Proposal:
    from narrows.data.datasets import torchvision

    torchvision.require_name(name)
    root = torchvision.Config(dataset=name).root
    dataset = {"name": "torchvision", "dataset": name, "root": root, "download": True}
    line = f"torchvision's {name}: taken from {root}, or downloaded into it if it is not there"
    return Proposal("image_folder", dataset, lines=(line,))


def _huggingface(name: str) -> Proposal:
    from narrows.data.datasets import huggingface

    features = huggingface.features_of(name)
    dataset: dict[str, Any] = {"name": "huggingface", "dataset": name}
    classes = [key for key, kind in features.items() if kind == "ClassLabel"]
    words = [key for key, kind in features.items() if kind in huggingface.WORDS]
    columns = ", ".join(f"{key} ({kind})" for key, kind in list(features.items())[:20])
    lines = [f"huggingface's {name}: {columns or 'its columns are known once it is downloaded'}"]
    example = "image_folder" if "Image" in features.values() else "table"
    if example == "table" and len(words) == 1 and len(features) - len(classes) == 1:
        example, dataset["column"] = "text", words[0]
    return _with_labels(example, dataset, classes, lines)


def _folder(path: Path) -> Proposal:
    files = _files.listed(path, PICTURES | TEXTS | TABLES | ARRAYS)
    if files and files[0][0] == path:
        raise UserError(f"{path} {files[0][1]}")
    by_suffix: dict[str, list[Path]] = {}
    left_out: Counter[str] = Counter()
    for file, problem in files:
        if problem:
            kind, _, detail = problem.partition(": ")
            left_out[detail if kind == ANOTHER_KIND else kind.removeprefix("a ")] += 1
        else:
            by_suffix.setdefault(file.suffix.lower(), []).append(file)
    if find_spec("pillow_heif") is None:
        for suffix in _pictures.HEIC & set(by_suffix):
            left_out[f"{suffix} (needs the package pillow-heif)"] += len(by_suffix.pop(suffix))
    pictures, texts, others = (
        {suffix: by_suffix[suffix] for suffix in sorted(by_suffix) if suffix in kind}
        for kind in (PICTURES, TEXTS, TABLES | ARRAYS)
    )
    is_text = _n_files(texts) > _n_files(pictures)
    chosen = texts if is_text else pictures
    if others and _n_files(chosen) < FEW:
        names = [str(file) for group in others.values() for file in group]
        raise UserError(
            f"{path} has tables or arrays: name the one to learn from, {_listed(names)}"
        )
    left_out += Counter({s: len(group) for s, group in by_suffix.items() if s not in chosen})
    n_others = _n_files(pictures if is_text else texts)
    if not chosen:
        why = f"nothing that can be used ({_counted(left_out)})" if files else "no files in it"
        raise UserError(f"{path} has {why}; accepted are {ACCEPTED}")
    proposal = _proposed(path, chosen, left_out, is_text)
    if n_others > FEW:
        others_are = plural(n_others, "picture" if is_text else "document")
        hint = f"{others_are} would be a project of their own: name a folder without the others"
        return dataclasses.replace(proposal, lines=(*proposal.lines, hint))
    return proposal


def _proposed(
    path: Path, files: Mapping[str, Sequence[Path]], left_out: Counter[str], is_text: bool
) -> Proposal:
    """Of a folder with files that can be used, by suffix."""
    folders = Counter(file.parent for group in files.values() for file in group)
    where = f" in {len(folders):,} folders" if len(folders) > 1 else ""
    suffixes = _counted(Counter({suffix: len(group) for suffix, group in files.items()}))
    kind = "document" if is_text else "picture"
    lines = [f"{path}: {plural(folders.total(), kind)}{where} ({suffixes})"]
    if left_out:
        lines.append(f"left out: {_counted(left_out)}")
    labels, about = _folder_labels(path, folders)
    if labels is None and not is_text:
        labels, about = _label_table(path)
    name = "text" if is_text else "image_folder"
    every = sorted(file for group in files.values() for file in group)
    example = name
    if is_text and glance.are_english(every):
        example = SENTENCES
    elif not is_text and glance.are_in_colour(every):
        example = PHOTOS
    n_samples = folders.total()
    return Proposal(example, {"name": name, "path": str(path)}, labels, n_samples, (*lines, *about))


def _folder_labels(path: Path, folders: Counter[Path]) -> tuple[str | None, list[str]]:
    """Whether the names of the folders that files lie in may be labels, and lines on it."""
    names: Counter[str] = Counter()
    for folder, n_files in folders.items():
        if folder != path:
            names[folder.name] += n_files
    n_inside = names.total()
    if len(names) < 2 or n_inside < MOST_INSIDE * folders.total() or n_inside < 2 * len(names):
        return None, []
    return "folders", [f"folders whose names may be labels: {_counted(names)}", _hint("folders")]


def _label_table(path: Path) -> tuple[str | None, list[str]]:
    """A CSV in the folder that has labels of its pictures, and a line on it."""
    for file in sorted(path.glob("*.csv"))[:20]:
        columns = table_head.read(file).columns if file.is_file() else []
        if {"filename", "label"} <= set(columns):
            return file.name, [f"{file.name} may have labels of the pictures", _hint(file.name)]
    return None, []


def _file(path: Path) -> Proposal:
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        return _array(path)
    if suffix in PICTURES:
        raise UserError(f"{path} is one picture; name its folder")
    if suffix in EXCEL:
        raise UserError(f"{path}: save it as .csv or .parquet")
    if suffix in TABLES:
        return _table(path, table_head.read(path))
    if suffix in TEXTS:
        head = table_head.read(path)
        if suffix == ".txt" and len(head.columns) > 1:
            return _table(path, head)
        raise UserError(f"{path} is one document; name its folder, or a .csv with a row for each")
    raise UserError(
        f"{path}: {suffix or 'no suffix'} is no kind of file that can be used; accepted are "
        f"{ACCEPTED}"
    )


def _table(path: Path, head: Head) -> Proposal:
    """A table, or a column of long texts in one."""
    if not head.columns or not head.n_rows:
        raise UserError(f"{path} has no rows")
    about = "about " if head.is_estimate else ""
    lines = [
        f"{path}: a table of {about}{plural(head.n_rows, 'row')} and "
        f"{plural(len(head.columns), 'column')}",
        f"columns: {_listed(head.columns)}",
    ]
    if head.separator and (remark := first_line.remark(head.columns, head.decimal)):
        lines.append(remark)
    labels = [c for c in head.columns if c.lower() in LABEL_WORDS and c not in head.texts]
    dataset: dict[str, Any] = {"name": "table", "path": str(path)}
    separator = {} if head.separator in (",", "") else {"separator": head.separator}
    decimal = {} if head.decimal == "." else {"decimal": head.decimal}
    skip_rows = {"skip_rows": head.skip_rows} if head.skip_rows else {}
    can_be_text = path.suffix.lower() in _documents.CSV and not skip_rows
    others = [c for c in head.columns if c not in head.texts and c not in labels]
    if head.texts:
        lines.append(f"columns of long texts: {_listed(head.texts)}")
    if head.texts and can_be_text and len(others) <= MOST_OTHERS:
        lines.append(f"taken as documents, by column {head.texts[0]!r}; name: table takes the rest")
        dataset = {"name": "text", "path": str(path), "column": head.texts[0], **separator}
    else:
        dataset |= separator | decimal | skip_rows
        if head.texts:
            how = "with name: text and column:" if can_be_text else "saved as .csv without a title"
            lines.append(f"groups of long texts are better found in them as documents, {how}")
    is_text = dataset["name"] == "text"
    example = SENTENCES if is_text and head.is_english else dataset["name"]
    return _with_labels(example, dataset, labels, lines, head.n_rows)


def _array(path: Path) -> Proposal:
    """An array: rows of numbers, or pictures."""
    from narrows.data.datasets import array

    headers = _arrays.headers(path)
    numbers = {
        name: header
        for name, header in headers.items()
        if len(header.shape) > 1 and header.dtype.kind in _arrays.NUMBERS and 0 not in header.shape
    }
    listed = ", ".join(f"{name} {h.dtype} {h.shape}".strip() for name, h in headers.items())
    if not numbers:
        raise UserError(
            f"{path}: samples are an array of numbers (N, D), (N, H, W) or (N, C, H, W); it has "
            f"{listed[:300] or 'no array'}"
        )
    # the first of the largest: x_train goes before x_test
    key = max(numbers, key=lambda name: numbers[name].shape[0])
    header = numbers[key]
    labels = [n for n, h in headers.items() if n != key and _is_one_each(h, header.shape[0])]
    dataset: dict[str, Any] = {"name": "array", "path": str(path)}
    if len(headers) > 1:
        dataset["key"] = key
    lines, example = [f"{path}: {listed[:300]}"], "array"
    try:
        layout = array.layout_of(header.shape, "auto", path)
    except UserError:
        dataset["layout"] = array.ROWS
        lines.append("it cannot be seen what its axes are: taken as flat rows, see layout:")
    else:
        kind = "rows of numbers" if layout.name == array.ROWS else f"pictures, {layout.name}"
        lines.append(f"{key or path.name} is taken as {header.shape[0]:,} {kind}")
        example = example if layout.name == array.ROWS else "image_folder"
    return _with_labels(example, dataset, labels, lines, header.shape[0])


def _with_labels(
    example: str,
    dataset: dict[str, Any],
    labels: Sequence[str],
    lines: Sequence[str],
    n_samples: int | None = None,
) -> Proposal:
    """A proposal with the first of what may be labels."""
    if not labels:
        return Proposal(example, dataset, None, n_samples, tuple(lines))
    return Proposal(example, dataset, labels[0], n_samples, (*lines, _hint(labels[0])))


def _is_one_each(header: _arrays.Header, n_samples: int) -> bool:
    """Whether an array may be labels: one number or word for each sample."""
    return header.shape in ((n_samples,), (n_samples, 1)) and header.dtype.kind in "biufUS"


def _hint(labels: str) -> str:
    """A line on what could be labels."""
    return f"`labels: {labels}` would score the clusters by them; nothing is learned from labels"


def _n_files(by_suffix: Mapping[str, Sequence[Path]]) -> int:
    return sum(map(len, by_suffix.values()))


def _close(name: str, names: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, [n for n in names if n.isprintable()])


def _counted(counts: Counter[str]) -> str:
    """The most frequent first, and how many others there are."""
    first = ", ".join(f"{n:,} {word}" for word, n in counts.most_common(N_LISTED))
    rest = counts.total() - sum(n for _, n in counts.most_common(N_LISTED))
    return first + (f" and {rest:,} others" if rest else "")


def _listed(words: Sequence[str]) -> str:
    first = ", ".join(words[: 2 * N_LISTED])
    return first + (f" and {len(words) - 2 * N_LISTED:,} more" if len(words) > 2 * N_LISTED else "")


def _plain(line: str) -> str:
    """A line without what would move a terminal's cursor, and not too long: names are anything."""
    return "".join(letter if letter.isprintable() else " " for letter in line)[:MOST_LETTERS]
