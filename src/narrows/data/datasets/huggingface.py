"""A set of Hugging Face's library `datasets`: pictures, texts or a table, from its cache or a hub.

The columns in use are copied once; from then on neither the library nor a network is needed. New
pictures, rows and texts are encoded like those of image_folder, table and text.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from narrows.config import plugins
from narrows.config.plugins import config
from narrows.data.datasets import _drawn, _pictures
from narrows.data.datasets._base import Dataset, NothingLeft, numbered
from narrows.data.datasets._pictures import Shape
from narrows.errors import UserError
from narrows.store.files import atomic_write
from narrows.store.reading import existing

if TYPE_CHECKING:
    import pyarrow as pa

FILE, ROWS, TEXTS, LISTING = "set.json", "rows.parquet", "texts.csv", "listing"
WORDS = {"string", "large_string"}  # types of a column of words
PICTURES, TABLE, TEXT = "pictures", "table", "text"
BLOCK, PICTURE_BLOCK = 10_000, 100  # rows that are copied at once: pictures may be large
NEEDED = "needs the package datasets, which is not installed: pip install datasets"


@config
class Config:
    """Which set, and which of its columns."""

    dataset: str
    """Name on the hub, like ylecun/mnist, or a folder that the library can read."""
    config: str | None = None
    """Its configuration, where it has several."""
    split: str | None = None
    """Its part, also like train+test or train[:10%]; null is train, or the only one."""
    column: str | tuple[str, ...] | None = None
    """A column of pictures or of texts; or columns of a table. null takes the column of pictures
    where there is one, else all as a table."""
    labels: str | None = None
    """Column for scoring only. What has no label is left out."""
    size: Annotated[int, Field(ge=4, le=1024)] | None = None
    """Side of the square in pixels into which every picture is fitted; null keeps that of squares
    of one size, and is 64 otherwise."""


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Copies the columns, unless they lie here from before; those of a folder each time."""
    settings = plugins.resolved(cfg)
    is_folder = Path(cfg.dataset).expanduser().exists()
    if not is_folder and _is_here(raw_dir, settings):
        return
    rows = _opened(cfg)
    kind = kind_of(cfg, rows.features)
    raw_dir.mkdir(parents=True, exist_ok=True)
    for stale in (FILE, ROWS, TEXTS):
        (raw_dir / stale).unlink(missing_ok=True)
    content = {"settings": settings, "kind": kind}
    if kind == PICTURES:
        content["shape"] = _copy_pictures(cfg, rows, raw_dir / ROWS)._asdict()
    elif kind == TEXT:
        _copy_texts(cfg, rows, raw_dir / TEXTS)
    else:
        _copy_table(cfg, rows, raw_dir / ROWS)
    if kind != PICTURES:
        plugin, inner = _inner(cfg, kind, raw_dir)
        plugin.fetch(inner, raw_dir / LISTING)
    content["sha256"] = _digest(raw_dir / (TEXTS if kind == TEXT else ROWS))
    with atomic_write(raw_dir / FILE) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (N, C, size, size), or texts or rows float32 (N, D), in the set's order."""
    content = json.loads(existing(raw_dir / FILE).read_text(encoding="utf-8"))
    if not _is_here(raw_dir, plugins.resolved(cfg)):
        raise UserError(f"{raw_dir} is not what fetch left; run the stage fetch again")
    if content["kind"] != PICTURES:
        plugin, inner = _inner(cfg, content["kind"], raw_dir)
        dataset: Dataset = plugin.load(inner, raw_dir / LISTING)
        return dataset
    shape = Shape(**content["shape"])
    words: dict[str, str] = {}
    pictures = _stored(raw_dir / ROWS, words, has_labels=cfg.labels is not None)
    x, names, skipped = _drawn.fitted(pictures, shape)
    if x is None:
        raise NothingLeft(f"{cfg.dataset} has no picture to learn from", skipped)
    labels, label_names = numbered([words[n] for n in names]) if cfg.labels else (None, None)
    return Dataset(
        x,
        labels,
        is_test=None,
        names=names,
        label_names=label_names,
        skipped=skipped,
        schema=_drawn.schema(shape),
    )


def kind_of(cfg: Config, features: Mapping[str, Any]) -> str:
    """ "pictures", "table" or "text", by the types of the columns.

    Raises:
        UserError: a column is missing, or there is none that can be used.
    """
    for key, name in (("labels", cfg.labels), *(("column", name) for name in _columns(cfg))):
        if name is not None and name not in features:
            raise UserError(
                f"params.yaml: dataset.{key}: {cfg.dataset} has no column {name!r}; it has "
                f"{', '.join(features)}"
            )
    if picture := _picture(cfg, features):
        if len(_columns(cfg)) > 1:
            raise UserError(f"params.yaml: dataset.column: {picture!r} is pictures: take it alone")
        return PICTURES
    if isinstance(cfg.column, str) and _type(features[cfg.column]) in WORDS:
        return TEXT
    if not _table(cfg, features):
        kinds = ", ".join(f"{name} ({_type(kind)})" for name, kind in features.items())
        raise UserError(
            f"params.yaml: dataset.column: accepted are a column of pictures or texts, and columns "
            f"of numbers and words; {cfg.dataset} has {kinds}"
        )
    return TABLE


def features_of(name: str) -> dict[str, str]:
    """Types of a set's columns, by their names: "Image", "ClassLabel", "string", "int64", ...

    Raises:
        UserError: the library is missing, or there is no such set.
    """
    builder = _asked(name, lambda library, place: library.load_dataset_builder(place))
    return {key: _type(kind) for key, kind in (builder.info.features or {}).items()}


def _columns(cfg: Config) -> tuple[str, ...]:
    return (cfg.column,) if isinstance(cfg.column, str) else cfg.column or ()


def _type(feature: Any) -> str:
    """Type of a plain value, like "int64", else the name of the class, like "Image"."""
    name = type(feature).__name__
    return str(feature.dtype) if name == "Value" else name


def _picture(cfg: Config, features: Mapping[str, Any]) -> str | None:
    """The column of pictures."""
    names = _columns(cfg) or features
    return next((name for name in names if _type(features[name]) == "Image"), None)


def _table(cfg: Config, features: Mapping[str, Any]) -> list[str]:
    """Columns of a table: plain values and classes."""
    names = [name for name in _columns(cfg) or features if name != cfg.labels]
    return [
        n
        for n in names
        if _type(features[n]) not in ("binary", "large_binary")
        and type(features[n]).__name__ in ("Value", "ClassLabel")
    ]


def _opened(cfg: Config) -> Any:
    """The part of the set, as the library has it."""
    rows = _asked(
        cfg.dataset, lambda library, place: library.load_dataset(place, cfg.config, split=cfg.split)
    )
    if cfg.split is not None:
        return rows
    names = list(rows)
    if "train" not in names and len(names) != 1:
        raise UserError(f"params.yaml: dataset.split: {cfg.dataset} has {', '.join(names)}")
    return rows["train" if "train" in names else names[0]]


def _asked(name: str, ask: Any) -> Any:
    """What the library answers, its errors as a sentence."""
    try:
        import datasets  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise UserError(f"params.yaml: dataset.name: huggingface {NEEDED}") from None
    place = Path(name).expanduser()
    try:
        return ask(datasets, str(place) if place.exists() else name)
    except Exception as error:  # of files, of networks, of each kind of set
        message = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(
            f"params.yaml: dataset: {name} is not to be had by the library datasets, neither from "
            f"its cache nor from the hub: {message}"
        ) from None


def _copy_pictures(cfg: Config, rows: Any, file: Path) -> Shape:
    """Writes the bytes of all pictures, and their labels; returns what they are made into."""
    import datasets  # type: ignore[import-not-found, unused-ignore]
    import pyarrow as pa
    from PIL import Image

    column = str(_picture(cfg, rows.features))
    rows = rows.cast_column(column, datasets.Image(decode=False))
    looks: list[Image.Image] = []

    def blocks() -> Iterator[pa.Table]:
        for block in _blocks(cfg, rows, [column], PICTURE_BLOCK):
            content = [_bytes(cell, cfg) for cell in block[column].to_pylist()]
            for picture in content[: _drawn.N_LOOKS - len(looks)]:
                try:
                    looks.append(Image.open(io.BytesIO(picture or b""), formats=_pictures.FORMATS))
                except Exception:
                    continue
            block = block.set_column(
                block.column_names.index(column), column, pa.array(content, pa.binary())
            )
            yield block.rename_columns(["picture", "label"][: block.num_columns])

    _write_parquet(blocks(), file)
    return _drawn.shape_of(looks, cfg.size)


def _bytes(cell: Mapping[str, Any] | None, cfg: Config) -> bytes | None:
    """A picture's bytes; those that lie in a file only of the set's own folders."""
    import datasets  # type: ignore[import-not-found, unused-ignore]

    if cell is None or cell["bytes"] is not None or cell["path"] is None:
        return None if cell is None else cell["bytes"]
    file = Path(cell["path"]).resolve()
    cache = (datasets.config.HF_DATASETS_CACHE, datasets.config.HF_CACHE_HOME)
    own = [Path(place).expanduser().resolve() for place in (cfg.dataset, *cache)]
    if not any(file.is_relative_to(place) for place in own):
        return None
    return file.read_bytes() if file.is_file() else None


def _copy_texts(cfg: Config, rows: Any, file: Path) -> None:
    names = [str(cfg.column), *([cfg.labels] if cfg.labels else [])]
    with atomic_write(file) as partial, partial.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(names)
        for block in _blocks(cfg, rows, names[:1]):
            columns = (block[name].to_pylist() for name in names)
            writer.writerows(zip(*columns, strict=True))


def _copy_table(cfg: Config, rows: Any, file: Path) -> None:
    _write_parquet(_blocks(cfg, rows, _table(cfg, rows.features)), file)


def _blocks(cfg: Config, rows: Any, names: list[str], size: int = BLOCK) -> Iterator[pa.Table]:
    """Rows of these columns and of the labels, some at a time, classes as their names."""
    import pyarrow as pa

    names = [*names, *([cfg.labels] if cfg.labels else [])]
    classes = {
        n: rows.features[n].names for n in names if type(rows.features[n]).__name__ == "ClassLabel"
    }
    for block in rows.select_columns(names).with_format("arrow").iter(batch_size=size):
        for name, words in classes.items():
            places = [None if i is None or i < 0 else words[i] for i in block[name].to_pylist()]
            column = pa.array(places, pa.string())
            block = block.set_column(block.column_names.index(name), name, column)
        yield block.select(names)


def _write_parquet(blocks: Iterator[pa.Table], file: Path) -> None:
    from pyarrow import parquet

    with atomic_write(file) as partial:
        writer = None
        for block in blocks:
            block = block.replace_schema_metadata(
                None
            )  # the library's, which would be its own types
            writer = writer or parquet.ParquetWriter(partial, block.schema)
            writer.write_table(block)
        if writer is None:
            raise UserError("params.yaml: dataset: the set has no rows")
        writer.close()


def _stored(
    file: Path, words: dict[str, str], has_labels: bool
) -> Iterator[tuple[str, bytes | str]]:
    """Names and bytes of the pictures, or why there are none; leaves the label of each name."""
    from pyarrow import parquet

    start = 1
    for block in parquet.ParquetFile(file).iter_batches(batch_size=PICTURE_BLOCK):
        labels = block["label"].to_pylist() if has_labels else [""] * len(block)
        for i, (content, label) in enumerate(
            zip(block["picture"].to_pylist(), labels, strict=True)
        ):
            name = f"row {start + i}"
            words[name] = str(label)
            if label is None:
                yield name, "no label"
            else:
                yield name, content or "empty"
        start += len(block)


def _inner(cfg: Config, kind: str, raw_dir: Path) -> tuple[Any, Any]:
    """The plug-in that reads the copy, and its settings."""
    plugin = plugins.load("datasets", kind)
    if kind == TABLE:
        return plugin, plugin.Config(path=str(raw_dir / ROWS), labels=cfg.labels)
    options = {"path": str(raw_dir / TEXTS), "column": cfg.column, "labels": cfg.labels}
    return plugin, plugin.Config(**options)


def _is_here(raw_dir: Path, settings: Mapping[str, Any]) -> bool:
    """Whether the copy of these settings lies here as it was written."""
    try:
        content = json.loads((raw_dir / FILE).read_text(encoding="utf-8"))
        copy = raw_dir / (TEXTS if content["kind"] == TEXT else ROWS)
        return content["settings"] == settings and _digest(copy) == content["sha256"]
    except (OSError, ValueError, KeyError):
        return False


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
