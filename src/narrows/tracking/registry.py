"""MLflow's registry: one model a data set, whose alias `champion` is what is served."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import narrows
from narrows import tracking
from narrows.errors import UserError
from narrows.store import clusterings
from narrows.tracking.artifacts import explained
from narrows.tracking.promotion import Candidate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

ALIAS = "champion"
N_EXAMPLE = 2
REQUIRED = (
    *("filelock", "jaxtyping", "mlflow", "numpy", "pandas", "pydantic"),
    *("ruamel.yaml", "scikit-learn", "torch"),
)


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
def download(dataset: str, folder: Path) -> tuple[Path, str]:
    """The champion's artifacts, copied below a folder, and the key of its row; see `saved.load`.

    Raises:
        UserError: there is no champion.
    """
    if champion(dataset) is None:
        raise UserError(f"{dataset} has no champion; `narrows promote ROW` makes one")
    client = _client()
    version = client.get_model_version_by_alias(name(dataset), ALIAS)
    model = "model/artifacts/clustering"
    with explained():
        copy = client.download_artifacts(str(version.run_id), model, str(folder))
    return Path(copy), str(version.tags["clustering"])


@tracking.explain_errors()
def register(dataset: str, chosen: Candidate, artifacts: Path, x: np.ndarray, run_id: str) -> str:
    """Logs the model to the run, registers it and moves the alias; the new version.

    Args:
        artifacts: artifacts/<dataset>.
        x: (N, ...) samples as stored, of which the first ones are the input example.
        run_id: run to which the model is logged: the clustering's, or one of its own.
    """
    client = _client()
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder) / "model", chosen, artifacts, x)
        with explained():
            client.log_artifacts(run_id, str(Path(folder) / "model"), "model")
    if not client.search_registered_models(f"name = '{name(dataset)}'"):
        client.create_registered_model(name(dataset), description=f"Clusterings of {dataset}")
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    version = client.create_model_version(
        name(dataset),
        source,
        run_id,
        tags={"clustering": chosen.clustering, "candidate": json.dumps(asdict(chosen))},
        description=f"`{chosen.clustering}`: {chosen.summary}.",
    )
    client.set_registered_model_alias(name(dataset), ALIAS, version.version)
    return str(version.version)


def _save(folder: Path, chosen: Candidate, artifacts: Path, x: np.ndarray) -> None:
    """The model's folder: code, weights and arrays, signature, input example; no pickle."""
    import mlflow

    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)  # less what it is about to do
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        copy = Path(temporary) / "clustering"
        for file in clusterings.open_clustering(artifacts, chosen.clustering).served_files:
            place = copy / file.relative_to(artifacts)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        served = {"clustering": chosen.clustering, "dtype": str(x.dtype)}
        (copy / "served.json").write_text(json.dumps(served) + "\n")
        package = Path(narrows.__file__).parent
        warnings.filterwarnings("ignore", ".*type hint", UserWarning)  # a signature is given
        mlflow.pyfunc.save_model(
            folder,
            python_model=package / "tracking/served.py",
            artifacts={"clustering": str(copy)},
            code_paths=[str(package)],
            signature=_signature(x.shape[1:]),
            input_example=x[:N_EXAMPLE].astype(np.float32),
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIRED],
        )


def _signature(shape: tuple[int, ...]) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

    numbers = Array(DataType.double)
    columns: list[Any] = [ColSpec(numbers, "code"), ColSpec(DataType.long, "cluster")]
    columns += [ColSpec(numbers, "soft"), ColSpec(DataType.double, "distance")]
    columns += [ColSpec(DataType.double, "reconstruction_error")]
    samples = TensorSpec(np.dtype(np.float32), (-1, *shape))
    return ModelSignature(inputs=Schema([samples]), outputs=Schema(columns))


def _client() -> MlflowClient:
    client = tracking.open_client()
    if client is None:
        raise UserError("the registry is MLflow's, which is not installed")
    return client
