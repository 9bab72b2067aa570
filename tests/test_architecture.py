"""Which room may import which, what belongs to one file alone, and how large things may be."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrows.config import plugins

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src/narrows"
ROOMS = (  # a room imports itself and those before it
    *("errors", "config", "store", "rendering", "engine", "data", "models", "training"),
    *("clustering", "evaluation", "tracking", "search", "report", "stages", "explore", "commands"),
    *("api", "sklearn"),
)
FACE = {"__init__.py", "__main__.py", "sklearn.py", "py.typed"}  # what others import or start
LIBRARIES = {  # and the rooms that may import them
    "lightning": {"training", "clustering"},
    "pytorch_lightning": {"training", "clustering"},
    "mlflow": {"tracking"},
    "optuna": {"search"},
    "ray": {"engine"},
    "submitit": {"engine"},
}
HEAVY = {"torch", "torchvision", "sklearn", "pandas", "matplotlib", "mlxtend", "umap"}
FAMILIES = sorted(
    {file.parent for file in SRC.glob("*/*/*.py") if file.name == "_base.py"}
    - {SRC / "explore/compare"}
)
BANNED = frozenset("told found made kept one few shown asked given wanted drawn".split())
MAX_FUNCTION, MAX_FILE = 50, 400


def imports(file: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module == "narrows":
                yield from (f"narrows.{alias.name}" for alias in node.names)
            else:
                yield module


def room(file: Path) -> str:
    return file.relative_to(SRC).parts[0].removesuffix(".py")


def test_rooms_import_only_rooms_before_them() -> None:
    doors = {SRC / "__init__.py", SRC / "__main__.py"}  # which lead to all rooms
    files = [file for file in SRC.rglob("*.py") if file not in doors]
    assert len(files) > 150
    for file in files:
        for name in imports(file):
            if name.startswith("narrows."):
                target = name.split(".")[1]
                message = f"{file.relative_to(SRC)} may not import {name}"
                assert ROOMS.index(target) <= ROOMS.index(room(file)), message


def test_every_room_is_in_the_list_and_the_package_has_few_entries() -> None:
    entries = {path.name for path in SRC.iterdir() if path.name != "__pycache__"}
    assert entries == {*FACE, "errors.py", *ROOMS[1:-1]}
    assert len(entries - FACE) <= 17


def test_frameworks_stay_in_their_rooms() -> None:
    for file in SRC.rglob("*.py"):
        for name in imports(file):
            rooms = LIBRARIES.get(name.split(".")[0])
            assert rooms is None or room(file) in rooms, f"{file.relative_to(SRC)} imports {name}"


def test_plugins_of_a_family_do_not_import_one_another() -> None:
    families = {plugins.folder(path.name) for path in FAMILIES}
    for family in families:
        for file in family.glob("*.py"):
            inner = f"narrows.{family.parent.name}.{family.name}."
            siblings = [n.removeprefix(inner) for n in imports(file) if n.startswith(inner)]
            assert all(name.startswith("_") for name in siblings), file


def test_plugins_import_heavy_libraries_inside_their_verbs() -> None:
    """Every stage reads every selected Config; `fetch` should not wait for torch."""
    files = [file for family in FAMILIES for file in family.glob("[a-z]*.py")]
    assert len(files) > 40
    for file in files:
        for node in ast.parse(file.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heavy = {name.split(".")[0] for name in names} & HEAVY
            assert not heavy, f"{file.name} imports {heavy} at the top"


def test_nothing_imports_the_pipelines() -> None:
    assert not [f for f in SRC.rglob("*.py") if any(n.startswith("pipelines") for n in imports(f))]


@pytest.mark.parametrize("folder", ["src/narrows", "pipelines", "benchmarks"])
def test_functions_and_files_stay_short(folder: str) -> None:
    for file in (ROOT / folder).rglob("*.py"):
        text = file.read_text()
        assert len(text.splitlines()) <= MAX_FILE, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and folder != "benchmarks":
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= MAX_FUNCTION, f"{file.relative_to(ROOT)}: {node.name}, {length}"


def test_scripts_of_stages_are_a_call() -> None:
    for file in (ROOT / "pipelines").glob("*.py"):
        assert len(file.read_text().splitlines()) < 40, file


def test_the_core_neither_probes_plugins_nor_knows_them_by_name() -> None:
    names = {name for family in FAMILIES for name in plugins.available(family.name)}
    # words of their own, too
    names -= {"mnist", "table", "text", "points", "digits", "none", "code_size"}
    for file in SRC.rglob("*.py"):
        if file.parent in FAMILIES or room(file) in ("report", "explore", "commands"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "hasattr", f"{file.relative_to(SRC)}: hasattr"
            if isinstance(node, ast.Compare):
                words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                known = {word for word in words if isinstance(word, str)} & names
                assert not known, f"{file.relative_to(SRC)} knows {known}"


def test_test_files_do_not_import_one_another() -> None:
    for file in (ROOT / "tests").rglob("*.py"):
        others = [name for name in imports(file) if name.startswith("test_")]
        assert not others, f"{file.relative_to(ROOT)} imports {others}; move it to tests/helpers"


def new_names(node: ast.AST) -> list[str]:
    """Names that a piece of code gives to something."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case ast.arg(arg=name) | ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return [name]
        case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            return [name]
    return []


@pytest.mark.parametrize("folder", ["src/narrows", "pipelines", "benchmarks", "tests"])
def test_names_are_words_of_the_field(folder: str) -> None:
    """A name says what a thing is, not how one came by it."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            bad = BANNED & set(new_names(node))
            assert not bad, f"{file.relative_to(ROOT)}:{node.lineno}: {bad}"  # type: ignore[attr-defined]
