"""Adds trials to a search's study: `narrows search`, for schedulers that call a script.

python pipelines/search.py small-codes --timeout 2h --workers 2
"""

from narrows import errors
from narrows.commands import search


def main(*words: str) -> None:
    search.main(words)


if __name__ == "__main__":
    errors.run(main)
