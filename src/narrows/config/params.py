"""params.yaml, typed and checked: the one place where YAML becomes Python.

Every stage loads the whole file, so a typo under `clusterings` already stops `fetch`. A key
nobody reads, a missing key, a wrong type or a value out of range is one sentence with its path.
"""

import dataclasses
import functools
import re
import typing
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, PlainValidator, PositiveInt

from narrows.config import inheritance, plugins, search_space, yaml_file
from narrows.config.inheritance import LIKE, SECTIONS
from narrows.config.messages import abbreviated, cut, nearest, refusal
from narrows.config.plugins import Plugin, config
from narrows.config.sections import (
    SAMPLES,
    ChooseK,
    Clustering,
    DeepClustering,
    Evaluate,
    Prepare,
    Search,
    Seed,
    Seeds,
)
from narrows.errors import UserError

KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")  # keys of rows become names of folders
LARGEST = 10**6
"""Largest whole number of a row where its `Config` sets no bound: no code, layer or batch is meant
to be larger, and a slip of the keyboard would end in a message about memory."""
MAX_CORNERS = 2000  # each is tried out whenever the file is read


def _k(value: Any) -> Any:
    if value == "auto" or (type(value) is int and value >= 2):
        return value
    text = abbreviated(value)
    raise ValueError(f"n_clusters: accepted are auto and numbers from 2 on, found {text}")


_K = PlainValidator(_k, json_schema_input_type=Annotated[int, Field(ge=2)] | Literal["auto"])


@config
class Params:
    """All of params.yaml."""

    seed: Seed
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
    pretrained: dict[str, Annotated[Plugin, "pretrained"]] = dataclasses.field(default_factory=dict)
    """Encoders that others have trained: rows take their features of the originals as `input`."""
    n_clusters: Annotated[int | Literal["auto"], _K]
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
    same_noise: bool = False
    """Whether each of several devices draws the noise of the whole batch, which makes the loss of
    any number of devices the same; otherwise each reads and corrupts its own samples only."""

    def __post_init__(self) -> None:
        self._check_inputs()
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
        spaces = [search.space for search in self.searches.values()]
        n_corners = sum(1 for space in spaces for _ in search_space.corners(space))
        if n_corners > MAX_CORNERS:
            raise ValueError(
                f"searches: their spaces have at most {MAX_CORNERS:,} choices and ends of ranges, "
                f"found {n_corners:,}"
            )
        for key, search in self.searches.items():
            self._try_out(key, search)
        rows = {**self.clusterings, **self.deep_clusterings}
        for key, row in self.deep_clusterings.items():
            self._check_teachers(key, row)
        for key in self.seeds.rows:
            if key not in rows:
                raise ValueError(
                    f"seeds.rows: {abbreviated(key)} is no row of clusterings or deep_clusterings"
                    f"{nearest(key, rows)}"
                )

    def _check_teachers(self, key: str, row: DeepClustering) -> None:
        """They are rows that have no teachers themselves, and are there under each of its seeds."""
        path = f"deep_clusterings.{key}.teachers"
        others = {**self.clusterings, **self.deep_clusterings}
        others = {k: other for k, other in others.items() if not getattr(other, "teachers", ())}
        for teacher in row.teachers:
            if teacher not in others:
                raise ValueError(
                    f"{path}: {abbreviated(teacher)} is no row of clusterings or deep_clusterings "
                    f"without teachers of its own{nearest(teacher, others)}"
                )
            if key in self.seeds.rows and teacher not in self.seeds.rows:
                raise ValueError(f"{path}: {teacher} is not in seeds.rows, where {key} is")

    def _check_inputs(self) -> None:
        """Every row takes the samples, or features that are there."""
        if SAMPLES in self.pretrained:
            raise ValueError(
                f"pretrained.{SAMPLES}: no row may have this name, which means the data"
            )
        accepted = [SAMPLES, *self.pretrained]
        for section in ("baselines", "autoencoders"):
            for key, row in getattr(self, section).items():
                if row.config.input not in accepted:
                    raise ValueError(
                        f"{section}.{key}.input: {abbreviated(row.config.input)} is no row of "
                        f"pretrained{nearest(row.config.input, accepted)}; accepted are "
                        f"{cut(', '.join(accepted))}"
                    )

    @property
    def title(self) -> str:
        """What pages call the data."""
        return title_of(plugins.resolved(self.dataset))

    @property
    def logged_models(self) -> list[str]:
        """Keys of the rows that stage `report` logs as models: those that ask for it, and the
        searches, for their winners."""
        encoders = {**self.baselines, **self.autoencoders}
        own = {key: row.config.log_model for key, row in encoders.items()}
        own |= dict.fromkeys(self.searches, True)
        clusterings: dict[str, Any] = {**self.clusterings, **self.deep_clusterings}
        own |= {key: row.log_model for key, row in clusterings.items()}
        return [key for key, is_logged in own.items() if is_logged]

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


def title_of(dataset: Mapping[str, Any]) -> str:
    """What pages call the data of a section `dataset`: the last name of its path, of a set that
    others have its name there, else the plug-in's.

    >>> title_of({"name": "image_folder", "path": "~/My photos/"})
    'My photos'
    >>> title_of({"name": "torchvision", "dataset": "CIFAR10"}), title_of({"name": "digits"})
    ('CIFAR10', 'digits')
    """
    place = str(dataset.get("path") or dataset.get("dataset") or dataset.get("name"))
    return PurePath(place).name or place


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
    complete = inheritance.written_out(raw)
    try:
        params: Params = _build(Params, complete, "")
    except UserError as error:
        raise UserError(f"{error}{inheritance.note(raw, str(error))}") from None
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
        names = cut(", ".join(rows)) or "none"
        raise UserError(f"{section} has no row {cut(key)!r}{nearest(key, rows)}; it has {names}")
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
                raise UserError(
                    f"{where}: {abbreviated(key)} is no name: use a-z, 0-9, - and _, 100 at most"
                )
        return {k: _build(typing.get_args(hint)[1], v, f"{where}.{k}") for k, v in raw.items()}
    item = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
    if isinstance(raw, list) and typing.get_args(item)[:1] == (Plugin,):
        return tuple(_build(item, value, f"{where}.{i}") for i, value in enumerate(raw))
    return tuple(raw) if isinstance(raw, list) else raw


def _plugin(family: str, raw: Any, where: str) -> Plugin:
    rest = dict(_mapping(raw, where))
    name = rest.pop("name", None)
    if not (isinstance(name, str) and plugins.is_available(family, name)):
        names = plugins.available(family)
        unknown = f"{abbreviated(name)} is not known{nearest(name, names)}"
        words = ["name", *([LIKE] if _is_row(where) else [])]
        typo = next(filter(None, (nearest(key, words) for key in rest)), "")
        problem = f"is missing{typo}" if name is None else unknown
        raise UserError(f"{where}.name {problem}; accepted are {', '.join(names)}")
    cls = plugins.load(family, name).Config
    return Plugin(family, name, _fill(cls, rest, where, largest_of(family)))


def _fill(cls: Any, raw: dict[Any, Any], where: str, largest: int = LARGEST) -> Any:
    hints = types_of(cls)
    dot = f"{where}." if where else ""
    for key in raw:
        if key not in hints:
            known = [*hints, *([LIKE] if _is_row(where) else [])]
            accepted = f"accepted are {', '.join(known)}" if known else "it takes no key but name"
            raise UserError(f"{dot}{cut(key)} is not known{nearest(key, known)}; {accepted}")
    for field in dataclasses.fields(cls):
        has_default = {field.default, field.default_factory} != {dataclasses.MISSING}
        if field.name not in raw and not has_default:
            raise UserError(f"{dot}{field.name} is missing")
    values = {key: _build(hints[key], value, f"{dot}{key}") for key, value in raw.items()}
    for key in sorted(values.keys() - bounded(cls)):
        _check_numbers(values[key], f"{dot}{key}", largest)
    try:
        return cls(**values)
    except pydantic.ValidationError as error:
        raise UserError(f"{dot}{refusal(error.errors(), values)}") from None


def _is_row(where: str) -> bool:
    section, _, key = where.partition(".")
    return section in SECTIONS and bool(key) and "." not in key


def largest_of(family: str) -> int:
    """Largest whole number of a plug-in of the family that sets no bound: a picture may have more
    pixels than a code has numbers.

    >>> largest_of("networks"), largest_of("datasets")
    (1000000, 4294967296)
    """
    return 2**32 if family == "datasets" else LARGEST


def _check_numbers(value: Any, where: str, largest: int) -> None:
    if isinstance(value, tuple):
        for i, item in enumerate(value):
            _check_numbers(item, f"{where}.{i}", largest)
    elif isinstance(value, int) and value > largest:
        raise UserError(f"{where}: should be at most {largest:,}, found {abbreviated(value)}")


@functools.cache
def bounded(cls: Any) -> frozenset[str]:
    """Fields of a dataclass whose types say themselves how large a number may be."""
    return frozenset(key for key, hint in types_of(cls).items() if _is_bounded(hint))


def _is_bounded(hint: Any) -> bool:
    inner = (*typing.get_args(hint), *getattr(hint, "metadata", ()))
    has_bound = any(getattr(hint, word, None) is not None for word in ("le", "lt"))
    return has_bound or any(map(_is_bounded, inner))


@functools.cache
def types_of(cls: Any) -> dict[str, Any]:
    """The type of each field of a dataclass, with what it is annotated with."""
    return typing.get_type_hints(cls, include_extras=True)


def _mapping(raw: Any, where: str) -> dict[Any, Any]:
    if not isinstance(raw, dict):
        text = "nothing" if raw is None else abbreviated(raw)
        raise UserError(f"{where or 'the file'} should be a mapping of keys, found {text}")
    return raw
