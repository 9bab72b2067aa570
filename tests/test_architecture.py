"""Who may import whom. A new edge is a decision: change the table in the same commit."""

import ast
from pathlib import Path

from narrows.config import plugins

SRC = Path(__file__).parent.parent / "src/narrows"
FAMILIES = {folder.name for folder in SRC.iterdir() if (folder / "__init__.py").exists()}
BASE = {"errors", "plugins"}
ALLOWED = {  # importer -> what it may import of the package at most
    "errors": set(),
    "plugins": set(),
    "figures": set(),
    "jacobian": set(),
    "losses": set(),
    "metrics": set(),
    "reconstruction": set(),
    "mirrors": {"errors", "sources"},
    "sources": {"errors"},
    "splits": {"errors"},
    "work": {"errors"},
    "tracking": {"errors", "provenance"},
    "provenance": set(),
    "params": BASE | {"sections", "space", "work"},
    "sections": {"plugins", "space"},
    "space": {"plugins"},
    "search": {
        *("errors", "model", "objectives._base", "params", "plugins", "prepared", "sections"),
        *("space", "stored", "studies", "training", "work"),
    },
    "templates": set(),
    "warm": set(),
    "gains": {"templates"},
    "studies": {"errors", "gains", "work"},
    "trials": {"figures", "gains", "model", "prepared", "search", "tracking"},
    "launchers": {"errors"},
    "objectives": BASE | {"blocks", "metrics", "model", "stored"},
    "blocks": set(),
    "stored": {"blocks"},
    "prepared": {"blocks", "splits", "stored", "work"},
    "model": {"errors", "plugins", "stored"},
    "encoding": {"blocks", "model", "plugins", "prepared", "reconstruction", "splits"},
    "evaluation": {
        *("clusterers._base", "errors", "jacobian", "model", "plugins", "reconstruction"),
    },
    "specimens": {"evaluation", "model", "plugins"},
    "batches": {"stored"},
    "captured": set(),
    "stepping": {"captured", "model"},
    "progress": {"errors", "model"},
    "training": {
        *("batches", "errors", "model", "plugins", "progress", "stepping", "stored", "trainer"),
    },
    "together": {
        *("batches", "model", "plugins", "progress", "stored", "trainer", "training"),
    },
    "health": set(),
    "trainer": {"errors"},
    "start": {"errors", "model", "plugins", "stored"},
    "refinement": {
        *("batches", "captured", "errors", "health", "model", "plugins", "start", "stepping"),
        "trainer",
    },
    "choose_k": {"metrics", "clusterers._base"},
    "saved": {"errors", "model", "params", "start"},
    "promotion": {"blocks", "errors", "metrics", "params", "probes", "splits", "work"},
    "registry": {"errors", "promotion", "tracking"},
    "served": {"errors", "incoming", "saved"},
    "sides": {"tracking"},
    "runs": {"errors", "provenance", "sides", "tracking"},
    "restoring": {"errors", "provenance", "runs", "sides", "tracking", "work"},
    "exporting": {"errors", "model", "saved"},
    "comparison": {"metrics", "sides"},
    "comparison_page": {"comparison", "figures", "sides", "templates"},
    "repeats": {
        *("encoding", "model", "params", "prepared", "refinement", "saved", "splits", "start"),
        "training",
    },
    "sheets": set(),
    "probes": {"blocks"},
    "artifacts": {"blocks", "splits", "work"},
    "scoring": {"artifacts", "blocks", "metrics", "probes", "splits"},
    "charts": {"figures"},
    "grids": {"figures"},
    "illustrations": {"artifacts", "charts", "figures", "grids", "scoring"},
    "cluster_pictures": {
        *("artifacts", "figures", "grids", "illustrations", "metrics", "scoring", "sheets"),
    },
    "page": {"artifacts", "claims", "illustrations", "ladder", "scoring", "templates"},
    "claims": set(),
    "ladder": set(),
    "notes": {"ladder"},
    "views": {"tracking"},
    "outliers": set(),
    "own_project": {"errors"},
    "incoming": {"datasets._base", "errors", "plugins", "work"},
    "applied": {"blocks", "outliers", "probes", "saved"},
    "album": {"outliers"},
    "sprites": set(),
    "samples": {"errors"},
    "residuals": {"blocks", "errors", "model", "saved"},
    "gallery_page": {"album", "samples", "sprites", "templates"},
    "folders": {"errors", "sprites"},
    "table_frame": {"datasets._columns", "errors", "work"},
    "profiles": set(),
    "rules": {"profiles"},
    "table_page": {"profiles", "rules", "templates"},
    "terms": set(),
    "text_page": {"templates", "terms"},
    "__main__": {"errors"},
    "commands": {
        *("album", "applied", "blocks", "comparison", "comparison_page", "datasets._base"),
        *("errors", "exporting", "folders", "gallery_page", "incoming", "outliers"),
        *("own_project", "params", "plugins", "probes", "profiles", "promotion", "provenance"),
        *("registry", "residuals", "restoring", "rules", "runs", "samples", "saved", "sides"),
        *("splits", "sprites", "table_frame", "table_page", "terms", "text_page", "tracking"),
        *("views", "work"),
    },
    "datasets": BASE | {"mirrors", "sources", "work"},
    "corruptions": BASE,
    "networks": BASE,
    "penalties": BASE | {"jacobian"},
    "optimizers": BASE,
    "schedules": BASE,
    "baselines": BASE,
    "clusterers": BASE | {"blocks"},
    "deep_clusterers": BASE | {"model"},
    "autoencoders": BASE | {"losses", "networks._base"},
}
LOOPS = {"progress", "refinement", "stepping", "together", "trainer", "training"}
ONLY_IN = {
    "lightning": LOOPS,
    "pytorch_lightning": LOOPS,
    "mlflow": {"registry", "served", "tracking"},
    "optuna": {"search", "studies"},
    "ray": {"launchers.ray"},
}
HEAVY = {"torch", "torchvision", "sklearn", "pandas", "matplotlib", "mlxtend", "umap"}


def edges() -> list[tuple[str, str]]:
    """(file without suffix, dotted module it imports) for every import in the package."""
    found = []
    for file in SRC.rglob("*.py"):
        unit = file.relative_to(SRC).with_suffix("").as_posix().replace("/", ".")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found += [(unit, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                deeper = [f"{module}.{alias.name}" for alias in node.names]
                found += [(unit, name) for name in deeper if module.startswith("narrows")]
                found += [(unit, module)] if not module.startswith("narrows") else []
    return found


def test_only_allowed_edges() -> None:
    found = [(unit, m.removeprefix("narrows.")) for unit, m in edges() if m.startswith("narrows.")]
    assert len(found) > 20
    for unit, module in found:
        importer, imported = unit.split(".")[0], module.split(".")
        if imported[0] in FAMILIES:
            private = importer == imported[0] and imported[1].startswith("_")
            allowed = private or ".".join(imported[:2]) in ALLOWED[importer]
        else:
            allowed = imported[0] in ALLOWED[importer]
        assert allowed, f"{unit} may not import {module}"


def test_frameworks_stay_in_their_file() -> None:
    for unit, module in edges():
        top = module.split(".")[0]
        assert top not in ONLY_IN or unit in ONLY_IN[top], f"{unit} may not import {top}"


def test_nothing_imports_the_pipelines() -> None:
    assert not [unit for unit, module in edges() if module.split(".")[0] == "pipelines"]


def test_plugins_import_heavy_libraries_inside_their_verbs() -> None:
    """Every stage reads every selected Config; `fetch` should not wait for torch."""
    files = [
        SRC / family / f"{name}.py" for family in FAMILIES for name in plugins.available(family)
    ]
    assert len(files) > 15
    for file in files:
        for node in ast.parse(file.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heavy = {name.split(".")[0] for name in names} & HEAVY
            assert not heavy, f"{file.name} imports {heavy} at the top"


def test_files_stay_under_300_lines() -> None:
    files = [*SRC.rglob("*.py"), *SRC.parents[1].glob("pipelines/*.py")]
    long = {f.name: n for f in files if (n := len(f.read_text().splitlines())) > 300}
    assert not long
