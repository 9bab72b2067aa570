"""The repository's own params.yaml and examples: short, described by a schema that is current."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from narrows.config import params, schema, yaml_file

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
RAW = yaml_file.read(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft7Validator(json.loads((ROOT / schema.FILE).read_text(encoding="utf-8")))


def test_params_yaml_is_short() -> None:
    lines = (ROOT / "params.yaml").read_text().splitlines()
    assert lines[0] == f"# yaml-language-server: $schema={schema.FILE}"
    assert len(lines) <= 250
    assert max(map(len, lines)) <= 110


def test_the_schema_is_current() -> None:
    written = (ROOT / schema.FILE).read_text(encoding="utf-8")
    assert written == schema.text(), "run `python -m narrows.config.schema` and commit its file"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_are_valid(file: Path, validator: Any) -> None:
    raw = yaml_file.read(file)
    validator.validate(raw)
    params.from_dict(raw)


@pytest.mark.parametrize(
    ("section", "key", "path", "value"),
    [
        ("autoencoders", "shallow", ("losss",), "mse"),
        ("autoencoders", "undercomplete-8", ("cod_size",), 8),
        ("autoencoders", "denoising", ("corruption", "fraction"), 0.5),
        ("clusterings", "pca-kmeans", ("clusterer", "n_epochs"), 200),
    ],
)
def test_a_misspelt_key_and_an_option_of_another_plugin_are_not_valid(
    section: str, key: str, path: tuple[str, ...], value: Any, validator: Any
) -> None:
    raw = copy.deepcopy(RAW)
    node = raw[section][key]
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    assert not validator.is_valid(raw)
