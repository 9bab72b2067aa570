"""params.schema.json refuses what `params.load` refuses, as far as a schema can say it."""

import copy
from typing import Any

import jsonschema
import pytest

from helpers.finished import PARAMS
from narrows.config import params, plugins, schema
from narrows.errors import UserError

HEIR = {"like": "narrow", "code_size": 3}
SEARCH = {"row": "heir", "n_trials": 2, "objectives": [{"name": "reconstruction"}]}
SPACE = {"code_size": {"low": 2, "high": 6}, "network.hidden": {"layers": [1, 2], "units": [4, 8]}}
RAW = {
    **PARAMS,
    "autoencoders": {**PARAMS["autoencoders"], "heir": HEIR},
    "searches": {
        "tuned": {**SEARCH, "space": {**SPACE, "loss": ["bce", "mse"]}},
        "longer": {"like": "tuned", "n_trials": 3, "space": {"code_size": {"high": 5}}},
    },
}


@pytest.fixture(scope="module")
def validator() -> Any:
    document = schema.document()
    jsonschema.Draft7Validator.check_schema(document)
    return jsonschema.Draft7Validator(document)


def changed(path: str, value: Any) -> dict[str, Any]:
    """`RAW` with the value at a path of keys set."""
    raw = copy.deepcopy(RAW)
    *folders, last = path.split("/")
    node: Any = raw
    for folder in folders:
        node = node.setdefault(folder, {})
    node[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 1),
        ("n_clusters", "auto"),
        ("seeds/together", "auto"),
        ("autoencoders/narrow/train/patience", 3),
        ("autoencoders/heir/train", {"epochs": 3, "optimizer": {"lr": 0.1}}),
        ("autoencoders/heir/corruption", {"name": "gaussian", "std": 0.5}),
        (
            "autoencoders/vae",
            {"like": "narrow", "name": "variational", "code_activation": "linear"},
        ),
        ("clusterings/other", {"like": "pca-kmeans", "clusterer": {"n_init": 3}}),
        ("evaluate/corruptions/dim", {"name": "speckle", "std": 0.5}),
        ("dataset", {"name": "image_folder", "path": "x", "max_pixels": 100_000_000}),
    ],
)
def test_what_loads_is_valid(path: str, value: Any, validator: Any) -> None:
    raw = changed(path, value)
    params.from_dict(raw)
    validator.validate(raw)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sed", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("n_clusters", 1),
        ("n_clusters", "atuo"),
        ("dataset/name", "digit"),
        ("prepare/val_fraction", 1.0),
        ("autoencoders/a b", HEIR),
        ("autoencoders/narrow/losss", "mse"),
        ("autoencoders/narrow/beta", 1.0),
        ("autoencoders/narrow/code_size", 10**9),
        ("autoencoders/narrow/network/hidden", [16, 0]),
        ("autoencoders/narrow/network/hidden", [10**10]),
        ("autoencoders/narrow/train/optimizer", {"name": "adam", "momentum": 0.9}),
        ("autoencoders/narrow/train/optimizer", {"name": "adm"}),
        ("autoencoders/new", {"name": "plain"}),
        ("autoencoders/heir/losss", "mse"),
        ("autoencoders/heir/like", None),
        ("autoencoders/heir/train", {"epoch": 3}),
        ("autoencoders/heir/corruption", {"name": "gaussian", "fraction": 0.5}),
        ("clusterings/pca-kmeans/encoder", None),
        ("clusterings/other", {"encoder": "pca"}),
        ("searches/tuned/space/code_size", {"low": 1, "hihg": 2}),
        ("searches/tuned/space/code_size", 5),
        ("searches/tuned/objectives", [{"name": "likeness"}]),
    ],
)
def test_what_is_refused_is_not_valid(path: str, value: Any, validator: Any) -> None:
    raw = changed(path, value)
    with pytest.raises(UserError):
        params.from_dict(raw)
    assert not validator.is_valid(raw)


def test_every_key_has_its_docstring_and_every_plugin_its_name() -> None:
    document = schema.document()
    words = document["properties"]["prepare"]["properties"]["val_fraction"]["description"]
    assert words.startswith("Share of the other samples that is held out")
    optimizers = document["definitions"]["optimizers"]
    assert optimizers["properties"]["name"]["enum"] == plugins.available("optimizers")
    adam = optimizers["allOf"][plugins.available("optimizers").index("adam")]
    assert adam["if"]["properties"]["name"] == {"const": "adam"}
    assert adam["then"]["properties"]["lr"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Step size.",
        "default": 0.001,
    }
