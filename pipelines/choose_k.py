"""Stage choose_k: which number of clusters, without a label -> artifacts/<dataset>/choose_k."""

import json
from pathlib import Path

import numpy as np

from narrows import errors
from narrows.clustering import choose_k
from narrows.config import params
from narrows.data import splits
from narrows.store import work


def main() -> None:
    p = params.load()
    encoder = p.choose_k.encoder
    stage = work.encoder_stage(encoder, p.baselines, p.searches)
    file = Path("artifacts", p.dataset.name, "encoders", encoder, "codes.npy")
    codes = np.load(work.existing(file, stage), mmap_mode="r")
    split = np.load(Path("data", p.dataset.name, "split.npy"))
    fitted = codes[splits.fitted(split, p.cluster_on)]
    rows = choose_k.curve(choose_k.places(fitted, p.seed), p.choose_k.largest, p.seed)
    recommended = choose_k.recommended(rows)
    n_clusters = recommended if p.n_clusters == "auto" else p.n_clusters
    if n_clusters is None:
        raise errors.UserError(
            f"params.yaml: n_clusters is auto, but the codes of {encoder} show no clusters"
        )
    print(f"choose_k: {recommended} recommended, {n_clusters} taken", flush=True)
    with work.output(Path("artifacts", p.dataset.name, "choose_k")) as folder:
        told = {"recommended": recommended, "curve": rows}
        (folder / "curve.json").write_text(json.dumps(told, indent=2) + "\n")
        # alone, so that clusterings run again when k changes and not when the curve does
        (folder / "n_clusters.json").write_text(json.dumps({"n_clusters": n_clusters}) + "\n")


if __name__ == "__main__":
    errors.run(main)
