"""A set of torchvision.datasets that is pictures with a class: CIFAR10, SVHN, Flowers102, ...

Its files are used where they lie under `root`, or are downloaded into it if params.yaml says so.
New pictures are encoded like those of image_folder.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
from pydantic import Field

from narrows.config.plugins import config
from narrows.data.datasets import _drawn
from narrows.data.datasets._base import Dataset, NothingLeft
from narrows.data.datasets._pictures import Shape
from narrows.data.mirrors import SILENCE_S
from narrows.errors import UserError
from narrows.rendering import progress
from narrows.store.files import atomic_write
from narrows.store.reading import existing

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "set.json"
PARTS = ("train", "val", "test")
BASES = {"VisionDataset", "DatasetFolder"}  # what the others are built on
Parts = dict[str, Any]
"""Sets of pairs of a picture and its class, by the name of the part."""


@config
class Config:
    """Which set, where its files are, and what its pictures are made into."""

    dataset: str
    """Name in torchvision.datasets."""
    root: str = "~/data"
    """Folder that holds torchvision's files; ~ is your home."""
    split: str | None = None
    """The part to take, as torchvision calls it; null takes train, val and test, as far as there
    are these, and the set's own test part stays the test set. EMNIST takes its kind here."""
    download: bool = False
    """Whether what is not under `root` is downloaded into it."""
    size: Annotated[int, Field(ge=4, le=1024)] | None = None
    """Side of the square in pixels into which every picture is fitted; null keeps that of squares
    of one size, and is 64 otherwise."""


def names() -> list[str]:
    """Sets that a root, and perhaps the name of a part, is enough for."""
    from torchvision import datasets

    return sorted(
        name
        for name in datasets.__all__
        if inspect.isclass(kind := getattr(datasets, name))
        and issubclass(kind, datasets.VisionDataset)
        and name not in BASES
        and _is_enough(_parameters(kind))
    )


def _is_enough(parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Whether a set is opened by a root and a part alone, and its pictures come with a target."""
    needed = {name for name, item in parameters.items() if item.default is item.empty}
    return needed <= {"root", "split"} and "target_transform" in parameters


def require_name(name: str) -> None:
    """Raises `UserError` unless torchvision has this set, with the names that are near."""
    accepted = names()
    if name in accepted:
        return
    by_lower = {other.lower(): other for other in accepted}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3)
    hint = ", ".join(by_lower[other] for other in near)
    raise UserError(
        f"torchvision has no set of pictures {name!r}; "
        + (f"did you mean {hint}?" if near else f"it has {', '.join(accepted)}")
    )


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Downloads the set if asked to, and writes down what it is; it stays under its root."""
    content = json.dumps(_known(cfg, _parts(cfg)), indent=2)
    raw_dir.mkdir(parents=True, exist_ok=True)
    with atomic_write(raw_dir / FILE) as partial:
        partial.write_text(content + "\n", encoding="utf-8")


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Pictures uint8 (N, C, size, size) with their classes, in torchvision's order."""
    parts = _parts(cfg)
    content = json.loads(existing(raw_dir / FILE).read_text(encoding="utf-8"))
    if content != _known(cfg, parts):
        raise UserError(f"torchvision's {cfg.dataset} changed after fetch; run `dvc repro` again")
    classes: dict[str, int] = {}
    pictures = _pictures(parts, classes)
    x, used, skipped = _drawn.fitted(pictures, shape := Shape(**content["shape"]))
    if x is None:
        raise NothingLeft(f"torchvision's {cfg.dataset} has no picture to learn from", skipped)
    is_test = np.array([name.startswith("test/") for name in used])
    class_names = getattr(next(iter(parts.values())), "classes", None)
    has_names = isinstance(class_names, list | tuple) and len(class_names) > max(classes.values())
    return Dataset(
        x,
        labels=np.array([classes[name] for name in used], np.int64),
        is_test=is_test if 0 < is_test.sum() < len(used) else None,
        names=used,
        label_names=[str(name) for name in cast(list[Any], class_names)] if has_names else None,
        skipped=skipped,
        schema=_drawn.schema(shape),
    )


def _pictures(parts: Parts, classes: dict[str, int]) -> Iterator[tuple[str, Image | str]]:
    """Every picture and its name, or why it cannot be read; leaves the class of each name."""
    for part, pairs in parts.items():
        for i in progress.counted(f"pictures of {part}", range(len(pairs)), len(pairs)):
            if isinstance(item := _item(pairs, i), str):
                yield f"{part}/{i}", item
                continue
            picture, label = item
            classes[f"{part}/{i}"] = int(label)
            yield f"{part}/{i}", picture


def _known(cfg: Config, parts: Parts) -> dict[str, Any]:
    """What tells one set from another without reading all of it: sizes, and some pictures."""
    digest, pictures = hashlib.sha256(), []
    for part, pairs in parts.items():
        rows = np.linspace(0, len(pairs) - 1, min(_drawn.N_LOOKS, len(pairs))).astype(int)
        items = [_item(pairs, row) for row in rows.tolist()]
        for picture, label in (_pair(cfg, item) for item in items if not isinstance(item, str)):
            digest.update(f"{part}, {picture.mode}, {picture.size}, {int(label)}".encode())
            digest.update(picture.tobytes())
            pictures.append(picture)
    return {
        "dataset": cfg.dataset,
        "pictures": {part: len(pairs) for part, pairs in parts.items()},
        "sha256_of_some": digest.hexdigest(),
        "shape": _drawn.shape_of(pictures, cfg.size)._asdict(),
    }


def _item(pairs: Any, row: int) -> Any:
    """What a set has in a place, or why it cannot be read."""
    try:
        return pairs[row]
    except Exception as error:  # decoders meet hostile bytes with any exception there is
        message = " ".join(str(error).split())[:100]
        return f"broken: {message or type(error).__name__}"


def _pair(cfg: Config, item: Any) -> tuple[Image, int]:
    from PIL import Image

    try:
        picture, label = item
        if isinstance(picture, Image.Image):
            return picture, int(label)
    except (TypeError, ValueError, RuntimeError):  # more than two, or no number
        pass
    raise UserError(
        f"params.yaml: dataset.dataset: torchvision's {cfg.dataset} is not pictures with a class"
    )


def _parts(cfg: Config) -> Parts:
    """The parts of the set that are asked for."""
    require_name(cfg.dataset)
    has, split = _parameters(_class(cfg)), cfg.split
    if "train" in has:
        kind = {"split": split} if "split" in has and split else {}  # of EMNIST
        if "split" in has and not split:
            _opened(cfg, split="")  # says what is accepted
        chosen = [split] if split and not kind else ["train", "test"]
        if not set(chosen) <= {"train", "test"}:
            raise UserError(
                f"params.yaml: dataset.split: accepted are train, test and null for "
                f"{cfg.dataset}, found {split!r}"
            )
        return {part: _opened(cfg, train=part == "train", **kind) for part in chosen}
    if "split" not in has:
        if split:
            raise UserError(f"params.yaml: dataset.split: {cfg.dataset} has no parts, use null")
        return {"all": _opened(cfg)}
    if split:
        return {split: _opened(cfg, split=split)}
    parts = {}
    for part in PARTS:
        try:
            parts[part] = _opened(cfg, split=part)
        except _NoSuchPart:
            if part == "train":
                raise
    return parts


class _NoSuchPart(UserError):
    """A part that the set does not have."""


def _opened(cfg: Config, **options: Any) -> Any:
    """The set, downloaded if asked to."""
    root = Path(cfg.root).expanduser()
    places = {"root": str(root), "download": cfg.download}
    kind, has = _class(cfg), _parameters(_class(cfg))
    silence_s = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)  # torchvision would wait for ever
    try:
        return kind(**{key: value for key, value in places.items() if key in has}, **options)
    except Exception as error:  # each set has its own
        message = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(error, ValueError) and "split" in options and "alid values" in message:
            raise _NoSuchPart(f"params.yaml: dataset.split: {cfg.dataset}: {message}") from None
        name = f"params.yaml: dataset: torchvision's {cfg.dataset}"
        if cfg.download:
            raise UserError(
                f"{name} could not be downloaded into {root}: {message}; without a network its "
                "files have to lie there"
            ) from None
        message = message.removesuffix(" You can use download=True to download it")
        raise UserError(
            f"{name} is not to be had from {root}: {message.rstrip('.')}; with download: true it "
            "is fetched"
        ) from None
    finally:
        socket.setdefaulttimeout(silence_s)


def _class(cfg: Config) -> Any:
    from torchvision import datasets

    return getattr(datasets, cfg.dataset)


def _parameters(kind: Any) -> dict[str, inspect.Parameter]:
    """Parameters of a class, also of those above that it hands the rest to."""
    parameters: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        here = inspect.signature(base.__init__).parameters
        for name, item in list(here.items())[1:]:
            if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL):
                parameters.setdefault(name, item)
        if not any(item.kind == item.VAR_KEYWORD for item in here.values()):
            break
    return parameters
