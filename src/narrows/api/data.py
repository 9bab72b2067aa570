"""Samples and their splits for the functions of `import narrows`; labels come only when called."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.api.rows import Words, plugin
from narrows.config import params, plugins
from narrows.config.messages import plural
from narrows.config.plugins import Plugin
from narrows.config.sections import SAMPLES
from narrows.data import look, names, new_files, originals, prepared, splits
from narrows.data.datasets._base import Dataset, Original, counted, numbered
from narrows.data.prepared import Prepared
from narrows.data.scaling import Scaling
from narrows.errors import UserError, say
from narrows.rendering import progress
from narrows.store.digests import name_of
from narrows.store.reading import read_array, read_schema

CHANNELS = (1, 3)


class Shares(NamedTuple):
    """How samples are split."""

    test_fraction: float
    """Share of all samples that is tested on."""
    val_fraction: float
    """Share of the others that is held out for validation."""
    seed: int

    def assign(self, n_x: int, is_test: np.ndarray | None) -> np.ndarray:
        """The split of each sample (n_x,)."""
        return splits.assign(n_x, is_test, *self)


USUAL_SHARES = Shares(0.2, 0.125, 0)


@dataclass(frozen=True, eq=False, repr=False)
class Data(Prepared):
    """Samples `x`, (N, C, H, W) or (N, D), and the split of each, `split` (N,): 0 is train, 1
    validation, 2 test.

    Pictures are stored as uint8, all else as float32 in [0, 1]; `scaling` says how it came there.
    """

    scaling: Scaling | None = None
    """How an array's values came to [0, 1]; None where they are stored as they were."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """What a data set says of its columns; empty for pictures and arrays."""
    _labels: np.ndarray | Path | None = None
    _names: Sequence[str] | Path | None = None

    def __repr__(self) -> str:
        return f"Data({plural(len(self), 'sample')} of {self.x.shape[1:]}, {self.x.dtype})"

    def __len__(self) -> int:
        return len(self.x)

    def labels(self) -> np.ndarray | None:
        """Ground truth (N,), int64, for scoring only; None where there is none. No other function
        of this package looks at it but `score`."""
        if isinstance(self._labels, Path):
            labels = read_array(self._labels, mmap=False)
            return labels if len(labels) else None
        return self._labels

    def names(self) -> Sequence[str] | None:
        """Name of every sample: path of a picture within its folder, identifier of a table's row;
        None where samples have none."""
        if isinstance(self._names, Path):
            known = names.read(self._names, len(self))
            return known.paths if known else None
        return self._names


@progress.watch("load_data")
def load_data(
    source: str | np.ndarray | Any,
    *,
    labels: Any = None,
    pretrained: Plugin | Words | None = None,
    test_fraction: float | None = None,
    val_fraction: float | None = None,
    split_seed: int | None = None,
    **options: Any,
) -> Data:
    """Samples with train, validation and test splits.

    Args:
        source: name of a data set ("mnist_5k", "image_folder", ...); a folder, a file or a set that
            others have, as `narrows new --data` takes them ("~/Photos", "customers.csv",
            "torchvision:CIFAR10"); or an array of numbers: pictures (N, H, W), (N, C, H, W) or
            (N, H, W, C) of 1 or 3 channels, or a table (N, D). Pictures in uint8 and values in
            [0, 1] stay; others are scaled from least to largest, a table's columns each alone.
        labels: for scoring only: of an array (N,), numbers or words; of a data set its key.
        pretrained: an encoder that others trained, like "efficientnet_lite" for photographs, or
            its keys: its features of the originals take the place of the samples.
        test_fraction: share of all samples that is the test split, unless the data set brings one;
            0.2 if not given.
        val_fraction: share of the other samples that is the validation split; 0.125 if not given.
        split_seed: of the splits; 0 if not given.
        options: keys of the data set, as below `dataset:` in params.yaml, like path="~/Photos".
            The folder .work, here, keeps sizes and times of your files for the next look.

    Returns:
        The samples. Where a name is all that is said, and this folder's `data/<name>` has been
        prepared by the pipeline, they are memory-mapped from there, with its splits.

    Raises:
        UserError: no such data set, an option that it does not take, no mirror can be reached, or
            an array that is none of numbers, not finite, or too short to be split.
    """
    parts = (test_fraction, val_fraction, split_seed)
    chosen = (b if a is None else a for a, b in zip(parts, USUAL_SHARES, strict=True))
    shares = Shares(*chosen)  # type: ignore[arg-type]
    encoder = plugin("pretrained", pretrained) if pretrained else None
    if not isinstance(source, str | os.PathLike):
        if options:
            raise UserError(f"{sorted(options)[0]!r} is an option of a data set, not of an array")
        data = of_array(source, labels, shares)
        return _features(data, encoder, originals.of_array(data.x)) if encoder else data
    name, keys = _named(os.fspath(source))
    options = {**keys, **options} | ({} if labels is None else {"labels": labels})
    if parts == (None, None, None) and not options and not encoder and _is_prepared(name):
        return opened(name)
    return _new(name, options, shares, encoder)


def of_array(source: Any, labels: Any, shares: Shares) -> Data:
    """An array of numbers as samples, split and scaled."""
    x, scaling = scaled(as_samples(source))
    truth = None if labels is None else _numbers(labels, len(x))
    return Data("array", x, shares.assign(len(x), None), "", scaling=scaling, _labels=truth)


def opened(name: str, input: str = SAMPLES) -> Data:
    """data/<name> as the pipeline has prepared it, or features of it; raises `UserError` where a
    file is missing."""
    data, folder = prepared.read(name, input), Path("data", name)
    schema = read_schema(folder) if (folder / "schema").exists() else {}
    labels = folder / "labels.npy"
    return Data(
        data.name,
        data.x,
        data.split,
        data.digest,
        data.input,
        schema=schema if input == SAMPLES else {},
        _labels=labels if labels.exists() else None,
        _names=folder / "samples.csv",
    )


def as_samples(x: Any) -> np.ndarray:
    """An array of numbers as samples (N, C, H, W) or (N, D).

    >>> as_samples(np.zeros((5, 8, 9))).shape, as_samples(np.zeros((5, 8, 9, 3))).shape
    ((5, 1, 8, 9), (5, 3, 8, 9))
    """
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise UserError(f"x should be numbers, found {array.dtype}")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in CHANNELS and array.shape[3] in CHANNELS:
        array = np.moveaxis(array, 3, 1)
    if array.ndim not in (2, 4) or not array.size:
        raise UserError(
            "x should be pictures (N, H, W), (N, C, H, W) or (N, H, W, C), or a table (N, D), "
            f"found {array.shape}"
        )
    return array


def picture_shape(shape: Any, n_values: int) -> tuple[int, int, int] | None:
    """Shape (C, H, W) of pictures of this shape; None for rows of a table."""
    if shape is None:
        return None
    sides = (1, *shape) if len(shape) == 2 else tuple(shape)
    if len(sides) != 3 or sides[0] not in CHANNELS or np.prod(sides) != n_values:
        raise UserError(
            f"pictures are (H, W) or (C, H, W), of 1 or 3 channels and here of {n_values} values, "
            f"found {tuple(shape)}"
        )
    return sides


def scaled(x: np.ndarray) -> tuple[np.ndarray, Scaling | None]:
    """Samples as they are stored, and how they came there; None for what stays as it is."""
    if x.ndim == 4 and x.dtype == np.uint8:
        return np.ascontiguousarray(x), None
    scaling = Scaling.of(x)  # refuses what is not finite
    if x.min() >= 0 and x.max() <= 1:
        return np.ascontiguousarray(x, np.float32), None
    return scaling.to_unit(x), scaling


def stored(x: Any, shape: tuple[int, ...], dtype: str, scaling: Scaling | None) -> np.ndarray:
    """New samples in the units of known ones, as those are stored.

    Args:
        x: (N, ...), in one of the layouts of `load_data`.
        shape: of one stored sample.
        dtype: of the stored samples.
        scaling: of the known samples.
    """
    array = np.asarray(x)
    if array.shape[1:] != shape:
        array = as_samples(array)
    if array.shape[1:] != shape or not len(array):
        raise UserError(f"samples are of shape {shape}, found an array {np.shape(x)}")
    if scaling is None:
        return new_files.as_stored(array, np.dtype(dtype))
    if not np.isfinite(array).all():
        raise UserError("samples have values that are not finite")
    return scaling.to_unit(array)


def _named(source: str) -> tuple[str, dict[str, Any]]:
    """Name of a data set, and the keys that `look` proposes where a folder, a file or a set that
    others have is named."""
    if plugins.is_available("datasets", source):
        return source, {}
    dataset = look.look(source).dataset
    return dataset["name"], {key: value for key, value in dataset.items() if key != "name"}


def _is_prepared(name: str) -> bool:
    return all(Path("data", name, file).exists() for file in ("x.npy", "split.npy"))


def _new(
    name: str, options: Mapping[str, Any], shares: Shares, encoder: Plugin | None = None
) -> Data:
    """A data set that is fetched and split; published files are remembered in the user's cache.
    What was left out or changed is printed."""
    source = params.plugin("datasets", {**options, "name": name})
    parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    raw = Path(parent, "narrows", f"{name}-{name_of(plugins.resolved(source))[:12]}", "raw")
    source.module.fetch(source.config, raw)
    dataset: Dataset = source.module.load(source.config, raw)
    dataset = dataset if encoder else dataset.without_blank()
    left_out = [f"skipped {counted(dataset.skipped)}"] if dataset.skipped else []
    for sentence in (*left_out, *dataset.warnings):
        say(f"{name}: {sentence}")
    split = shares.assign(len(dataset.x), dataset.is_test)
    data = Data(
        name,
        dataset.x,
        split,
        "",
        schema=dataset.schema,
        _labels=dataset.labels,
        _names=dataset.names,
    )
    if encoder is None:
        return data
    names = dataset.names or ()
    return _features(data, encoder, originals.of(source, dataset.schema, data.x, names, raw))


def _features(data: Data, encoder: Plugin, samples: Sequence[Original]) -> Data:
    """The same data with features in place of its samples."""
    from narrows.models.features import extract

    x = np.concatenate([*extract(encoder, samples, "auto")])
    scaling = Scaling.of(x, together=True)
    return dataclasses.replace(
        data, x=scaling.to_unit(x), scaling=scaling, schema={}, input=encoder.name
    )


def _numbers(labels: Any, n_x: int) -> np.ndarray:
    """Labels of an array as int64 (N,); words are numbered."""
    array = np.asarray(labels)
    if array.shape != (n_x,):
        raise UserError(f"labels should be ({n_x},) as x, found {array.shape}")
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    return numbered([str(label) for label in array.tolist()])[0]
