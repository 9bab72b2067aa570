"""Stage seeds@<seed>: clusterings again under that seed -> artifacts/<dataset>/seeds/<seed>/<key>.

What is done and has not changed is kept, also when the stage is killed in between.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from narrows import errors
from narrows.config import params
from narrows.config.plugins import resolved
from narrows.store import work


def main(told_seed: str) -> None:
    p = params.load()
    folder = Path("artifacts", p.dataset.name, "seeds", told_seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = p.seeds.rows if int(told_seed) != p.seed else ()  # that is the rows' own
    if rows:
        repeat(p, rows, int(told_seed), folder)
    for made in folder.iterdir():
        if made.name not in rows:
            shutil.rmtree(made)


def repeat(p: params.Params, keys: tuple[str, ...], seed: int, artifacts: Path) -> None:
    from narrows.clustering import repeats  # six seconds that the rows' own seed does without
    from narrows.data import prepared

    data = prepared.read(p.dataset.name)
    rows: dict[str, Any] = {**p.clusterings, **p.deep_clusterings}
    encoders = {**p.baselines, **p.autoencoders}
    n_clusters = params.n_clusters(p)
    for encoder in dict.fromkeys(rows[key].encoder for key in keys):
        found, made = None, Path("artifacts", data.name, "seed_encoders", encoder)
        for key in (key for key in keys if rows[key].encoder == encoder):
            told = [resolved(rows[key]), resolved(encoders[encoder]), n_clusters, p.cluster_on]
            # the row's own result tells whether code that it depends on has changed
            own = [
                Path("artifacts", data.name, "encoders", encoder, "codes.npy"),
                Path("artifacts", data.name, "clusterings", key, "clusters.npz"),
                *made.glob(f"{seed}.pt"),  # which stage seed_encoders leaves, or not
            ]
            digest = work.digest(*own, Path(__file__), Path(repeats.__file__))
            fingerprint = work.fingerprint("seeds", f"{key}-{seed}", told, data.digest + digest)
            folder = artifacts / key
            if work.is_current(folder / "seed.json", fingerprint):
                continue
            checkpoints = work.checkpoints("seeds", fingerprint)
            found = found or (
                repeats.trained(p, encoder, seed, data, made)
                if made.exists()
                else repeats.encoder(p, encoder, seed, data, checkpoints / "encoder")
            )
            clusters, seconds = repeats.clusters(
                p, key, n_clusters, found, seed, data, checkpoints / "clusters"
            )
            with work.output(folder) as partial:
                np.save(partial / "clusters.npy", clusters.astype(np.int32))
                info = {"fingerprint": fingerprint, "seconds": found.seconds + seconds}
                (partial / "seed.json").write_text(json.dumps(info, indent=2) + "\n")
            shutil.rmtree(checkpoints, ignore_errors=True)
            print(f"seeds@{seed}: {key}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    errors.run(main)
