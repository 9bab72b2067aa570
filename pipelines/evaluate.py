"""Stage evaluate: measures each encoder without a label -> artifacts/<dataset>/evaluations.

Codes that a deep clustering refined get their map here, too. One process for all rows, because
its imports take longer than a row; a row whose inputs have not changed is kept as it is.
"""

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from narrows import errors
from narrows.clustering import neighbours, saved, umap
from narrows.config import params, plugins
from narrows.config.plugins import resolved
from narrows.data import prepared
from narrows.evaluation import measures
from narrows.evaluation import pictures as specimens
from narrows.evaluation.measures import Coder
from narrows.models import autoencoder, jacobian, reconstruction
from narrows.models.autoencoder import to_unit
from narrows.store import work

MODULES: tuple[Any, ...] = (
    neighbours,
    umap,
    measures,
    jacobian,
    autoencoder,
    reconstruction,
    saved,
    specimens,
)
"""Whose code is part of a row's inputs; that of its network is in its weights and codes."""
BOUNDS = plugins.PACKAGE / "autoencoders/variational.py"  # of the likelihood: neither tells them


def main() -> None:
    p = params.load()
    data = prepared.read(p.dataset.name)
    artifacts = Path("artifacts", data.name)
    called = (*sorted((plugins.PACKAGE / "corruptions").glob("*.py")), BOUNDS)
    code = work.digest(Path(__file__), *called, *(Path(m.__file__) for m in MODULES))
    test, shown = to_unit(data.few("test")), to_unit(data.shown())
    draws = p.evaluate.nll_draws
    corruptions = measures.applicable(p.evaluate.corruptions, shown)
    for key in (*p.baselines, *p.autoencoders):
        encoder = artifacts / "encoders" / key
        stage = work.encoder_stage(key, p.baselines, p.searches)
        weights = encoder / ("state.npz" if key in p.baselines else "weights.pt")
        files = (encoder / "config.json", weights, encoder / "codes.npy")
        digest = work.digest(*(work.existing(file, stage) for file in files))
        told = [p.seed, resolved(p.evaluate), data.digest, code]
        fingerprint = work.fingerprint("evaluate", key, told, digest)
        folder = artifacts / "evaluations/encoders" / key
        if work.is_current(folder / "scores.json", fingerprint):
            continue
        if key in p.baselines:
            coder = of_baseline(encoder)
        else:
            config = json.loads(files[0].read_text())
            coder = measures.of_model(saved.model(config, saved.weights(weights)))
        codes = np.load(encoder / "codes.npy", mmap_mode="r")
        with work.output(folder) as partial:
            scores = measures.scores(coder, test, corruptions, draws, p.seed)
            told_scores = {"fingerprint": fingerprint, **scores}
            (partial / "scores.json").write_text(json.dumps(told_scores, indent=2) + "\n")
            maps: dict[str, Any] = measures.maps(codes, p.evaluate.map_rows, p.seed)
            np.savez(partial / "maps.npz", **maps)
            pictures: dict[str, Any] = specimens.specimens(coder, shown, corruptions, p.seed)
            np.savez_compressed(partial / "pictures.npz", **pictures)
        print(f"evaluate: {key}", flush=True)
    map_refined(p, artifacts, code)
    keep_only(artifacts / "evaluations/encoders", {**p.baselines, **p.autoencoders})
    keep_only(artifacts / "evaluations/refined", p.deep_clusterings)


def map_refined(p: params.Params, artifacts: Path, code: str) -> None:
    """Maps of the codes that deep clusterings refined."""
    for key in p.deep_clusterings:
        file = artifacts / "clusterings" / key / "codes.npy"
        digest = work.digest(work.existing(file, f"deep_cluster@{key}"))
        fingerprint = work.fingerprint("evaluate", key, [p.seed, p.evaluate.map_rows, code], digest)
        folder = artifacts / "evaluations/refined" / key
        if work.is_current(folder / "maps.json", fingerprint):
            continue
        codes = np.load(file, mmap_mode="r")
        with work.output(folder) as partial:
            maps: dict[str, Any] = measures.maps(codes, p.evaluate.map_rows, p.seed)
            np.savez(partial / "maps.npz", **maps)
            (partial / "maps.json").write_text(json.dumps({"fingerprint": fingerprint}) + "\n")
        print(f"evaluate: codes refined by {key}", flush=True)


def keep_only(evaluations: Path, rows: Collection[str]) -> None:
    """Deletes what is left of rows that are no longer in params.yaml."""
    for folder in evaluations.glob("*"):
        if folder.name not in rows:
            shutil.rmtree(folder)


def of_baseline(folder: Path) -> Coder:
    _, encode, decode = saved.coder(folder)
    return Coder(
        lambda x: torch.from_numpy(encode(x)),
        lambda z: torch.from_numpy(decode(z.numpy())).float(),
    )


if __name__ == "__main__":
    errors.run(main)
