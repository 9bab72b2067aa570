"""The README says what is so: its numbers, its tree, its commands."""

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        ("clusterings.csv", ["clustering", "acc", "nmi", "ari", "purity"]),
        ("autoencoders.csv", ["autoencoder", "code_size", "n_parameters", "mse", "psnr", "ssim"]),
    ],
)
def test_tables_are_the_results_of_the_default(file: str, columns: list[str]) -> None:
    with (ROOT / "results/mnist_5k" / file).open(newline="") as stream:
        measured = [row for row in csv.DictReader(stream) if row["split"] == "test"]
    after = README.split(f"results/mnist_5k/{file}, split test -->")[1].strip()
    lines = after.split("\n\n")[0].splitlines()[2:]
    told = {cells[0].strip("` "): cells[1:] for cells in (line[1:-1].split("|") for line in lines)}
    assert sorted(told) == sorted(row[columns[0]] for row in measured)
    for row in measured:
        for name, cell in zip(columns[1:], told[row[columns[0]]], strict=True):
            digits = len(cell.strip().replace(",", "").partition(".")[2])
            expected = f"{float(row[name]):.{digits}f}" if row[name] else ""
            assert cell.strip().replace(",", "") == expected, (row[columns[0]], name)


def test_tree_names_every_file_of_the_package() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    named = set(re.findall(r"[\w.-]+\.(?:py|j2)", tree))
    files = [*ROOT.glob("src/narrows/**/*.py"), *ROOT.glob("src/narrows/*.j2")]
    files += ROOT.glob("pipelines/*.py")
    assert len(files) > 40
    assert named == {file.name for file in files} - {"__init__.py"}


def test_make_prints_the_targets_that_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", README)) - {"alone"}
    assert {"repro", "test", "ui"} <= named <= targets


def test_pictures_and_files_exist() -> None:
    for name in re.findall(r"\]\(([\w/.-]+)\)", README):
        assert (ROOT / name).exists(), name
