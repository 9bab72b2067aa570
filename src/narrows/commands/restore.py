"""Code, params and data of an MLflow run, in a new folder.

narrows restore conv-kmeans
narrows restore 3f0c2e9a7b1d4c5e8f60718293a4b5c6 before
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from narrows.commands import _base
from narrows.errors import UserError
from narrows.rendering import progress


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    parser.add_argument("run", help="id of an MLflow run, or its name: the latest one of it")
    parser.add_argument("folder", nargs="?", type=Path, help="restored-<row>-<id> if not given")
    return parser


def main(words: Sequence[str]) -> int:
    """Fills the folder; 0, or 3 if something is missing, which is printed."""
    options = parser().parse_args(words)

    with progress.watch("restore"):
        from narrows.tracking import lookup, provenance, restore

        run = lookup.find(options.run)
        if run is None:
            raise UserError(f"MLflow has no run of the id or name {options.run!r}")
        name, short = run.info.run_name, run.info.run_id[:8]
        folder = options.folder or Path(f"restored-{name.replace(' ', '-')}-{short}")
        missing = restore.restore(run, folder)
    commit = run.data.tags[provenance.COMMIT][:10]
    print(f"{folder}: commit {commit}, params and data of run {short} ({name})")
    for what in missing:
        print(f"  missing: {what}")
    inside = folder / provenance.git("rev-parse", "--show-prefix")
    print("To make its result again, with the code in that folder:")
    print(f"  cd {inside} && {restore.repeat_command(run, inside)}")
    return 3 if missing else 0
