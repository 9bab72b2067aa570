"""The files of DVC tell the truth: deps list what a stage imports, and labels reach only `report`.

DVC hashes the files in `deps` and does not follow imports (dvc issue 9195), so a forgotten line
means a stale result that looks fresh.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo

from narrows.config import params, plugins

ROOT = Path(__file__).parent.parent
CARRIERS = {  # they move values, words and pictures for MLflow, and make no result
    *(f"src/narrows/{name}.py" for name in ("errors", "params", "plugins", "provenance")),
    *(f"src/narrows/{name}.py" for name in ("tracking", "work")),
    *(f"src/narrows/{name}.py" for name in ("sections", "space")),
}
SHARED = {  # serve plug-ins that not every row has, or that are known only after `tune`
    *(f"src/narrows/{name}.py" for name in ("jacobian", "losses")),
}
STAGES = {stage.name: stage for stage in Repo(str(ROOT)).index.stages}


def imports(path: Path) -> Iterator[Path]:
    """Files of the package that `path` imports, directly."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("narrows"):
            dotted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            dotted = [a.name for a in node.names if a.name.startswith("narrows.")]
        else:
            continue
        files = (ROOT / "src" / (str(name).replace(".", "/") + ".py") for name in dotted)
        yield from (file for file in files if file.exists())


def closure(path: Path) -> set[str]:
    seen, todo = set(), [path]
    while todo:
        for file in imports(todo.pop()):
            name = file.relative_to(ROOT).as_posix()
            if name not in seen | CARRIERS:
                seen.add(name)
                todo.append(file)
    return seen


def selected(address: str) -> set[str]:
    """Files of the plug-ins that a stage loads by name."""
    p = params.load(ROOT / "params.yaml")
    stage, _, key = address.partition("@")
    rows = {
        "baseline": p.baselines,
        "train": p.autoencoders,
        "train_tuned": dict.fromkeys(p.searches),  # the winner's files are told in winner.json
        "tune": p.searches,
        "cluster": p.clusterings,
        "deep_cluster": p.deep_clusterings,
    }
    whole = {"fetch": p.dataset, "prepare": p.dataset, "evaluate": p.evaluate}
    section = rows[stage][key] if stage in rows else whole.get(stage)
    files = set()
    for plugin in plugins.selected(section):
        file = f"src/narrows/{plugin.family}/{plugin.name}.py"
        files |= {file} | closure(ROOT / file)
    return files


def deps(address: str) -> set[str]:
    return {Path(dep.fs_path).relative_to(ROOT).as_posix() for dep in STAGES[address].deps}


def test_every_row_is_a_stage() -> None:
    p = params.load(ROOT / "params.yaml")
    rows = [f"baseline@{key}" for key in p.baselines]
    rows += [f"train@{key}" for key in p.autoencoders if key not in p.searches]
    rows += [f"{stage}@{key}" for stage in ("tune", "train_tuned") for key in p.searches]
    rows += [f"cluster@{key}" for key in p.clusterings]
    rows += [f"deep_cluster@{key}" for key in p.deep_clusterings]
    rows += [f"seeds@{seed}" for seed in p.seeds.values]
    single = ["fetch", "prepare", "choose_k", "evaluate", "seed_encoders", "report"]
    assert sorted(STAGES) == sorted([*single, *rows])


@pytest.mark.parametrize("address", STAGES)
def test_deps_are_the_import_closure(address: str) -> None:
    script = f"pipelines/{address.partition('@')[0].removesuffix('_tuned')}.py"
    needed = {script} | closure(ROOT / script) | selected(address)
    if not address.startswith("report"):
        needed -= {
            "src/narrows/rendering/figures.py"
        }  # pictures for MLflow: a new style trains nothing
    for folder in (ROOT / dep for dep in deps(address) if (ROOT / dep / "__init__.py").exists()):
        for file in folder.glob("*.py"):
            needed |= {file.relative_to(ROOT).as_posix()} | closure(file)
    code = {dep for dep in deps(address) if dep.endswith(".py")}
    families = {dep for dep in deps(address) if (ROOT / dep / "__init__.py").exists()}
    needed = {file for file in needed if str(Path(file).parent) not in families}
    assert needed <= code, f"{address}: add {sorted(needed - code)}"
    surplus = {dep for dep in code - needed - SHARED if not Path(dep).name.startswith("_")}
    assert not surplus, f"{address}: take out {sorted(surplus)}"  # shared _files serve other rows


@pytest.mark.parametrize("address", ["fetch", "prepare"])
def test_what_datasets_share_is_listed_whichever_is_selected(address: str) -> None:
    shared = {
        f"src/narrows/data/datasets/{f.name}" for f in plugins.PACKAGE.glob("datasets/_[a-z]*.py")
    }
    assert len(shared) > 3
    assert shared <= deps(address)


@pytest.mark.parametrize("address", [a for a in STAGES if a != "report"])
def test_labels_reach_no_stage_before_report(address: str) -> None:
    """Neither the labels nor a folder that holds them; nor raw files, past `prepare`."""
    holders = {"data", *(str(Path(out.fs_path).parent) for out in STAGES["prepare"].outs)}
    for dep in deps(address):
        assert "labels" not in dep
        assert "label_names" not in dep
        assert dep not in holders
        if address not in ("prepare",):
            assert not dep.endswith("/raw")


def test_report_depends_on_the_labels() -> None:
    assert f"data/{params.load(ROOT / 'params.yaml').dataset.name}/labels.npy" in deps("report")
