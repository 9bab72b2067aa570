"""Ranges, choices and layers, and the rows that draws make of a row."""

import re
from typing import Any

import optuna
import pytest

from narrows.config import search_space

ROW = {"code_size": 8, "loss": "mse", "network": {"name": "mlp", "hidden": [16]}}
ROW |= {"corruption": {"name": "none"}, "train": {"optimizer": {"name": "adam", "lr": 1e-3}}}


def test_a_draw_has_a_value_for_every_key() -> None:
    raw = {
        "code_size": {"low": 2, "high": 32, "log": True},
        "loss": ["bce", "mse"],
        "network.hidden": {"layers": [1, 3], "units": [4, 64]},
        "corruption": [{"name": "none"}, {"name": "gaussian", "std": 0.5}],
        "train.optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True},
    }
    params = {"code_size": 5, "loss": "bce", "network.hidden.layers": 2, "network.hidden.0": 32}
    params |= {"network.hidden.1": 9, "train.optimizer.lr": 0.004}
    params |= {"corruption": '{"name": "gaussian", "std": 0.5}'}
    changes = search_space.draw(search_space.parse(raw), optuna.trial.FixedTrial(params))
    assert search_space.changed(ROW, changes) == {
        "code_size": 5,
        "loss": "bce",
        "network": {"name": "mlp", "hidden": [32, 9]},
        "corruption": {"name": "gaussian", "std": 0.5},
        "train": {"optimizer": {"name": "adam", "lr": 0.004}},
    }
    assert ROW["code_size"] == 8, "the row itself stays as it is"


def test_whole_numbers_stay_whole() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = search_space.parse({"a": {"low": 2, "high": 5}, "b": {"low": 2, "high": 5.0}})
    draws = [search_space.draw(space, study.ask()) for _ in range(20)]
    assert {draw["a"] for draw in draws} == {2, 3, 4, 5}
    assert all(isinstance(draw["b"], float) for draw in draws)


def test_corners_are_the_ends_of_every_key() -> None:
    raw = {"a": {"low": 2, "high": 5}, "b": [7], "c": {"layers": [0, 2], "units": [4, 9]}}
    corners = list(search_space.corners(search_space.parse(raw)))
    assert corners == [{"a": 2}, {"a": 5}, {"b": 7}, {"c": []}, {"c": [9, 9]}]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, r"^space: a mapping .* found \{\}"),
        ({"a": 5}, r"^space.a: accepted are a list of choices, .* found 5"),
        ({"a": {"low": 1, "hihg": 2}}, r"^space.a: accepted are .*'hihg'"),
        ({"a": []}, r"^space.a: a list of choices has 1 to 100 of them, found 0"),
        ({"a": [1] * 101}, r"^space.a: a list of choices has 1 to 100 of them, found 101"),
        ({"a": {"low": 0, "high": 2, "log": True}}, r"^space.a: 0 < low < high is needed, .*low 0"),
        ({"a": {"low": 2, "high": 2}}, r"^space.a: low < high is needed, found low 2 and high 2"),
        ({"a": {"layers": [0, 10**8], "units": [1, 2]}}, r"^space.a: .* at most 100 layers, .*"),
        ({"a": {"layers": [2, 1], "units": [1, 2]}}, r"^space.a: layers and units .*\[2, 1\]"),
        ({"a": {"layers": [1, 2], "units": [0, 2]}}, r"^space.a: layers and units .*\[0, 2\]"),
    ],
)
def test_a_wrong_space_is_explained(raw: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 the text is looked at below
        search_space.parse(raw)
    assert re.search(message, str(error.value)), str(error.value)


@pytest.mark.parametrize("path", ["code_sze", "network.hiden", "loss.x", "optimizer.lr"])
def test_a_key_that_the_row_does_not_have_is_explained(path: str) -> None:
    with pytest.raises(ValueError, match=rf"^space.{path}: the row has no"):
        search_space.changed(ROW, {path: 1})
