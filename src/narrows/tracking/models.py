"""Finished rows as models of MLflow: code, weights and arrays, signature, input example; no pickle.

A model belongs to the run of its row. It is found again by a digest of the files that it serves.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import narrows
from narrows.config.sections import SAMPLES
from narrows.store import clusterings, encoders, features
from narrows.store.digests import digest
from narrows.store.encoders import StoredEncoder
from narrows.store.reading import read_array
from narrows.tracking import system_metrics
from narrows.tracking.store import write

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

CLUSTERING, ENCODER = "clustering", "encoder"
"""Kinds of models, which are names of the folder in a model's artifacts, and in `SERVED`."""
SERVED = "served.json"
"""What a model is: the key of its row under its kind, `dtype` of what it takes, and `samples`,
shape and dtype of one sample as in x.npy; these differ where it takes features."""
FINGERPRINT = "fingerprint"
VERSIONS = "mlflow.modelVersions"
N_EXAMPLE = 2
REQUIRED = (
    *("filelock", "jaxtyping", "mlflow", "numpy", "pandas", "pydantic"),
    *("ruamel.yaml", "scikit-learn", "torch"),
)


@dataclass(frozen=True)
class Served:
    """The files of a finished row that answer for new samples."""

    kind: str
    """`CLUSTERING` or `ENCODER`."""
    key: str
    """Key of the row."""
    encoder: StoredEncoder
    """The encoder, of a clustering as it was before any refinement."""
    files: tuple[Path, ...]
    """Files below artifacts/<dataset>."""
    artifacts: Path
    """artifacts/<dataset>."""
    data: Path
    """data/<dataset>."""

    @property
    def fingerprint(self) -> str:
        """Digest over all files."""
        return digest(*self.files)[:16]


def of_clustering(artifacts: Path, data: Path, key: str) -> Served:
    """A row of `clusterings` or `deep_clusterings`; raises `UserError` where it is not there."""
    stored = clusterings.open_clustering(artifacts, key)
    files = tuple(stored.served_files)
    return Served(CLUSTERING, key, stored.encoder, files, artifacts, data)


def of_encoder(artifacts: Path, data: Path, key: str) -> Served:
    """A row of `baselines`, `autoencoders` or `searches`; raises `UserError` where it is not
    there."""
    stored = StoredEncoder(encoders.folder(artifacts, key))
    return Served(ENCODER, key, stored, tuple(stored.coder_files), artifacts, data)


def packed(served: Served) -> bytes:
    """The model's folder as MLflow has it, in a zip."""
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder, "model"), served)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(Path(folder, "model").rglob("*")):
                archive.write(file, file.relative_to(Path(folder, "model")))
    return content.getvalue()


def log(client: MlflowClient, run_id: str, name: str, fingerprint: str, archive: bytes) -> None:
    """Logs what `packed` has made as a model of the run, which has the run's parameters; a model
    that does not arrive whole is marked as FAILED."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run = client.get_run(run_id)
    tags = {FINGERPRINT: fingerprint, "dataset": run.data.tags.get("dataset", "")}
    model = write(
        client.create_logged_model, run.info.experiment_id, name, run_id, tags, run.data.params
    )
    try:
        write(client.log_outputs, run_id, [LoggedModelOutput(model.model_id, step=0)])
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(io.BytesIO(archive)) as content:
                content.extractall(folder)
            described = Model.load(folder)
            described.run_id = run_id
            described.model_id = described.model_uuid = model.model_id
            described.artifact_path = model.artifact_location
            described.save(str(Path(folder, "MLmodel")))
            client.log_model_artifacts(model.model_id, folder)
    except BaseException:
        client.finalize_logged_model(model.model_id, "FAILED")
        raise
    write(client.finalize_logged_model, model.model_id, "READY")


def find(client: MlflowClient, run_id: str, fingerprint: str) -> str | None:
    """Id of the run's model of these files; None where it has none, or none that is whole."""
    words = f"source_run_id = '{run_id}' AND tags.{FINGERPRINT} = '{fingerprint}'"
    found_ids = [model.model_id for model in _ready(client, run_id, words)]
    return found_ids[0] if found_ids else None


def score(
    client: MlflowClient, run_id: str, model_id: str, more: dict[str, float] | None = None
) -> None:
    """Puts what the run has measured once, and nothing that it has measured in epochs or of the
    machine, on its model, too, with the run's data set.

    Args:
        more: metrics that the run does not have yet.
    """
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    run = client.get_run(run_id)
    of_data: dict[str, str] = {}
    if run.inputs and run.inputs.dataset_inputs:
        dataset = run.inputs.dataset_inputs[0].dataset
        of_data = {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
    now = get_current_time_millis()
    points = [Metric(key, value, now, 0) for key, value in (more or {}).items()]
    for key in run.data.metrics:
        if key.startswith(system_metrics.PREFIX):
            continue
        history = [point for point in client.get_metric_history(run_id, key) if point.step == 0]
        points += history[-1:]
    metrics = [
        Metric(p.key, p.value, p.timestamp, 0, model_id=model_id, run_id=run_id, **of_data)
        for p in points
    ]
    write(client.log_batch, run_id, metrics=metrics)


def drop(client: MlflowClient, run_id: str) -> None:
    """Deletes the models of a run that is replaced, but for those that are registered."""
    for model in _ready(client, run_id, f"source_run_id = '{run_id}'"):
        if VERSIONS not in model.tags:
            write(client.delete_logged_model, model.model_id)


def _ready(client: MlflowClient, run_id: str, words: str) -> list[Any]:
    experiment = client.get_run(run_id).info.experiment_id
    models = client.search_logged_models([experiment], words)
    return [model for model in models if model.status == "READY"]


def _save(folder: Path, served: Served) -> None:
    """Writes the model's folder."""
    import mlflow

    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)  # less what it is about to do
    known = read_array(served.data / "x.npy")
    taken = features.input_of(served.artifacts, served.encoder.config, known)
    package = Path(narrows.__file__).parent
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / served.kind
        for file in (*served.files, *_features_file(served)):
            _copy(file, copy / file.relative_to(served.artifacts))
        for file in sorted((served.data / "schema").glob("*")):  # reads a user's new files
            _copy(file, copy / "schema" / file.name)
        described = {
            served.kind: served.key,
            "dtype": str(taken.dtype),
            "samples": {"shape": known.shape[1:], "dtype": str(known.dtype)},
        }
        (copy / SERVED).write_text(json.dumps(described) + "\n")
        mlflow.pyfunc.save_model(
            folder,
            python_model=package / "tracking/served.py",
            artifacts={served.kind: str(copy)},
            code_paths=[str(package)],
            signature=_signature(served.kind, taken.shape[1:]),
            input_example=taken[:N_EXAMPLE].astype(np.float32),
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIRED],
        )


def _features_file(served: Served) -> list[Path]:
    """What has to be known of the features that the encoder takes, if it takes any."""
    key = served.encoder.config.get("input", SAMPLES)
    place = features.folder(served.artifacts, key)
    return [] if key == SAMPLES else [features.config_file(place)]


def _copy(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place)


def _signature(kind: str, shape: tuple[int, ...]) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

    numbers = Array(DataType.double)
    columns: list[Any] = [ColSpec(numbers, "code")]
    if kind == CLUSTERING:
        columns += [ColSpec(DataType.long, "cluster"), ColSpec(numbers, "soft")]
        columns += [ColSpec(DataType.double, "distance")]
    columns += [ColSpec(DataType.double, "reconstruction_error")]
    samples = TensorSpec(np.dtype(np.float32), (-1, *shape))
    return ModelSignature(inputs=Schema([samples]), outputs=Schema(columns))
