"""`python -m narrows compare A B ...`: rows, git revisions or MLflow runs side by side."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.errors import UserError

if TYPE_CHECKING:
    from narrows.explore.compare.sides import Side, Tree


def main(argv: list[str]) -> int:
    """Writes the page and prints the tables."""
    parser = argparse.ArgumentParser("python -m narrows compare", description=__doc__)
    accepted = "a row of params.yaml, REVISION:ROW, a git revision, or an MLflow run's id or name"
    parser.add_argument("sides", nargs="+", metavar="SIDE", help=accepted)
    parser.add_argument("--output", type=Path, default=Path("compare.html"))
    asked = parser.parse_args(argv)
    if len(asked.sides) < 2:
        raise UserError(f"two sides or more are compared, found {asked.sides[0]!r} alone")

    from narrows.explore.compare import differences, page
    from narrows.explore.compare.sides import Tree

    with ExitStack() as stack:  # copies of revisions' files last until the page is written
        row = next((name for name in asked.sides if _has_row(Tree(), name)), "")
        sides = [_side(name, row, stack) for name in asked.sides]
        asked.output.write_text(page.render(sides), encoding="utf-8")
        print(page.in_words(sides))
    n_params, n_scores = len(differences.params(sides)), len(differences.metric_rows(sides))
    print(f"\n{asked.output}: {n_params} params that differ, {n_scores} scores, pictures")
    return 0


def _side(name: str, row: str, stack: ExitStack) -> Side:
    """Beside a row, a revision stands for what it has of that row."""
    from narrows.explore.compare import sides
    from narrows.tracking import lookup, provenance

    here = sides.Tree()
    if _has_row(here, name):
        return sides.of_row(name, here, name, _dataset(here))
    at, _, key = name.partition(":")
    if commit := provenance.git("rev-parse", "--verify", "--quiet", f"{at}^{{commit}}"):
        tree = stack.enter_context(sides.revision(commit))
        key = key or (row if _has_row(tree, row) else "")
        if not key:
            return sides.of_revision(name, tree)
        if not _has_row(tree, key):
            raise UserError(f"params.yaml of {at} has no row {key!r}")
        return sides.of_row(name, tree, key, _dataset(tree))
    if run := lookup.find(name):
        return lookup.side(run)
    raise UserError(
        f"{name!r} is no row of params.yaml, no git revision, and no id or name of an MLflow run"
    )


def _has_row(tree: Tree, key: str) -> bool:
    from narrows.explore.compare import sides

    told = sides.params_of(tree)
    return bool(sides.row_of_params(told, key))


def _dataset(tree: Tree) -> str:
    from narrows.explore.compare import sides

    return str(sides.params_of(tree)["dataset"]["name"])
