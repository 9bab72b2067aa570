"""Tests belong to the tool: another experiment in the checkout makes none of them fail."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.project import ROOT, environment

SAMPLE = ("params", "dvc_yaml", "gallery", "text_page", "architecture")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files with somebody's params.yaml, results and README."""
    copy = tmp_path_factory.mktemp("checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    shutil.copy(ROOT / "examples/points.yaml", copy / "params.yaml")
    (copy / "README.md").write_text("# Mine\n")
    shutil.rmtree(copy / "docs/results")
    for file in ("results/points/clusterings.csv", "results/points/headline.json", "dvc.lock"):
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        (copy / file).write_text("schema: '2.0'\n")
    return copy


def test_all_tests_are_collected_and_a_sample_of_them_passes(
    checkout: Path, tmp_path: Path
) -> None:
    sample = " or ".join(f"test_{name}.py" for name in SAMPLE)
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-k", sample]
    # folders of two sessions would be in each other's way
    env = environment(checkout / "src") | {"PYTEST_DEBUG_TEMPROOT": str(tmp_path)}
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    match = re.search(r"(\d+) passed, (?:\d+ skipped, )?(\d+) deselected", done.stdout)
    assert match
    assert min(map(int, match.groups())) > 100
