"""A new project on your data: pictures, a table, documents, an array, or a set that others have.

narrows new ~/flowers --data ~/Pictures/flowers
narrows new ~/customers --data ~/customers.csv
narrows new ~/cifar --data torchvision:CIFAR10

It looks at the data and writes a short params.yaml with comments, the pipeline, and a README. Your
files stay where they are and as they are.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from narrows.commands import _base, _project
from narrows.data import look
from narrows.rendering import progress


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    parser.add_argument("folder", type=Path, help="one that is not there yet, or an empty one")
    parser.add_argument("--data", required=True, help=look.ACCEPTED)
    return parser


def main(words: Sequence[str]) -> int:
    """Writes the project, and says what is there and how to go on."""
    options = parser().parse_args(words)
    folder = options.folder.expanduser()
    with progress.watch("new"):
        proposal = look.look(options.data)
        _project.create(folder, proposal)
    for line in proposal.lines:
        print(line)
    print(f"\n{folder}: a project with the rows for such data. Go on with\n")
    print(f"    cd {shlex.quote(str(folder))} && dvc repro\n")
    page = Path("results", proposal.dataset["name"], "report.html")
    print(f"and open {page} in it; README.md there says what else.", flush=True)
    return 0
