"""How a row of `deep_clusterings:` is computed: an encoder refined together with its clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows import tracking
from narrows.clustering import refine as refining
from narrows.clustering.agreement import agreed
from narrows.clustering.job import Job
from narrows.clustering.state import hardened
from narrows.config.plugins import Plugin, resolved
from narrows.config.sections import DeepClustering
from narrows.data import prepared, splits
from narrows.errors import UserError, say
from narrows.models.autoencoder import cpu_weights, restored
from narrows.stages.runner import Setting
from narrows.store import clusterings, encoders
from narrows.store.encoders import StoredEncoder
from narrows.store.rows import Attempt


def refine(
    setting: Setting,
    key: str,
    row: DeepClustering,
    encoder_row: Plugin,
    settings: dict[str, Any],
    encoder_folder: Path,
    teachers: Sequence[Path],
    attempt: Attempt,
) -> None:
    """Refines the encoder, writes the clustering into the attempt's folder, and logs it.

    Raises:
        UserError: the clusters collapsed, the loss is not finite, or the start finds one cluster.
    """
    data = prepared.read(setting.dataset, encoder_row.config.input)
    weights = StoredEncoder(encoder_folder).weights
    model = restored(encoder_row, data.x.shape[1:], weights)
    run_data = tracking.RunData(data.name, data.digest, data.x.shape)
    tags = {"stage": "cluster", "autoencoder": row.encoder, "clusterer": row.method.name}
    resumes = attempt.checkpoints.exists()
    with setting.run(key, attempt.identity, run_data, tags, resumes) as run:
        run.log_params({**settings, "code_size": model.cfg.code_size})
        work = Job(
            x=data.samples(),
            fitted=splits.mask(data.split, settings["cluster_on"]),
            model=model,
            start=row.start,
            n_clusters=settings["n_clusters"],
            augmentation=row.augmentation,
            seed=setting.seed,
            device=setting.device,
            work=attempt.checkpoints,
            on_update=on_update(run, key),
            names=names_by(teachers),
        )
        try:
            refined = refining.refine(row.method, work)
        except UserError as error:
            raise UserError(f"params.yaml: deep_clusterings.{key}: {error}") from None
        write(attempt, row, settings, refined)
        run.log_metrics({"seconds": refined.seconds})
        for file in encoders.history_files(attempt.folder):
            run.log_file(file)


def names_by(teachers: Sequence[Path]) -> np.ndarray | None:
    """Clusters (N,) that the clusterings in these folders agree on; None where there are none."""
    stored = [clusterings.StoredClustering(folder).clusters for folder in teachers]
    return agreed(stored) if stored else None


def on_update(run: tracking.Run, key: str) -> Callable[[int, dict[str, float]], None]:
    """What is logged and printed after a look at the whole set."""

    def after(update: int, health: dict[str, float]) -> None:
        run.log_metrics({f"health/{k}": v for k, v in health.items()}, step=update)
        changed, active = health["label_change"], health["active_clusters"]
        message = f"update {update}, {changed:.2%} of the clusters changed, {active} active"
        say(f"deep_cluster: {key}: {message}")

    return after


def write(
    attempt: Attempt, row: DeepClustering, settings: dict[str, Any], refined: refining.Refined
) -> None:
    """Writes what a deep clustering leaves."""
    info = {
        "row": resolved(row),
        "encoder": row.encoder,
        "clusterer": row.method.name,
        "n_clusters": settings["n_clusters"],
        "seed": settings["seed"],
        "seconds": refined.seconds,
        "fell_back": refined.fell_back,
    }
    clusterings.write(
        attempt.folder,
        info,
        refined.state,
        hardened(refined.soft).astype(np.int32),
        soft=refined.soft,
        assignments=refined.assignments,
    )
    weights = cpu_weights(refined.model)
    clusterings.write_refined(
        attempt.folder, refined.codes, weights, refined.parts, refined.history
    )
