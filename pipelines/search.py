"""Adds trials to a search's study for as long as it is given: by hand, from cron, on any machine.

    python pipelines/search.py small-codes --timeout 2h --workers 2

Exit codes: 0 with new finished trials, 3 without one, 75 if another search runs and this one
leaves, 1 for a mistake that a sentence explains.
"""

from narrows import errors
from narrows.config import params
from narrows.stages import search


def main(*words: str) -> None:
    options = search.parse(words, __doc__)
    search.search(params.load(), options)


if __name__ == "__main__":
    errors.run(main)
