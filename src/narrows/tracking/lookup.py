"""MLflow's finished runs, found again by id or by name."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from narrows import tracking
from narrows.explore.compare.sides import Side, Tree, of_row
from narrows.tracking import provenance

PICTURE = re.compile(r"images/reconstructions\+step\+\d+\+timestamp\+\d+\+[\w-]+\.png")


def find(asked: str) -> Any | None:
    """The run of this id, else the latest one of this name; None where there is none.

    Raises:
        UserError: the store does not open.
    """
    client = tracking.opened()
    if client is None:
        return None
    experiments = [found.experiment_id for found in client.search_experiments()]
    by = "run_id" if re.fullmatch(r"[0-9a-f]{32}", asked) else "run_name"
    if "'" in asked or not experiments:
        return None
    runs = client.search_runs(
        experiments, f"attributes.{by} = '{asked}'", order_by=["start_time DESC"], max_results=1
    )
    return runs[0] if runs else None


def artifact(run: Any, path: str) -> bytes | None:
    """The content of one of its files; None where it is missing."""
    client = _client()
    folder = path.rpartition("/")[0] or None
    if path not in [file.path for file in client.list_artifacts(run.info.run_id, folder)]:
        return None
    with tempfile.TemporaryDirectory() as there:
        return Path(client.download_artifacts(run.info.run_id, path, there)).read_bytes()


def side(run: Any) -> Side:
    """What a run tells of itself; with samples and clusters, where its result still lies here."""
    key, tags = run.info.run_name, run.data.tags
    name = f"{key} ({run.info.run_id[:8]})"
    commit = tags.get(provenance.COMMIT, "")[:10] or "no commit"
    told = f"MLflow run {run.info.run_id} of {key}, {run.info.status}, made at {commit}"
    made = tags.get("stage", "")
    tree, dataset = Tree(), tags.get("dataset", "")
    artifacts = f"artifacts/{dataset}"
    folder, file = ("clusterings", "cluster") if made == "cluster" else ("encoders", "train")
    here = tree.json(f"{artifacts}/{folder}/{key}/{file}.json") or {}
    if here.get(tracking.FINGERPRINT) == tags.get(tracking.FINGERPRINT):
        found = of_row(name, tree, key, dataset)
        found.what = f"{told}; its result is that of the working tree"
    else:
        found = Side(name, told, data_digest=tags.get(provenance.DATA))
        found.lacking.append(f"samples and clusters of {key} (the working tree has another result)")
        shown = [f.path for f in _client().list_artifacts(run.info.run_id, "images")]
        if pictures := sorted(path for path in shown if PICTURE.fullmatch(path)):
            found.picture = artifact(run, pictures[-1])
    found.params = {**found.params, **run.data.params}
    scores = {k: v for k, v in run.data.metrics.items() if k != "seconds"}
    if found.spread:  # tells more than these
        scores = {k: v for k, v in scores.items() if not k.startswith("seeds/")}
    found.metrics |= scores
    return found


def _client() -> Any:
    client = tracking.opened()
    assert client is not None  # it was asked for the run
    return client
