"""What README and docs show of the default's results: a copy in docs/results, and their tables.

    python benchmarks/published.py            # `make results`: copies, and writes the tables
    python benchmarks/published.py --check    # exit code 1 where a table is not its file

A run of the pipeline changes results/, which is no part of git; what is published changes when a
maintainer says so. A table follows a comment such as

    <!-- docs/results/mnist_5k/clusterings.csv, split test: clustering acc nmi -->

with its file, the rows of it, the column of keys and the columns of numbers. Rows that the file has
and the table has not are added, unless `, these rows` stands before the colon.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "docs/results"
TABLE = re.compile(
    r"(?P<comment><!-- (?P<file>docs/results/\S+\.csv)(?:, split (?P<split>\w+))?"
    r"(?P<these>, these rows)?: (?P<columns>.*) -->\n)(?P<head>\|.*\n\|.*\n)(?P<rows>(?:\|.*\n)*)"
)
FIGURE = re.compile(r"results/([\w-]+/figures/[\w.@-]+\.png)")
Numbers = dict[str, dict[str, str]]  # cells of a CSV by key and column


def pages() -> Iterator[Path]:
    """README and every page of docs/."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def copy() -> None:
    """Copies the CSVs of every data set that is published, and the figures that a page shows."""
    for page in pages():
        for name in FIGURE.findall(page.read_text(encoding="utf-8")):
            if (source := ROOT / "results" / name).exists():
                (PUBLISHED / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, PUBLISHED / name)
    for folder in PUBLISHED.iterdir():
        for source in (ROOT / "results" / folder.name).glob("*.csv"):
            shutil.copy(source, folder)


def numbers(match: re.Match[str]) -> Numbers:
    """The rows of a table's file."""
    key, split = match["columns"].split()[0], match["split"]
    with (ROOT / match["file"]).open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if not split or row["split"] == split]
    return {row[key]: row for row in rows}


def table(match: re.Match[str]) -> str:
    """A table with its file's numbers, each to as many digits as stand in its column."""
    names, measured = match["columns"].split()[1:], numbers(match)
    lines = [line.strip("|\n").split("|") for line in match["rows"].splitlines()]
    known = {line[0].strip("` "): line for line in lines}
    digits = [
        max((len(line[i].strip().partition(".")[2]) for line in lines), default=3)
        for i in range(1, len(names) + 1)
    ]
    rows = []
    new = [] if match["these"] else [key for key in measured if key not in known]
    for key in [*(key for key in known if key in measured), *new]:
        values = [measured[key][name] for name in names]
        texts = [f"{float(v):,.{n}f}" if v else "" for v, n in zip(values, digits, strict=True)]
        rows.append("|".join(["", f" `{key}` ", *(f" {text} " for text in texts), "\n"]))
    return match["comment"] + match["head"] + "".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    checks = parser.parse_args().check
    if not checks:
        copy()
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        written = TABLE.sub(table, text)
        if written != text:
            stale.append(str(page.relative_to(ROOT)))
            if not checks:
                page.write_text(written, encoding="utf-8")
    if checks and stale:
        sys.exit(f"{', '.join(stale)}: tables differ from docs/results; run make results")


if __name__ == "__main__":
    main()
