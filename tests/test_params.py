"""A wrong params.yaml is one sentence that names the key, what was found and what is accepted."""

import copy
import dataclasses
import datetime
import functools
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from helpers import odd_params
from helpers import plugins as examples
from helpers.project import EXPERIMENT, ROOT
from narrows.config import params, plugins
from narrows.config.plugins import resolved
from narrows.errors import UserError
from narrows.store import choices

RAW = YAML(typ="safe").load(EXPERIMENT.read_text())


def changed(path: str, value: Any) -> dict[str, Any]:
    """A copy of params.yaml with one dotted key set."""
    raw = copy.deepcopy(RAW)
    *folders, last = path.split(".")
    section = raw
    for folder in folders:
        section = section[folder]
    section[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sed", 0, r"^sed is not known \(did you mean 'seed'\?\); accepted are seed, device"),
        ("seed", True, r"^seed: .*integer, found true"),
        ("seed", -1, r"^seed: .*greater than or equal to 0, found -1"),
        ("seed", 2**32, r"^seed: .*less than 4294967296, found 4294967296"),
        ("seeds.values", [0, 2**32], r"^seeds.values.1: .*less than 4294967296, found 4294967296"),
        ("device", "gpu", r"^device: .*'auto', 'cpu', 'cuda' or 'mps', found 'gpu'"),
        ("dataset", "mnist", r"^dataset should be a mapping of keys, found 'mnist'"),
        ("dataset.name", "mnist5k", r"^dataset.name 'mnist5k' .*mean 'mnist_5k'.*fashion_mnist"),
        ("dataset.name", ["mnist"], r"^dataset.name \['mnist'\] is not known"),
        ("dataset.mirror", "/x", r"^dataset.mirror is not known; it takes no key but name"),
        ("prepare.val_fraction", 1.0, r"^prepare.val_fraction: .*less than 1, found 1.0"),
        ("prepare.val_fraction", "0.1", r"^prepare.val_fraction: .*number, found '0.1'"),
        ("n_clusters", 1, r"^n_clusters: accepted are auto and numbers from 2 on, found 1$"),
        ("n_clusters", True, r"^n_clusters: .*, found true$"),
        ("n_clusters", "atuo", r"^n_clusters: .*, found 'atuo'$"),
        ("choose_k.largest", 1, r"^choose_k.largest: .*greater than or equal to 2, found 1"),
        ("choose_k.encoder", "pcb", r"^choose_k.encoder: 'pcb' is no row of .*mean 'pca'"),
        ("baselines.pca", {"name": "pca"}, r"^baselines.pca.code_size is missing"),
        ("baselines.deep", {"name": "identity"}, r"^'deep' stands under baselines and under auto"),
        ("baselines.a/b", {"name": "identity"}, r"^baselines: 'a/b' is no name"),
        ("autoencoders.deep.losss", "mse", r"^autoencoders.deep.losss is not known .*'loss'"),
        ("autoencoders.deep.loss", "bce", r"^autoencoders.deep.loss: bce needs .*found 'linear'"),
        ("autoencoders.deep.network.hidden", [500, 0], r"deep.network.hidden.1: .*than 0, found 0"),
        (
            "autoencoders.deep.network.hidden",
            500,
            r"deep.network.hidden: .*list, like \[500\], found 500",
        ),
        ("autoencoders.deep.train.epochs", 1.5, r"deep.train.epochs: .*integer, found 1.5"),
        ("autoencoders.deep.train.optimizer", {"name": "adam", "lrr": 1}, r"optimizer.lrr .*'lr'"),
        ("autoencoders.deep.train.optimizer", {"name": "adam", "lr": 0}, r"optimizer.lr: .*than 0"),
        ("clusterings.x", {"encoder": "deep"}, r"^clusterings.x.clusterer is missing"),
        (
            "clusterings.deep-kmeans.encoder",
            "deap",
            r"^clusterings.deep-kmeans.encoder: 'deap' is no row .*mean 'deep'",
        ),
        (
            "deep_clusterings.deep-dec.encoder",
            "pca",
            r"^deep_clusterings.deep-dec.encoder: 'pca' is no row of autoencoders",
        ),
        (
            "deep_clusterings.deep-kmeans",
            {"encoder": "deep"},
            r"^deep_clusterings.deep-kmeans.start is missing",
        ),
        (
            "deep_clusterings.deep-dec.teachers",
            ["deep-kmean"],
            r"^deep_clusterings.deep-dec.teachers: 'deep-kmean' is no row .*mean 'deep-kmeans'",
        ),
        (
            "deep_clusterings.deep-dec.teachers",
            ["deep-dec"],
            r"'deep-dec' is no row of clusterings or deep_clusterings without teachers",
        ),
        (
            "seeds.rows",
            ["deep-dek"],
            r"^seeds.rows: 'deep-dek' is no row of clusterings .*mean 'deep-dec'",
        ),
    ],
)
def test_a_wrong_value_is_told(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        params.from_dict(changed(path, value))
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


ODD = [None, True, "a", "", 0, -1.5, float("inf"), [], [None], ["a"], [{"a": 1}], {}, {"a": None}]
ODD += [[[1]], [1] * 20, datetime.date(2020, 1, 2), {1}]
PYTHONS = re.compile(
    r"None|True|False|tuple|dict|frozenset|\bset\b|instance|validation|datetime|(?<!\.)\binf\b|union|\(\)"
    r"|(?<=\.)(str|int|float|bool|is-.*|constrained|function|literal)\b"
)
"""What no user of YAML can know: values, types, and types of unions as if they were keys."""
FAMILIES = ("autoencoders", "clusterers", "datasets", "networks", "objectives", "optimizers")
FAMILIES += ("baselines", "corruptions", "deep_clusterers", "penalties", "pretrained", "schedules")


def filled(family: str, name: str) -> dict[str, Any]:
    """A plug-in as params.yaml has it, with every key."""
    if family == "autoencoders":
        return dict(resolved(examples.row(name)))
    if family not in ("datasets", "objectives"):
        return dict(resolved(examples.plugin(family, name)))
    config = plugins.load(family, name).Config
    needed = [f.name for f in dataclasses.fields(config) if f.default is dataclasses.MISSING]
    values = config(**dict.fromkeys(needed, "x" if family == "datasets" else 2))
    return {"name": name, **resolved(values)}


def refusal(read: Callable[[Any], Any], raw: Any) -> str:
    """The sentence by which a value is refused; nothing where it is not."""
    try:
        read(raw)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("family", FAMILIES)
def test_no_refusal_of_a_plugin_speaks_python(family: str) -> None:
    for name in plugins.available(family):
        raw = filled(family, name)
        for key, value in itertools.product(raw.keys() - {"name"}, ODD):
            said = refusal(functools.partial(params.plugin, family), {**raw, key: value})
            assert not PYTHONS.search(said), said


@pytest.mark.parametrize("path", [None, *RAW])
def test_no_refusal_of_a_section_speaks_python(path: str | None) -> None:
    """Of the file, of a section, of its first keys, and of those of its first row."""
    section, paths = RAW[path] if path else {}, [path] if path else []
    if isinstance(section, dict):
        paths += [f"{path}.{key}" for key in itertools.islice(section, 4)]
        first = next(iter(section.values()), None)
        paths += [f"{paths[1]}.{key}" for key in first] if isinstance(first, dict) else []
    for value in ODD:
        for raw in [changed(place, value) for place in paths] or [value]:
            said = refusal(params.from_dict, raw)
            assert not PYTHONS.search(said), said


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"ignore": "a"}, "ignore: input should be a list, like ['a'], found 'a'"),
        (
            {"missing": [{"a": 1}]},
            "missing.0: input should be a valid string, a valid integer or a valid number, "
            "found {'a': 1}",
        ),
        ({"ignore": None}, "ignore: input should be a list, found null"),
    ],
)
def test_types_are_those_of_yaml(dataset: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        params.from_dict({**RAW, "dataset": {"name": "table", "path": "x.csv", **dataset}})
    assert str(error.value) == f"dataset.{message}"


def test_an_empty_list_of_which_one_item_is_needed() -> None:
    with pytest.raises(UserError) as error:
        params.from_dict(changed("seeds.values", []))
    assert str(error.value) == "seeds.values: input should have at least 1 item, found []"


def test_teachers_are_there_under_every_seed_and_have_clusters_of_their_own() -> None:
    raw = changed("deep_clusterings.deep-dec.teachers", ["deep-kmeans"])
    raw["seeds"]["rows"] = ["deep-dec"]
    with pytest.raises(UserError, match=r"teachers: deep-kmeans is not in seeds\.rows, where deep"):
        params.from_dict(raw)
    raw["seeds"]["rows"] = ["deep-dec", "deep-kmeans"]
    params.from_dict(raw)
    raw["deep_clusterings"]["deep-dec"]["method"]["on_collapse"] = "start"
    with pytest.raises(
        UserError, match=r"^deep_clusterings.deep-dec.method.on_collapse: start needs"
    ):
        params.from_dict(raw)


def test_a_missing_key_is_told() -> None:
    raw = copy.deepcopy(RAW)
    del raw["autoencoders"]["deep"]["train"]["patience"]
    with pytest.raises(UserError, match=r"^autoencoders.deep.train.patience is missing$"):
        params.from_dict(raw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file here"),
        ("seed: [", "not valid YAML"),
        ("seed: 0: 1", "not valid YAML: mapping values are not allowed in this context in line 1"),
        ("seed: 0\nseed: 1\n", "not valid YAML: .*duplicate key"),
        ("", "should be a mapping of keys, found nothing"),
    ],
)
def test_an_unreadable_file_is_told(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "params.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=message):
        params.load(file)


def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path) -> None:
    """YAML 1.2: 1e-3 is a number, no is a string."""
    file = tmp_path / "params.yaml"
    file.write_text(EXPERIMENT.read_text().replace("lr: 1.0e-3", "lr: 1e-3"))
    assert params.load(file).autoencoders["deep"].config.train.optimizer.config.lr == 0.001


def test_params_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        params.from_dict(RAW).seed = 1  # type: ignore[misc]


def test_resolved_is_what_the_file_says_with_defaults() -> None:
    row = resolved(params.from_dict(RAW).autoencoders["shallow"])
    written = RAW["autoencoders"]["shallow"]
    assert row["network"] == {**written["network"], "batch_norm": False, "dropout": 0.0}
    assert row["input"] == "samples"
    assert {**row, "network": 0, "train": 0} == {
        **written,
        "network": 0,
        "train": 0,
        "input": "samples",
    }
    assert row["train"]["optimizer"] == {"name": "adadelta", "lr": 1.0, "rho": 0.95}


def test_a_model_that_is_logged_changes_no_row() -> None:
    """The winner of a search is logged in any case; rows as they are computed are the same."""
    search = {"row": "shallow", "space": {"code_size": [2, 4]}, "n_trials": 2}
    search["objectives"] = [{"name": "reconstruction"}]
    raw = copy.deepcopy(RAW)
    raw["searches"]["tuned"] = search
    plain = params.from_dict(copy.deepcopy(raw))
    clustering = next(iter(raw["clusterings"]))
    for row in (
        raw["baselines"]["pca"],
        raw["autoencoders"]["shallow"],
        raw["clusterings"][clustering],
    ):
        row["log_model"] = True
    logged = params.from_dict(raw)
    own = ["pca", *raw["searches"], clustering]
    assert set(own) < set(logged.logged_models)
    inherited = set(logged.logged_models) - set(own)
    assert all(raw["autoencoders"][key].get("like", "shallow") == "shallow" for key in inherited)
    assert plain.logged_models == list(raw["searches"])
    assert resolved(logged.baselines) == resolved(plain.baselines)
    assert resolved(logged.autoencoders) == resolved(plain.autoencoders)
    assert resolved(logged.clusterings) == resolved(plain.clusterings)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["fetch.py", "x"], "narrows: usage: python pipelines/fetch.py"),
        (["cluster.py"], "n_clusters.json is missing; run `dvc repro choose_k`"),
        (["report.py"], "narrows: data/mnist_5k/x.npy is missing; run `dvc repro prepare`"),
    ],
)
def test_a_stage_called_wrongly_says_so(tmp_path: Path, command: list[str], message: str) -> None:
    (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
    (tmp_path / "params.yaml").symlink_to(EXPERIMENT)
    done = subprocess.run(
        [sys.executable, f"pipelines/{command[0]}", *command[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_typo_under_clusterings_stops_fetch_without_a_traceback(tmp_path: Path) -> None:
    text = EXPERIMENT.read_text().replace("clusterer: {name: kmeans", "clusterer: {nam: kmeans", 1)
    (tmp_path / "params.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, ROOT / "pipelines/fetch.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "narrows: params.yaml: clusterings.pixels-kmeans.clusterer.name is"
    )
    assert done.stderr.count("\n") == 1
    assert [f.name for f in tmp_path.iterdir()] == ["params.yaml"]


def test_winners_join_the_autoencoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    p = params.from_dict(RAW)
    assert choices.with_winners(p) == p
    row = p.autoencoders["undercomplete"]
    file = choices.winner_file(
        choices.winner_folder(Path("artifacts", p.dataset.name), "small-codes")
    )
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"row": resolved(row)}))
    assert choices.with_winners(p).autoencoders == {**p.autoencoders, "small-codes": row}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"row": 5}',
        '{"row": {"name": "plain", "key_of_old": 1}}',
        "[" * 9999,
    ],
)
def test_a_damaged_winner_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    p = params.from_dict(RAW)
    file = choices.winner_file(
        choices.winner_folder(Path("artifacts", p.dataset.name), "small-codes")
    )
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(UserError, match=r"winner.json holds no row \(.*\); run `dvc repro tune`$"):
        choices.with_winners(p)


def doubled_aliases() -> str:
    """Nine values to the power of ten, in a line each."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (doubled_aliases(), "is too large, with all that its aliases stand for"),
        ("a: &a [*a]", r"\*a stands before or inside of what it names"),
        ("[" * 100_000, "more than 100 deep"),
        ("- " * 100_000, "more than 100 deep"),
        ("{a: " * 5000, "more than 100 deep"),
        ("[" + "1," * 400_000 + "]", "is too large"),
        ("a: " + "b" * 2**20, "has more than the 1,048,576 bytes that are read"),
        ("seed: 2020-99-99", "line 1 is no valid timestamp: '2020-99-99'$"),
        ("a: [\n 1,\n {b: !!int abc}]", "line 3 is no valid int: 'abc'$"),
        ("seed: !!bool 7", "not valid YAML: line 1 is no valid bool: '7'$"),
        ("seed: " + "9" * 5000, "line 1 is no valid int: '9{95}"),
        ("a" * 1000 + ": 1", "^[^ ]*params.yaml: a{200}... is not known; accepted are seed"),
        ("x" * 10_000, "should be a mapping of keys, found 'xxx"),
    ],
)
def test_a_file_that_would_stop_the_parser_is_a_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        params.load(file)
    assert len(str(error.value)) < 1000


def test_a_folder_and_other_bytes_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r": is no file$"):
        params.load(tmp_path)
    file = tmp_path / "params.yaml"
    file.write_bytes("größe: 1".encode("latin-1"))
    with pytest.raises(UserError, match="not valid YAML: 'utf-8' codec can't decode byte 0xf6"):
        params.load(file)


def test_odd_files_are_short_sentences_or_load(tmp_path: Path) -> None:
    """A sample; `python tests/helpers/odd_params.py 2000` tries more of them."""
    file = tmp_path / "params.yaml"
    messages = []
    for seed in range(80):
        file.write_bytes(odd_params.odd(seed))
        messages.append(odd_params.problem(file))
    assert 50 < len(messages) - messages.count(None) < 80


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("autoencoders.deep.code_size", 10**9, r"at most 1,000,000, found 1000000000$"),
        (
            "autoencoders.deep.network.hidden",
            [10**10],
            r"network.hidden.0: should be at most 1,000",
        ),
        ("autoencoders.deep.train.batch_size", 10**30, r"train.batch_size: should be at most"),
        ("n_clusters", 10**9, r"^n_clusters: should be at most 1,000,000"),
        ("choose_k.largest", 10**9, r"^choose_k.largest: .*less than or equal to 1000, found"),
        ("autoencoders.deep.train.optimizer.lr", float("inf"), r"optimizer.lr: .*finite number"),
        ("autoencoders.deep.train.optimizer.lr", float("nan"), r"optimizer.lr: .*finite number"),
        ("dataset.name", "x" * 100_000, r"^dataset.name 'xxx.*' is not known; accepted are"),
        ("autoencoders." + "x" * 101, {}, r"^autoencoders: 'xxx.*' is no name: .*100 at most"),
    ],
)
def test_numbers_and_names_that_cannot_be_meant(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        params.from_dict(changed(path, value))
    assert len(str(error.value)) < 1000


def test_the_choices_of_all_searches_are_bounded() -> None:
    """Each is tried out whenever the file is read: 21 searches of 99 choices, and one of ten."""
    search = {**RAW["searches"]["small-codes"], "space": {"code_size": list(range(1, 100))}}
    raw = {**RAW, "searches": RAW["searches"] | {f"s{i}": search for i in range(21)}}
    with pytest.raises(
        UserError, match=r"^searches: their spaces .* at most 2,000 .* found 2,089$"
    ):
        params.from_dict(raw)


@pytest.mark.parametrize("seed", ["0x" + "f" * 200_000, f"[{', '.join(['aaaa'] * 5000)}]"])
def test_a_value_of_any_length_makes_a_short_sentence(tmp_path: Path, seed: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(EXPERIMENT.read_text().replace("seed: 0", f"seed: {seed}", 1))
    with pytest.raises(UserError, match=r"params.yaml: seed: .*, found") as error:
        params.load(file)
    assert len(str(error.value)) < 1000
