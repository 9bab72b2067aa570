"""optuna-dashboard on the database of studies, on this machine only.

narrows dashboard --port 8080
"""

import argparse
import importlib.util
import signal
from collections.abc import Sequence

from narrows.commands import _base
from narrows.errors import UserError
from narrows.rendering import progress


def parser() -> argparse.ArgumentParser:
    """The command line."""
    return _base.port_parser(__name__, __doc__, 8080)


def main(words: Sequence[str]) -> int:
    """Serves until it is ended. optuna-dashboard takes the database from its command line, which
    all users of the machine see with its password; so it is called here."""
    port = parser().parse_args(words).port
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise UserError("optuna-dashboard is not installed; `make .venv/installed-dev` installs it")

    with progress.watch("dashboard"):
        from optuna_dashboard import run_server

        from narrows.search import database, pictures

    _base.check_port(port, "; name another one: make dashboard DASHBOARD_PORT=...")
    url = database.url()
    with database.explain_errors(url):
        storage = database.open_storage(url)
        print(f"studies: http://127.0.0.1:{port}", flush=True)
        # its server takes a KeyboardInterrupt during a request for an error of that page
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        run_server(storage, host="127.0.0.1", port=port, artifact_store=pictures.store())
    return 0
