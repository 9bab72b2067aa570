"""MLflow's registry: one model a data set, whose alias `champion` is what is served."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from narrows import tracking
from narrows.errors import UserError
from narrows.tracking import models, store
from narrows.tracking.artifacts import explained
from narrows.tracking.models import Served
from narrows.tracking.promotion import FIGURE, Candidate
from narrows.tracking.run import MlflowRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"


def name(dataset: str) -> str:
    """Name of a data set's registered model."""
    return f"narrows-{dataset}"


def uri(dataset: str) -> str:
    """Address of the champion, as MLflow's own commands take it."""
    return f"models:/{name(dataset)}@{ALIAS}"


@tracking.explain_errors()
def champion(dataset: str) -> tuple[str, Candidate] | None:
    """Version and figures of the present champion; None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        version = _client().get_model_version_by_alias(name(dataset), ALIAS)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return str(version.version), Candidate(**json.loads(version.tags["candidate"]))


@tracking.explain_errors()
def download(model: str, folder: Path) -> Path:
    """All files of a model, copied below a folder.

    Args:
        model: models:/<name>@<alias>, models:/<name>/<version> or models:/<id of a logged model>.

    Raises:
        UserError: there is no such model, or no store.
    """
    import mlflow
    from mlflow.store.artifact.utils.models import get_model_name_and_version

    if not model.startswith("models:/"):
        raise UserError(
            f"--model is {model!r}; accepted are models:/<name>@<alias>, models:/<name>/<version> "
            "and models:/<id of a logged model>"
        )
    if not tracking.is_there():  # opening would make it
        raise UserError(
            f"there is no MLflow store {store.masked()}; MLFLOW_TRACKING_URI names another one"
        )
    client = _client()
    named = get_model_name_and_version(client, model)
    if len(named) == 1:
        place = client.get_logged_model(*named).artifact_location
    else:
        place = client.get_model_version_download_uri(*named)
    with explained():
        copy = mlflow.artifacts.download_artifacts(
            place, dst_path=str(folder), tracking_uri=tracking.uri()
        )
    return Path(copy)


def download_champion(dataset: str, folder: Path) -> tuple[Path, str]:
    """The champion's artifacts, copied below a folder, and the key of its row; see `saved.load`.

    Raises:
        UserError: there is no champion.
    """
    present = champion(dataset)
    if present is None:
        raise UserError(f"{dataset} has no champion; `narrows promote ROW` makes one")
    copy = download(uri(dataset), folder)
    return copy / "artifacts" / models.CLUSTERING, present[1].clustering


@tracking.explain_errors()
def register(dataset: str, chosen: Candidate, served: Served, run_id: str) -> str:
    """Registers the model of a run and moves the alias; the new version.

    The model is logged to the run, unless it has it, with the figure that it was chosen by.

    Args:
        run_id: run of the clustering.
    """
    client = _client()
    run = MlflowRun(client, run_id)
    if run.lacks_model(served.fingerprint):
        run.log_model(served.key, served.fingerprint, models.packed(served))
    model_id = models.find(client, run_id, served.fingerprint)
    assert model_id is not None
    models.score(client, run_id, model_id, {FIGURE: statistics.mean(chosen.figures)})
    if not client.search_registered_models(f"name = '{name(dataset)}'"):
        client.create_registered_model(name(dataset), description=f"Clusterings of {dataset}")
    with store.as_default():
        version = client.create_model_version(
            name(dataset),
            f"models:/{model_id}",
            run_id,
            tags={"clustering": chosen.clustering, "candidate": json.dumps(asdict(chosen))},
            description=f"`{chosen.clustering}`: {chosen.summary}.",
            model_id=model_id,
        )
    _link(client, model_id, dataset, version.version)
    client.set_registered_model_alias(name(dataset), ALIAS, version.version)
    return str(version.version)


def _link(client: MlflowClient, model_id: str, dataset: str, version: object) -> None:
    """Lets the model's page name its versions, as a server of MLflow does by itself."""
    known = json.loads(client.get_logged_model(model_id).tags.get(models.VERSIONS, "[]"))
    own = {"name": name(dataset), "version": str(version)}
    if own not in known:
        client.set_logged_model_tags(model_id, {models.VERSIONS: json.dumps([*known, own])})


def _client() -> MlflowClient:
    client = tracking.open_client()
    if client is None:
        raise UserError("the registry is MLflow's, which is not installed")
    return client
