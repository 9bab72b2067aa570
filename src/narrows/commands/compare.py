"""Rows, git revisions or MLflow runs side by side, as one page and as tables.

narrows compare conv-kmeans pca-kmeans
narrows compare conv-kmeans HEAD~3 --output since.html
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.commands import _base
from narrows.config.messages import nearest
from narrows.errors import UserError
from narrows.rendering import progress
from narrows.tracking.tree import Tree, revision

if TYPE_CHECKING:
    from narrows.explore.compare.sides import Side


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    accepted = "a row of params.yaml, REVISION:ROW, a git revision, or an MLflow run's id or name"
    parser.add_argument("sides", nargs="+", metavar="SIDE", help=accepted)
    parser.add_argument("--output", type=Path, default=Path("compare.html"), help="the page's file")
    return parser


def main(words: Sequence[str]) -> int:
    """Writes the page and prints the tables."""
    options = parser().parse_args(words)
    if len(options.sides) < 2:
        raise UserError(f"two sides or more are compared, found {options.sides[0]!r} alone")

    # copies of revisions' files last until the page is written
    with progress.watch("compare"), ExitStack() as stack:
        from narrows.explore.compare import differences, page

        row = next((name for name in options.sides if Tree().row(name)), "")
        sides = [_side(name, row, stack) for name in options.sides]
        comparison = differences.compare(sides)
        options.output.write_text(page.render(comparison), encoding="utf-8")
    print(page.in_words(comparison))
    print(f"\n{options.output}: {page.summary(comparison)}")
    return 0


def _side(name: str, row: str, stack: ExitStack) -> Side:
    """What a name on the command line stands for.

    Args:
        row: the first row among the names; beside it, a revision stands for what it has of that
            row.
        stack: closed when the files of revisions are no longer needed.
    """
    from narrows.explore.compare import sides
    from narrows.tracking import lookup, provenance

    working_tree = Tree()
    if working_tree.row(name):
        return sides.of_row(name, working_tree, name, _dataset(working_tree))
    at, _, key = name.partition(":")
    if commit := provenance.git("rev-parse", "--verify", "--quiet", f"{at}^{{commit}}"):
        tree = stack.enter_context(revision(commit))
        key = key or (row if tree.row(row) else "")
        if not key:
            return sides.of_revision(name, tree)
        if not tree.row(key):
            raise UserError(f"params.yaml of {at} has no row {key!r}{nearest(key, tree.keys())}")
        return sides.of_row(name, tree, key, _dataset(tree))
    if run := lookup.find(name):
        return sides.of_run(run)
    raise UserError(
        f"{name!r} is no row of params.yaml{nearest(name, working_tree.keys())}, no git revision, "
        "and no id or name of an MLflow run"
    )


def _dataset(tree: Tree) -> str:
    name = (tree.params().get("dataset") or {}).get("name")
    if name is None:
        raise UserError(f"params.yaml of {tree.name}: dataset.name is missing")
    return str(name)
