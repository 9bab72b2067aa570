"""`python -m narrows <command> ...`: what people do with finished runs."""

import sys
from importlib import import_module

from narrows import errors

COMMANDS = {  # a name, the file of it in src/narrows/commands/, and what `python -m narrows` says
    "apply": "clusters, outliers and the most similar known samples of new files",
    "compare": "rows, git revisions or MLflow runs side by side, as one page",
    "dashboard": "optuna-dashboard on the database of searches, on this machine only",
    "export": "a trained encoder as an ONNX file",
    "gallery": "one offline page of a clustered picture dataset, or a folder for each cluster",
    "promote": "a clustering becomes MLflow's champion, if it is better over five seeds",
    "restore": "code, params and data of an MLflow run, in a new folder",
    "serve": "answers requests with the champion, on this machine only",
    "table": "one offline page of a clustered table: profiles, odd rows, rules",
    "text": "one offline page of clustered documents, or the documents nearest to a query",
    "ui": "MLflow's page on the runs of this folder, on this machine only",
}


def main(*words: str) -> None:
    """Runs a command: its module's `main` takes the other words and returns the exit code."""
    if not words or words[0] not in COMMANDS:
        commands = "".join(f"\n  {name:10}{what}" for name, what in COMMANDS.items())
        usage = f"usage: python -m narrows <command> ...{commands}"
        if words and words[0] in ("-h", "--help"):
            print(usage)
            return
        raise errors.UserError(f"no command {words[0]!r}; {usage}" if words else usage)
    if code := import_module(f"narrows.commands.{words[0]}").main(words[1:]):
        sys.exit(code)


if __name__ == "__main__":
    sys.argv[0] = "-m narrows"
    errors.run(main)
