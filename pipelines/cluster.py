"""Stage cluster@<key>: clusters the codes of one encoder -> artifacts/.../clusterings/<key>."""

import json
import time
from pathlib import Path

import numpy as np

from narrows import errors, tracking
from narrows.config import params
from narrows.config.plugins import resolved
from narrows.data import splits
from narrows.store import work


def main(key: str) -> None:
    p = params.load()
    row = params.select(p.clusterings, key, "clusterings")
    encoder = Path("artifacts", p.dataset.name, "encoders", row.encoder)
    stage = work.encoder_stage(row.encoder, p.baselines, p.searches)
    codes = np.load(work.existing(encoder / "codes.npy", stage), mmap_mode="r")
    split = np.load(Path("data", p.dataset.name, "split.npy"))
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))

    n_clusters = params.n_clusters(p)
    told = {**resolved(row), "n_clusters": n_clusters, "cluster_on": p.cluster_on}
    told["seed"] = p.seed
    digest = work.digest(encoder / "codes.npy", Path("data", p.dataset.name, "split.npy"))
    fingerprint = work.fingerprint("cluster", key, told, digest)
    with (
        work.output(Path("artifacts", p.dataset.name, "clusterings", key)) as folder,
        tracking.start(
            key,
            fingerprint,
            tracking.Data(
                p.dataset.name,
                config["data_digest"],
                (config["n_samples"], *config["input_shape"]),
            ),
            {"stage": "cluster", "autoencoder": row.encoder, "clusterer": row.clusterer.name},
        ) as run,
    ):
        encoded = {"kind": config["row"]["name"], "code_size": codes.shape[1]}
        run.log_params({**told, **encoded})
        fitted = codes[splits.fitted(split, p.cluster_on)]
        if n_clusters > len(fitted):
            raise errors.UserError(
                f"params.yaml: n_clusters is {n_clusters}, but there are {len(fitted)} rows to "
                f"cluster_on: {p.cluster_on}"
            )
        began = time.perf_counter()
        clusterer = row.clusterer.module
        state = clusterer.fit(row.clusterer.config, fitted, n_clusters, p.seed)
        clusters = clusterer.predict(state, codes).astype(np.int32)
        seconds = time.perf_counter() - began

        arrays = {f"state_{name}": array for name, array in state.items()}
        np.savez(folder / "clusters.npz", clusters=clusters, **arrays)
        info = {
            "fingerprint": fingerprint,
            "row": resolved(row),
            "encoder": row.encoder,
            "clusterer": row.clusterer.name,
            "n_clusters": n_clusters,
            "seed": p.seed,
            "seconds": seconds,
        }
        (folder / "cluster.json").write_text(json.dumps(info, indent=2) + "\n")
        run.log_metrics({"seconds": seconds})


if __name__ == "__main__":
    errors.run(main)
