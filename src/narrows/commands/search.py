"""Adds trials to a search's study for as long as it is given: by hand, from cron, on any machine.

narrows search small-codes --timeout 2h --workers 2

Exit codes: 0 with new finished trials, 3 without one, 75 if another search runs and this one
leaves, 1 for a mistake that a sentence explains.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from narrows.commands import _base
from narrows.config import params


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from narrows.stages import search

    parser = _base.parser(__name__, __doc__)
    search.add_arguments(parser)
    return parser


def main(words: Sequence[str]) -> int:
    """Searches; ends the process with 3 or 75 itself."""
    from narrows.stages import search

    search.search(params.load(), search.checked(parser(), words))
    return 0
