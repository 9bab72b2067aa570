"""`python -m narrows serve`: MLflow answers requests with the champion, on this machine only."""

import argparse
import os
import sys
from pathlib import Path

from narrows.commands._base import check_port
from narrows.config import params
from narrows.errors import UserError


def main(argv: list[str]) -> int:
    """Becomes MLflow's server, so that whoever ends this process ends that one."""
    parser = argparse.ArgumentParser("python -m narrows serve", description=__doc__)
    parser.add_argument("--port", type=int, default=5001)
    port = parser.parse_args(argv).port

    from narrows import tracking
    from narrows.tracking import registry

    dataset = params.load().dataset.name
    if registry.champion(dataset) is None:
        raise UserError(f"{dataset} has no champion; `make promote ROW=...` makes one")
    check_port(port, "; name another one with --port")
    print(f"{registry.uri(dataset)}: http://127.0.0.1:{port}/invocations", flush=True)
    mlflow = Path(sys.executable).with_name("mlflow")
    command = [str(mlflow), "models", "serve", "--model-uri", registry.uri(dataset)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    env = {"MLFLOW_TRACKING_URI": tracking.uri(), "NARROWS_SERVES": "1"}
    os.execve(mlflow, command, {**os.environ, **env})
