"""`python -m narrows restore RUN [FOLDER]`: code, params and data of a run, in a new folder."""

import argparse
from pathlib import Path

from narrows.errors import UserError


def main(argv: list[str]) -> int:
    """0 if everything was got, 3 if something is missing; what, is said."""
    parser = argparse.ArgumentParser("python -m narrows restore", description=__doc__)
    parser.add_argument("run", help="id of an MLflow run, or its name: the latest one of it")
    parser.add_argument("folder", nargs="?", type=Path, help="restored-<row>-<id> if not given")
    asked = parser.parse_args(argv)

    from narrows.tracking import lookup, provenance, restore

    run = lookup.find(asked.run)
    if run is None:
        raise UserError(f"MLflow has no run of the id or name {asked.run!r}")
    name, short = run.info.run_name, run.info.run_id[:8]
    folder = asked.folder or Path(f"restored-{name.replace(' ', '-')}-{short}")
    missing = restore.restore(run, folder)
    commit = run.data.tags[provenance.COMMIT][:10]
    print(f"{folder}: commit {commit}, params and data of run {short} ({name})")
    for what in missing:
        print(f"  missing: {what}")
    inside = folder / provenance.git("rev-parse", "--show-prefix")
    print("To make its result again, with the code in that folder:")
    print(f"  cd {inside} && {restore.repeat_command(run, inside)}")
    return 3 if missing else 0
