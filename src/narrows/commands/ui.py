"""MLflow's page on the runs of this folder, on this machine only.

narrows ui --port 5000
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from narrows.commands import _base
from narrows.config import params
from narrows.errors import UserError, mask_passwords
from narrows.rendering import progress


def parser() -> argparse.ArgumentParser:
    """The command line."""
    return _base.port_parser(__name__, __doc__, 5000)


def main(words: Sequence[str]) -> int:
    """Runs MLflow's server."""
    port = parser().parse_args(words).port

    from narrows import tracking
    from narrows.tracking import views

    p = params.load()
    dataset = p.dataset.name
    if tracking.uri().startswith("http"):
        url = mask_passwords(tracking.uri())
        raise UserError(f"the runs are at {url}, whose own page shows them")
    ours = ", perhaps by a page of yours that is still open"
    _base.check_port(port, f"{ours}; name another one with --port {port + 1}")
    with progress.watch("ui"):
        client = tracking.open_client()
        experiment = client.get_experiment_by_name(dataset) if client else None
    if experiment is None:
        raise UserError(f"{dataset} has no runs yet; `dvc repro` makes some")
    runs = {views.ROWS: "every row of", views.ENCODERS: "the encoders of"}
    runs |= {views.of_search(key): f"the trials of {key} on" for key in p.searches}
    for view, what in runs.items():
        address = views.address(port, experiment.experiment_id, view)
        print(f"{what} {dataset}: {address}", flush=True)
    mlflow = Path(sys.executable).with_name("mlflow")
    command = [str(mlflow), "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    env["MLFLOW_BACKEND_STORE_URI"] = tracking.uri()  # all users see a command line's passwords
    return _base.serve(command, env)
