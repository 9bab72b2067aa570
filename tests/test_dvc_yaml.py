"""dvc.yaml by itself: labels reach only `report`, and each stage waits for what it reads."""

from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from helpers.finished import PARAMS
from helpers.project import row
from narrows.config import params
from narrows.stages import cluster, deep_cluster, encode, evaluate, runner, sections, seeds, tune
from narrows.store.rows import Row

ROOT = Path(__file__).parent.parent
INDEX = Repo(str(ROOT)).index
STAGES = {stage.name: stage for stage in INDEX.stages}
ORDER = "fetch prepare pretrained tune encode choose_k cluster deep_cluster evaluate".split()
ORDER += ["seeds", "report"]


def paths(address: str, of: str) -> set[str]:
    """deps or outs of a stage, with the data set's name as *."""
    files = (Path(item.fs_path).relative_to(ROOT) for item in getattr(STAGES[address], of))
    name = YAML(typ="safe").load(ROOT / "params.yaml")["dataset"]["name"]  # whatever it is here
    return {file.as_posix().replace(f"/{name}", "/*", 1) for file in files}


def test_a_stage_is_a_section_or_a_step() -> None:
    assert sorted(STAGES) == sorted(ORDER)
    assert set(sections.SECTIONS) == set(ORDER) - {"fetch"}
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 150


@pytest.mark.parametrize("address", [a for a in ORDER if a != "report"])
def test_labels_reach_no_stage_before_report(address: str) -> None:
    """Neither the labels nor a folder that holds them; nor raw files, past `prepare`."""
    for dep in paths(address, "deps"):
        assert "label" not in dep
        assert dep not in ("data", "data/*")
        if address != "prepare":
            assert not dep.endswith("/raw")


def test_report_depends_on_the_labels() -> None:
    assert "data/*/labels.npy" in paths("report", "deps")


def test_curves_and_models_that_dvc_knows_are_outs_of_stages() -> None:
    outs = {Path(out.fs_path).relative_to(ROOT).as_posix() for out in INDEX.outs}
    (plots,), (models,) = INDEX._plots.values(), INDEX._artifacts.values()
    places = [*(place for plot in plots for place in plot), *(m["path"] for m in models.values())]
    assert len(places) == 3
    assert outs.issuperset(places)


@pytest.mark.parametrize("address", [a for a in ORDER if a != "fetch"])
def test_a_stage_depends_on_its_sections_and_on_the_code_s_digest(
    address: str,
) -> None:
    deps = paths(address, "deps")
    assert f"artifacts/*/params/{address}.json" in deps
    assert STAGES[address].cmd == f"sh pipelines/stage {address}"
    assert (ROOT / f"pipelines/{address}.py").exists()


def test_rows_of_other_seeds_wait_for_the_sections_of_their_encoders() -> None:
    """These are trained there, and no file of stage `encode` says that their rows have changed."""
    assert {"baselines", "autoencoders"} < set(sections.SECTIONS["seeds"])


def test_report_looks_again_when_a_model_is_to_be_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other stage does."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "artifacts/digits/params"

    def written(**more: bool) -> dict[str, str]:
        raw = {**PARAMS, "autoencoders": {"narrow": {**row(), **more}, "other": row()}}
        sections.write(params.from_dict(raw), {})
        return {file.stem: file.read_text() for file in folder.iterdir()}

    before, after = written(), written(log_model=True)
    assert [stage for stage in before if before[stage] != after[stage]] == ["report"]


def rows() -> dict[str, list[Row]]:
    """Rows of a small project by stage."""
    searches = {
        "tuned": {
            "row": "narrow",
            "space": {"code_size": {"low": 2, "high": 8}},
            "objectives": [{"name": "reconstruction"}],
            "n_trials": 2,
        }
    }
    p = params.from_dict({**PARAMS, "autoencoders": {"narrow": row()}, "searches": searches})
    own = runner.setting_of(p)
    other = runner.Setting("digits", 1, "cpu", is_logged=False)
    return {
        "tune": [tune.row_of(p, "tuned")],
        "encode": [encode.encoder_row(own, p, key) for key in ("pca", "narrow")],
        "cluster": [cluster.row_of(own, p, key, 10) for key in p.clusterings],
        "deep_cluster": [deep_cluster.row_of(own, p, key, 10) for key in p.deep_clusterings],
        "evaluate": [
            *(evaluate.encoder_row(p, key) for key in ("pca", "narrow")),
            *(evaluate.refined_row(p, key) for key in p.deep_clusterings),
        ],
        "seeds": [
            *(seeds.encoder_row(other, p, key, None) for key in ("pca", "narrow")),
            *(seeds.clustering_row(other, p, key, 10) for key in ("pca-kmeans", "narrow-dec")),
        ],
    }


@pytest.mark.parametrize("address", list(rows()))
def test_dvc_waits_for_every_file_that_a_row_reads(address: str) -> None:
    """A file is a dep, or of a row that an index among the deps, or an own out, holds."""
    deps, outs = paths(address, "deps"), paths(address, "outs")
    for single in rows()[address]:
        assert any(out in f"{single.folder.as_posix()}/".replace("digits", "*") for out in outs)
        for file in single.reads:
            name = file.as_posix().replace("/digits", "/*", 1)
            holders = {f"{parent}/rows.json" for parent in Path(name).parents}
            own = any(name.startswith(f"{out}/") for out in outs)
            assert name in deps or holders & deps or own, f"{address} reads {name}"
