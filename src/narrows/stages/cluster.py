"""Stage cluster: codes of one encoder in clusters -> artifacts/<dataset>/clusterings/<key>."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from narrows import tracking
from narrows.clustering.codes import fit_predict
from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.config.sections import Clustering
from narrows.data import splits
from narrows.stages import runner
from narrows.stages.runner import Setting
from narrows.store import choices, clusterings, encoders
from narrows.store.encoders import StoredEncoder
from narrows.store.reading import read_array
from narrows.store.rows import Attempt, Call, Row


def main() -> None:
    """Brings all rows of `clusterings:` up to date."""
    p = params.load()
    setting = runner.setting_of(p)
    n_clusters = choices.read_n_clusters(choices.k_folder(setting.artifacts))
    rows = [row_of(setting, p, key, n_clusters) for key in p.clusterings]
    home = setting.artifacts / "clusterings"
    runner.refresh("cluster", home, rows, preload=runner.FITTING)


def row_of(setting: Setting, p: Params, key: str, n_clusters: int) -> Row:
    """A row of `clusterings:` under the setting's seed."""
    row = p.clusterings[key]
    place, encoder = places(setting, p, key, row.encoder, "clusterings")
    settings = {**resolved(row), "n_clusters": n_clusters, "cluster_on": p.cluster_on}
    settings["seed"] = setting.seed
    split = setting.data_files()[1]
    reads = (encoders.codes_file(encoder), encoders.config_file(encoder), split)
    call = Call("narrows.stages.cluster", "cluster", (setting, key, row, settings, encoder))
    return Row(f"clusterings.{key}", place, settings, reads, call, runner.plugin_modules(row))


def places(setting: Setting, p: Params, key: str, encoder: str, section: str) -> tuple[Path, Path]:
    """Folders of a clustering and of its encoder; of another seed than the rows' own both lie among
    those of that seed."""
    if setting.seed == p.seed:
        return setting.artifacts / section / key, encoders.folder(setting.artifacts, encoder)
    return (
        clusterings.seed_folder(setting.artifacts, setting.seed, key),
        encoders.seed_folder(setting.artifacts, setting.seed, encoder),
    )


def cluster(
    setting: Setting,
    key: str,
    row: Clustering,
    settings: dict,
    encoder_folder: Path,
    attempt: Attempt,
) -> None:
    """Clusters the codes, writes the clustering into the attempt's folder, and logs it.

    Raises:
        UserError: there are fewer rows to learn from than clusters.
    """
    encoder = StoredEncoder(encoder_folder)
    codes, split = encoder.codes, read_array(setting.data_files()[1], mmap=False)
    config = encoder.config
    shape = (config["n_samples"], *config["input_shape"])
    run_data = tracking.RunData(setting.dataset, config["data_digest"], shape)
    tags = {"stage": "cluster", "autoencoder": row.encoder, "clusterer": row.clusterer.name}
    with setting.run(key, attempt.identity, run_data, tags) as run:
        encoded = {"kind": config["row"]["name"], "code_size": codes.shape[1]}
        run.log_params({**settings, **encoded})
        fitted = splits.mask(split, settings["cluster_on"])
        n_clusters = settings["n_clusters"]
        began = time.perf_counter()
        state, clusters = fit_predict(row.clusterer, codes, fitted, n_clusters, setting.seed)
        seconds = time.perf_counter() - began
        info = {
            "row": resolved(row),
            "encoder": row.encoder,
            "clusterer": row.clusterer.name,
            "n_clusters": n_clusters,
            "seed": setting.seed,
            "seconds": seconds,
        }
        clusterings.write(attempt.folder, info, state, clusters.astype(np.int32))
        run.log_metrics({"seconds": seconds})
