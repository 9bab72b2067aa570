"""Which code a row reaches: an edited statement makes stale what reaches it, a word nothing."""

import ast
import shutil
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from narrows.config import params
from narrows.config.params import Params
from narrows.stages import cluster, deep_cluster, encode, evaluate, runner
from narrows.store import code
from narrows.store.rows import Row

ROOT = Path(__file__).parent.parent
MODULES = sorted(code.module_of(file) for file in code.PACKAGE.rglob("*.py"))


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """Rows of several kinds, by name."""
    p = load()
    setting = runner.setting_of(p)
    every = [encode.encoder_row(setting, p, key) for key in (*p.baselines, *p.autoencoders)]
    every += [cluster.row_of(setting, p, key, 10) for key in p.clusterings]
    every += [deep_cluster.row_of(setting, p, key, 10) for key in p.deep_clusterings]
    every += [evaluate.encoder_row(p, key) for key in p.autoencoders]
    return {row.name: row for row in every}


def load() -> Params:
    from helpers.finished import PARAMS
    from helpers.project import row

    narrow = row()
    conv = {**narrow, "network": {"name": "conv", "channels": [4]}}
    sparse = {**narrow, "penalty": {"name": "l1", "weight": 1e-5}}
    stacked = {**narrow, "name": "stacked", "layer_epochs": 1}
    changes = {"autoencoders": {"narrow": narrow, "conv": conv, "sparse": sparse, "deep": stacked}}
    umap = {"encoder": "narrow", "clusterer": {"name": "umap_gmm"}}
    changes["clusterings"] = {**PARAMS["clusterings"], "narrow-umap": umap}
    return params.from_dict({**PARAMS, **changes})


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package in a folder where a test may edit it; fingerprints read that one."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(code.PACKAGE, tmp_path / "narrows", ignore=ignored)
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "narrows")
    return tmp_path / "narrows"


def digests(rows: dict[str, Row]) -> dict[str, str]:
    return {k: code.digest([row.call.module, *row.plugins]) for k, row in rows.items()}


def reached(row: Row) -> set[str]:
    """What a row's modules import by Python's own finder, which reads byte code; the carriers'
    imports are not followed."""
    bounded = code.BOUNDED

    class Finder(ModuleFinder):
        def import_hook(self, name, caller=None, fromlist=None, level=-1):  # type: ignore[no-untyped-def]
            importer = f"{caller.__name__}." if caller is not None else ""
            if importer == "narrows.":  # the face, whose imports are for checkers of types
                return None
            outside = not name.startswith("narrows")
            if outside or (importer.startswith(bounded) and caller is not None):
                return None
            return super().import_hook(name, caller, fromlist, level)

    finder = Finder(path=[str(code.PACKAGE.parent)])
    for name in (row.call.module, *row.plugins):
        finder.import_hook(name)
    names = {name for name in finder.modules if name.startswith("narrows.")}
    modules = {name for name in names if not f"{name}.".startswith(bounded)}
    return {name for name in modules if code.file_of(name).name != "__init__.py"}


def test_the_closure_is_what_python_finds(rows: dict[str, Row]) -> None:
    for row in rows.values():
        closure = code.closure([row.call.module, *row.plugins])
        closure = {name for name in closure if code.file_of(name).name != "__init__.py"}
        assert closure == reached(row), row.name


def test_an_edited_statement_makes_stale_exactly_what_reaches_it(
    rows: dict[str, Row], copy: Path
) -> None:
    """Every module that a row reaches in turn, and all others at once."""
    before = digests(rows)
    by_row = {name: reached(row) for name, row in rows.items()}
    assert len(MODULES) > 150
    by_some = [
        module for module in MODULES if any(module in modules for modules in by_row.values())
    ]
    n_stale = 0
    for module in by_some:
        file = code.file_of(module)
        text = file.read_text()
        file.write_text(text + "\nEDITED = 1\n")
        stale = {name for name, digest in digests(rows).items() if digest != before[name]}
        file.write_text(text)
        assert stale == {name for name, modules in by_row.items() if module in modules}, module
        n_stale += len(stale)
    assert n_stale > 200
    assert digests(rows) == before
    for module in set(MODULES) - set(by_some):
        file = code.file_of(module)
        if file.name != "__init__.py":
            file.write_text(file.read_text() + "\nEDITED = 1\n")
    assert digests(rows) == before


def test_an_edited_comment_or_docstring_makes_nothing_stale(
    rows: dict[str, Row], copy: Path
) -> None:
    before = digests(rows)
    for module in MODULES:
        file = code.file_of(module)
        text = file.read_text()
        tree = ast.parse(text)
        documented = ast.get_docstring(tree, clean=False)
        if documented:
            text = text.replace(documented, documented + " Edited.", 1)
        file.write_text(text.rstrip("\n") + "  # edited\n\n# edited\n")
    assert digests(rows) == before


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("models/networks/conv.py", {"autoencoders.conv", "evaluations.conv"}),
        ("models/penalties/l1.py", {"autoencoders.sparse", "evaluations.sparse"}),
        ("models/baselines/pca.py", {"baselines.pca"}),
        ("clustering/clusterers/umap_gmm.py", {"clusterings.narrow-umap"}),
        ("clustering/deep_clusterers/dec.py", {"deep_clusterings.narrow-dec"}),
        ("data/datasets/mnist.py", set()),
        ("training/optimizers/adadelta.py", set()),
        ("rendering/figures.py", set()),
        ("tracking/run.py", set()),
    ],
)
def test_rows_by_hand(rows: dict[str, Row], copy: Path, file: str, names: set[str]) -> None:
    before = digests(rows)
    (copy / file).write_text((copy / file).read_text() + "\nEDITED = 1\n")
    stale = {name for name, digest in digests(rows).items() if digest != before[name]}
    assert stale == names


def test_a_digest_is_the_same_whatever_the_layout(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text('"""Words."""\nx = [1,\n     2]  # why\n')
    second.write_text("x = [1, 2]\n")
    assert code.tree_digest(first) == code.tree_digest(second)
    second.write_text("x = [1, 3]\n")
    assert code.tree_digest(first) != code.tree_digest(second)
