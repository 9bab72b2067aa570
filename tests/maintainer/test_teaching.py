"""Every line that README and the guides tell to change can be changed, every command is one."""

import re
import shlex
import subprocess
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from narrows.__main__ import COMMANDS
from narrows.config import params

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs/getting-started.md"]
PAGES += sorted((ROOT / "docs/guides").glob("*.md"))
BLOCKS = [
    re.sub(r"\\\n\s*", "", block)
    for page in PAGES
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
]
LINES = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines()]
OTHERS = {"cd", "cp", "curl", "docker", "export", "gto", "python", "srun", "torchrun"}
EXPERIMENT = subprocess.run(  # as committed: somebody may be trying what the docs say
    ["git", "show", "HEAD:params.yaml"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout
CHANGES = [line for line in LINES if "-S" in line]


def changed(words: list[str]) -> dict[str, Any]:
    """params.yaml after `-S key=value ...`, as DVC changes it."""
    yaml = YAML(typ="safe")
    values: dict[str, Any] = yaml.load(EXPERIMENT)
    for flag, change in pairwise(words):
        if flag == "-S":
            path, _, value = change.partition("=")
            *folders, key = path.lstrip("+~").split(".")
            place = values
            for folder in folders:
                place = place.setdefault(folder, {}) if path.startswith("+") else place[folder]
            assert path.startswith("+") != (key in place), f"{path} is there, or is not"
            place[key] = yaml.load(value)
            if path.startswith("~"):
                del place[key]
    return values


@pytest.mark.parametrize("words", CHANGES, ids=lambda words: " ".join(words))
def test_a_changed_line_is_accepted_and_changes_something(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    before = params.from_dict(YAML(typ="safe").load(EXPERIMENT))
    assert params.from_dict(changed(words)) != before


def test_make_full_has_the_settings_of_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    commands = subprocess.run(
        ["make", "-n", "full"], capture_output=True, text=True, check=True
    ).stdout
    (line,) = (line for line in commands.splitlines() if line.startswith("dvc exp run"))
    rows = params.from_dict(changed(shlex.split(line))).autoencoders
    for key in ("deep", "deep-sigmoid"):
        train = rows[key].config.train
        assert (train.epochs, train.batch_size, train.patience) == (500, 2048, None)
        assert (train.optimizer.name, train.schedule.name) == ("keras_adam", "none")
    variational = rows["variational"].config
    assert (variational.network.config.hidden, variational.code_size) == ((500, 500), 20)
    assert (variational.train.epochs, variational.train.optimizer.config.lr) == (60, 1e-3)


def test_commands_are_there() -> None:
    assert len(CHANGES) >= 16
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in filter(None, LINES):
        words = list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), line))
        if words[0] == "make":
            assert words[1] in targets, line
        elif words[0] == "narrows":
            assert words[1] in COMMANDS, line
        else:
            assert words[0] in {"dvc", *OTHERS}, line
