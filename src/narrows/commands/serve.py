"""MLflow's scoring server answers requests with the champion, on this machine only.

narrows serve --port 5001
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from narrows.commands import _base
from narrows.config import params
from narrows.errors import UserError
from narrows.rendering import progress


def parser() -> argparse.ArgumentParser:
    """The command line."""
    return _base.port_parser(__name__, __doc__, 5001)


def main(words: Sequence[str]) -> int:
    """Runs the server."""
    port = parser().parse_args(words).port

    dataset = params.load().dataset.name
    with progress.watch("serve"):
        from narrows import tracking
        from narrows.tracking import registry

        champion = registry.champion(dataset)
    if champion is None:
        raise UserError(f"{dataset} has no champion; `narrows promote ROW` makes one")
    _base.check_port(port, "; name another one with --port")
    print(f"{registry.uri(dataset)}: http://127.0.0.1:{port}/invocations", flush=True)
    env = {"MLFLOW_TRACKING_URI": tracking.uri(), "NARROWS_SERVES": "1"}
    server = str(Path(tracking.__file__).with_name("serving.py"))
    command = [sys.executable, "-P", server, registry.uri(dataset), str(port)]
    return _base.serve(command, env)
