"""MLflow's finished runs, looked up by id or by name, and the files that were logged with them."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from narrows import tracking
from narrows.tracking import artifacts


@tracking.explain_errors()
def find(run: str) -> Any | None:
    """The MLflow run of this id, else the latest one of this name; None where there is none.

    Raises:
        UserError: the store does not open.
    """
    client = tracking.open_client() if tracking.is_there() else None  # opening would make it
    if client is None:
        return None
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    by = "run_id" if re.fullmatch(r"[0-9a-f]{32}", run) else "run_name"
    if "'" in run or not experiments:
        return None
    runs = client.search_runs(
        experiments, f"attributes.{by} = '{run}'", order_by=["start_time DESC"], max_results=1
    )
    return runs[0] if runs else None


@tracking.explain_errors()
def files(run: Any, folder: str | None = None) -> list[str]:
    """Paths of what was logged with the run, in one folder of its artifacts."""
    with artifacts.explained():
        return [file.path for file in _client().list_artifacts(run.info.run_id, folder)]


@tracking.explain_errors()
def artifact(run: Any, path: str) -> bytes | None:
    """The content of one file that was logged with the run; None where it is missing."""
    if path not in files(run, path.rpartition("/")[0] or None):
        return None
    with tempfile.TemporaryDirectory() as folder:
        with artifacts.explained():
            file = _client().download_artifacts(run.info.run_id, path, folder)
        return Path(file).read_bytes()


@tracking.explain_errors()
def unreached(run: Any) -> str | None:
    """Where the run's pictures and files lie, as the end of a sentence, if this machine does not
    reach them."""
    return artifacts.unreached(_client().get_experiment(run.info.experiment_id).artifact_location)


def _client() -> Any:
    client = tracking.open_client()
    assert client is not None  # the run came from it
    return client
