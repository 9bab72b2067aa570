"""Pictures of trials as Optuna's artifacts, which optuna-dashboard displays beside a trial.

They lie beside the file of the studies; a database of many machines has no such place, and MLflow
has them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from PIL import Image

from narrows.search import database


def store() -> FileSystemArtifactStore | None:
    """Where pictures of trials are; None where the studies are in no file."""
    file = database.sqlite_file(database.url())
    if file is None:
        return None
    folder = file.parent / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    return FileSystemArtifactStore(folder)


def attach(trial: optuna.Trial, picture: np.ndarray) -> None:
    """Adds a picture (H, W, 3), uint8, of what a trial's model reconstructs to the trial."""
    if (artifacts := store()) is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "reconstructions.png")
        Image.fromarray(picture).save(file)
        upload_artifact(artifact_store=artifacts, file_path=str(file), study_or_trial=trial)
