"""`python -m narrows ui`: MLflow's page on the runs of this folder, on this machine only."""

import argparse
import os
import sys
from pathlib import Path

from narrows.commands._base import check_port
from narrows.config import params
from narrows.errors import UserError


def main(argv: list[str]) -> int:
    """Becomes MLflow's server, so that whoever ends this process ends that one."""
    parser = argparse.ArgumentParser("python -m narrows ui", description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port = parser.parse_args(argv).port

    from narrows import tracking
    from narrows.tracking import views

    p = params.load()
    dataset = p.dataset.name
    if tracking.uri().startswith("http"):
        raise UserError(f"the runs are at {tracking.uri()}, whose own page shows them")
    ours = ", perhaps by a page of yours that is still open"
    check_port(port, f"{ours}; name another one: make ui UI_PORT={port + 1}")
    client = tracking.open_client()
    found = client.get_experiment_by_name(dataset) if client else None
    if found is None:
        raise UserError(f"{dataset} has no runs yet; `make repro` makes some")
    shown = {views.ROWS: "every row of", views.ENCODERS: "the encoders of"}
    shown |= {views.of_search(key): f"the trials of {key} on" for key in p.searches}
    for view, what in shown.items():
        told = views.address(port, found.experiment_id, view)
        print(f"{what} {dataset}: {told}", flush=True)
    mlflow = Path(sys.executable).with_name("mlflow")
    command = [str(mlflow), "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", tracking.uri()]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    os.execve(mlflow, command, {**os.environ, **quiet})
