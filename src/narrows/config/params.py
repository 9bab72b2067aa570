"""params.yaml, typed and checked: the one place where YAML becomes Python.

Every stage loads the whole file, so a typo under `clusterings` already stops `fetch`. A key
nobody reads, a missing key, a wrong type or a value out of range is one sentence with its path.
"""

import dataclasses
import functools
import re
import typing
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, PlainValidator, PositiveInt

from narrows.config import plugins, search_space, yaml_file
from narrows.config.messages import abbreviated, cut, nearest
from narrows.config.plugins import Plugin, config
from narrows.config.sections import (
    ChooseK,
    Clustering,
    DeepClustering,
    Evaluate,
    Prepare,
    Search,
    Seeds,
)
from narrows.errors import UserError

KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")  # keys of rows become folders and names of stages
SEEDS = 2**32  # numpy's RandomState, which scikit-learn draws from, takes no larger ones


def _k(value: Any) -> Any:
    if value == "auto" or (type(value) is int and value >= 2):
        return value
    text = abbreviated(value)
    raise ValueError(f"n_clusters: accepted are auto and numbers from 2 on, found {text}")


@config
class Params:
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0, lt=SEEDS)]
    """Seeds splits, weights, shuffling, noise and clusterers: one seed, one result on a CPU."""
    device: Literal["auto", "cpu", "cuda", "mps"]
    """Where training runs; auto takes an accelerator where there is one."""
    devices: PositiveInt
    """Number of devices on one machine that train an autoencoder together, a process on each."""
    num_nodes: PositiveInt
    """Number of machines that train an autoencoder together; docs/guides/machines.md says how."""
    dataset: Annotated[Plugin, "datasets"]
    """Where the data comes from, a file in src/narrows/data/datasets/."""
    prepare: Prepare
    """How samples are split into train, val and test."""
    n_clusters: Annotated[int | Literal["auto"], PlainValidator(_k)]
    """Number k of clusters for the methods that need one; never read off the labels. `auto` takes
    what stage `choose_k` recommends."""
    baselines: dict[str, Annotated[Plugin, "baselines"]]
    """Encoders that need no training, the rows that every autoencoder has to beat."""
    autoencoders: dict[str, Annotated[Plugin, "autoencoders"]]
    """Encoders that are trained; src/narrows/models/autoencoders/_base.py has the keys of a row."""
    searches: dict[str, Search]
    """Studies: rows whose values Optuna tunes. The winner is an encoder under the study's key."""
    evaluate: Evaluate
    """What is measured on every encoder without labels."""
    choose_k: ChooseK
    """Which numbers of clusters are compared, and where."""
    cluster_on: Literal["all", "train"]
    """Samples that clusterers are fitted on; `train` keeps validation and test for scoring."""
    clusterings: dict[str, Clustering]
    """Which codes are clustered, and how."""
    deep_clusterings: dict[str, DeepClustering]
    """Encoders that are refined together with their clusters."""
    seeds: Seeds
    """Which clusterings are computed from several seeds, encoders too, for mean and spread."""

    def __post_init__(self) -> None:
        either, trained = "baselines, autoencoders or searches", "autoencoders or searches"
        tuned = {**self.autoencoders, **self.searches}
        encoders = {either: {**self.baselines, **tuned}, trained: tuned}
        named: list[tuple[str, Any, str]] = [("choose_k", self.choose_k, either)]
        named += [(f"clusterings.{key}", row, either) for key, row in self.clusterings.items()]
        deep = self.deep_clusterings.items()
        named += [(f"deep_clusterings.{key}", row, trained) for key, row in deep]
        for path, row, where in named:
            if row.encoder not in encoders[where]:
                raise ValueError(
                    f"{path}.encoder: {abbreviated(row.encoder)} is no row of "
                    f"{where}{nearest(row.encoder, encoders[where])}"
                )
        for key, search in self.searches.items():
            self._try_out(key, search)
        for i, seed in enumerate(self.seeds.values):
            if seed >= SEEDS:
                text = abbreviated(seed)
                raise ValueError(f"seeds.values.{i}: should be less than {SEEDS}, found {text}")
        rows = {**self.clusterings, **self.deep_clusterings}
        for key in self.seeds.rows:
            if key not in rows:
                raise ValueError(
                    f"seeds.rows: {abbreviated(key)} is no row of clusterings or deep_clusterings"
                    f"{nearest(key, rows)}"
                )

    def _try_out(self, key: str, search: Search) -> None:
        """The ends of every range and every choice, so that no trial meets a misspelt key."""
        if search.row not in self.autoencoders:
            row, known = abbreviated(search.row), nearest(search.row, self.autoencoders)
            raise ValueError(f"searches.{key}.row: {row} is no row of autoencoders{known}")
        row = plugins.resolved(self.autoencoders[search.row])
        for changes in search_space.corners(search.space):
            try:
                _plugin("autoencoders", search_space.changed(row, changes), "row")
            except (UserError, ValueError) as error:
                problem = str(error).removeprefix("row.")
                raise ValueError(
                    f"searches.{key}: with {abbreviated(changes)}: {problem}"
                ) from None


def load(path: Path = Path("params.yaml")) -> Params:
    """Reads and checks the whole file, and nothing else.

    Raises:
        UserError: one sentence with the file, the key's path, what was found, what is accepted.
    """
    raw = yaml_file.read(path)
    try:
        return from_dict(raw)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def from_dict(raw: Any) -> Params:
    """Checks a mapping of the shape of params.yaml; raises `UserError` as `load` does."""
    params: Params = _build(Params, raw, "")
    for sections in (
        ("baselines", "autoencoders", "searches"),
        ("clusterings", "deep_clusterings"),
    ):
        for first, second in combinations(sections, 2):  # keys are names of the same folders
            if both := sorted(getattr(params, first).keys() & getattr(params, second).keys()):
                raise UserError(f"{both[0]!r} stands under {first} and under {second}")
    return params


def plugin(family: str, raw: Any) -> Plugin:
    """A plug-in as `plugins.resolved` wrote it down."""
    return _plugin(family, raw, family)


def select(rows: dict[str, Any], key: str, section: str) -> Any:
    """The row with a key; raises `UserError` where the section has none."""
    if key not in rows:
        raise UserError(f"{section} has no row {key!r}{nearest(key, rows)}; it has {list(rows)}")
    return rows[key]


def _build(hint: Any, raw: Any, where: str) -> Any:
    """`raw` as the type `hint`; plug-ins, dataclasses and tables of rows are built inside out."""
    if typing.get_origin(hint) is Annotated and typing.get_args(hint)[0] is Plugin:
        return _plugin(typing.get_args(hint)[1], raw, where)
    if dataclasses.is_dataclass(hint):
        return _fill(hint, _mapping(raw, where), where)
    if typing.get_origin(hint) is dict:
        for key in _mapping(raw, where):
            if not (isinstance(key, str) and KEY.fullmatch(key)):
                raise UserError(f"{where}: {abbreviated(key)} is no name: use a-z, 0-9, - and _")
        return {k: _build(typing.get_args(hint)[1], v, f"{where}.{k}") for k, v in raw.items()}
    if typing.get_origin(hint) is tuple and isinstance(raw, list):
        item = typing.get_args(hint)[0]
        return tuple(_build(item, value, f"{where}.{i}") for i, value in enumerate(raw))
    return tuple(raw) if isinstance(raw, list) else raw


def _plugin(family: str, raw: Any, where: str) -> Plugin:
    rest = dict(_mapping(raw, where))
    name = rest.pop("name", None)
    if not (isinstance(name, str) and plugins.is_available(family, name)):
        names = plugins.available(family)
        unknown = f"{abbreviated(name)} is not known{nearest(name, names)}"
        problem = "is missing" if name is None else unknown
        raise UserError(f"{where}.name {problem}; accepted are {', '.join(names)}")
    return Plugin(family, name, _fill(plugins.load(family, name).Config, rest, where))


def _fill(cls: Any, raw: dict[str, Any], where: str) -> Any:
    hints = _hints(cls)
    dot = f"{where}." if where else ""
    for key in raw:
        if key not in hints:
            accepted = f"accepted are {', '.join(hints)}" if hints else "it takes no key but name"
            raise UserError(f"{dot}{cut(key)} is not known{nearest(key, hints)}; {accepted}")
    for field in dataclasses.fields(cls):
        has_default = {field.default, field.default_factory} != {dataclasses.MISSING}
        if field.name not in raw and not has_default:
            raise UserError(f"{dot}{field.name} is missing")
    values = {key: _build(hints[key], value, f"{dot}{key}") for key, value in raw.items()}
    try:
        return cls(**values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":  # a cross-check of our own, already a sentence
            raise UserError(f"{dot}{first['ctx']['error']!s}") from None
        path = ".".join(str(part) for part in first["loc"])
        problem, text = first["msg"][0].lower() + first["msg"][1:], abbreviated(first["input"])
        raise UserError(f"{dot}{path}: {problem}, found {text}") from None


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def _mapping(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        text = abbreviated(raw)
        raise UserError(f"{where or 'the file'} should be a mapping of keys, found {text}")
    return raw
