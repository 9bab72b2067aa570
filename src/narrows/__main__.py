"""`narrows <command> ...`: a new project, and what people do with finished rows.

`python -m narrows` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from narrows import errors
from narrows.config.messages import cut, nearest

COMMANDS = {  # a name, the file of it in src/narrows/commands/, and what `narrows` says of it
    "new": "a project on your data: params.yaml with rows for it, the pipeline, a README",
    "gallery": "one offline page of a clustered picture dataset, or a folder for each cluster",
    "apply": "clusters, outliers and the most similar known samples of new files",
    "predict": "clusters or codes of new files by a model of MLflow, from any folder",
    "table": "one offline page of a clustered table: profiles, odd rows, rules",
    "text": "one offline page of clustered documents, or the documents nearest to a query",
    "atlas": "a clustering as a Parquet file for embedding-atlas, with map and neighbours",
    "compare": "rows, git revisions or MLflow runs side by side, as one page",
    "restore": "code, params and data of an MLflow run, in a new folder",
    "promote": "a clustering becomes MLflow's champion, if it is better over five seeds",
    "serve": "answers requests with the champion, on this machine only",
    "ui": "MLflow's page on the runs of this folder, on this machine only",
    "export": "a trained encoder as an ONNX file",
    "search": "adds trials to a search of params.yaml for as long as it is given",
    "dashboard": "optuna-dashboard on the database of searches, on this machine only",
    "doctor": "what is installed and what this folder works with",
}
COMPLETION = "--print-completion"
SHELLS = ("bash", "zsh", "tcsh")


def main(*words: str) -> None:
    """Runs a command: its module's `main` takes the other words and returns the exit code."""
    if words and words[0] == COMPLETION:
        complete(words[1:])
        return
    if not words or words[0] not in COMMANDS:
        commands = "".join(f"\n  {name:10}{what}" for name, what in COMMANDS.items())
        usage = f"usage: narrows <command> ...{commands}"
        if words and words[0] in ("-h", "--help"):
            print(f"{usage}\n\nnarrows <command> --help says more, {COMPLETION} bash completes it")
            return
        if not words:
            raise errors.UserError(usage)
        known = nearest(words[0], COMMANDS)
        raise errors.UserError(f"no command {cut(words[0])!r}{known}; {usage}")
    if code := import_module(f"narrows.commands.{words[0]}").main(words[1:]):
        sys.exit(code)


def whole_parser() -> argparse.ArgumentParser:
    """A parser of all commands at once: what completion and the reference are made of."""
    import shtab

    parser = argparse.ArgumentParser(prog="narrows", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, what in COMMANDS.items():
        own = import_module(f"narrows.commands.{name}").parser()
        for action in own._actions:
            if action.type is Path:
                action.complete = shtab.FILE
        commands.add_parser(
            name, help=what, description=own.description, parents=[own], add_help=False
        )
    return parser


def complete(words: Sequence[str]) -> None:
    """Prints what a shell needs to complete commands, options and files.

    Raises:
        UserError: it is no shell that can be helped.
    """
    import shtab

    if len(words) != 1 or words[0] not in SHELLS:
        accepted = ", ".join(SHELLS)
        raise errors.UserError(f"{COMPLETION}: accepted are {accepted}, found {' '.join(words)!r}")
    print(shtab.complete(whole_parser(), shell=words[0]))


def run() -> None:
    """The console script `narrows`."""
    errors.run(main)


if __name__ == "__main__":
    run()
