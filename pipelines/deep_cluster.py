"""Stage deep_cluster@<key>: refines an encoder with its clusters -> artifacts/.../clusterings."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch

from narrows import errors, tracking
from narrows.clustering import refine
from narrows.clustering.job import Job
from narrows.clustering.state import hardened, save_state
from narrows.config import params
from narrows.config.plugins import resolved
from narrows.data import prepared, splits
from narrows.models import encoding
from narrows.models.autoencoder import restored
from narrows.store import work


def main(key: str) -> None:
    p = params.load()
    row = params.select(p.deep_clusterings, key, "deep_clusterings")
    data = prepared.read(p.dataset.name)
    encoder = Path("artifacts", data.name, "encoders", row.encoder)
    files = [encoder / "weights.pt", encoder / "config.json"]
    stage = work.encoder_stage(row.encoder, p.baselines, p.searches)
    digest = work.digest(*(work.existing(file, stage) for file in files))
    n_clusters = params.n_clusters(p)
    told = {**resolved(row), "n_clusters": n_clusters, "cluster_on": p.cluster_on}
    told["seed"] = p.seed
    fingerprint = work.fingerprint("deep_cluster", key, [told, data.digest], digest)
    checkpoints = work.checkpoints("deep_cluster", fingerprint)
    weights = torch.load(files[0], weights_only=True, map_location="cpu")
    model = restored(p.autoencoders[row.encoder], data.x.shape[1:], weights)

    with (
        work.output(Path("artifacts", data.name, "clusterings", key)) as folder,
        tracking.start(
            key,
            fingerprint,
            tracking.Data(data.name, data.digest, data.x.shape),
            {"stage": "cluster", "autoencoder": row.encoder, "clusterer": row.method.name},
            resumes=checkpoints.exists(),
        ) as run,
    ):
        run.log_params({**told, "code_size": model.cfg.code_size})

        def on_update(update: int, health: dict[str, float]) -> None:
            run.log_metrics({f"health/{k}": v for k, v in health.items()}, step=update)
            changed, active = health["label_change"], health["active_clusters"]
            told = f"update {update}, {changed:.2%} of the clusters changed, {active} active"
            print(f"deep_cluster@{key}: {told}", flush=True)

        job = Job(
            x=data.all(),
            fitted=splits.fitted(data.split, p.cluster_on),
            model=model,
            start=row.start,
            n_clusters=n_clusters,
            augmentation=row.augmentation,
            seed=p.seed,
            device=p.device,
            work=checkpoints,
            on_update=on_update,
        )
        try:
            refined = refine.refine(row.method, job)
        except errors.UserError as error:
            raise errors.UserError(f"params.yaml: deep_clusterings.{key}: {error}") from None
        save_state(
            folder / "clusters.npz",
            refined.state,
            clusters=hardened(refined.soft).astype(np.int32),
            soft=refined.soft,
            assignments=refined.assignments,
        )
        np.save(folder / "codes.npy", refined.codes)
        learned = {"model": refined.model.state_dict(), "parts": refined.parts}
        torch.save(learned, folder / "weights.pt")
        encoding.write_history(folder / "history.csv", refined.history)
        info = {
            "fingerprint": fingerprint,
            "row": resolved(row),
            "encoder": row.encoder,
            "clusterer": row.method.name,
            "n_clusters": n_clusters,
            "seed": p.seed,
            "seconds": refined.seconds,
            "fell_back": refined.fell_back,
        }
        (folder / "cluster.json").write_text(json.dumps(info, indent=2) + "\n")
        run.log_metrics({"seconds": refined.seconds})
        run.log_file(folder / "history.csv")
    shutil.rmtree(checkpoints)


if __name__ == "__main__":
    errors.run(main)
