"""Stage choose_k: which number of clusters, without a label -> artifacts/<dataset>/choose_k.

What each map says of all numbers is a row of its own, so that maps are made side by side, and stay
when params.yaml takes another number.
"""

from __future__ import annotations

import json
from pathlib import Path

from narrows.clustering import choose_k
from narrows.clustering.choose_k import Measured
from narrows.config import params
from narrows.config.params import Params
from narrows.data import splits
from narrows.errors import UserError, say
from narrows.stages import runner
from narrows.stages.runner import Setting
from narrows.store import choices, encoders
from narrows.store.reading import read_array, read_json
from narrows.store.rows import Attempt, Call, Row

MAP = "map.json"


def main() -> None:
    """Brings the choice up to date."""
    p = params.load()
    setting = runner.setting_of(p)
    refuse_too_many(setting, p.n_clusters, p.cluster_on)
    home = setting.artifacts / "choose_k_maps"
    maps = [map_row(setting, p, home, i) for i in range(choose_k.N_MAPS)]
    runner.refresh("choose_k", home, maps, preload=(*runner.FITTING, "umap"))
    runner.refresh_single("choose_k", row_of(setting, p, maps))


def refuse_too_many(setting: Setting, n_clusters: int | str, cluster_on: str) -> None:
    """
    Raises:
        UserError: there are no more samples than clusters.
    """
    split = read_array(setting.data_files()[1], mmap=False)
    n = int(splits.mask(split, cluster_on).sum())
    if n_clusters != "auto" and int(n_clusters) >= n:
        raise UserError(
            f"params.yaml: n_clusters is {n_clusters:,}, but there are {n:,} samples to learn "
            f"from (cluster_on: {cluster_on}); accepted are auto and smaller numbers"
        )


def map_row(setting: Setting, p: Params, home: Path, i: int) -> Row:
    """The i-th map of the codes."""
    codes = encoders.codes_file(encoders.folder(setting.artifacts, p.choose_k.encoder))
    split = setting.data_files()[1]
    settings = {
        "map": i,
        "seed": p.seed,
        "cluster_on": p.cluster_on,
        "largest": p.choose_k.largest,
        "encoder": p.choose_k.encoder,
    }
    arguments = (codes, split, p.cluster_on, p.choose_k.largest, setting.seed, i)
    call = Call("narrows.stages.choose_k", "measure", arguments)
    return Row(f"choose_k_maps.{i}", home / str(i), settings, (codes, split), call)


def measure(
    codes_file: Path,
    split_file: Path,
    cluster_on: str,
    largest: int,
    seed: int,
    i: int,
    attempt: Attempt,
) -> None:
    """Writes what the i-th map says of the numbers of clusters from 2 to `largest`."""
    codes, split = read_array(codes_file), read_array(split_file, mmap=False)
    measured = choose_k.measure(codes[splits.mask(split, cluster_on)], largest, seed, i)
    (attempt.folder / MAP).write_text(json.dumps(measured._asdict(), indent=2) + "\n")


def row_of(setting: Setting, p: Params, maps: list[Row]) -> Row:
    """The choice."""
    settings = {"n_clusters": p.n_clusters, "encoder": p.choose_k.encoder}
    reads = tuple(row.folder / MAP for row in maps)
    arguments = (reads, p.n_clusters, p.choose_k.encoder)
    call = Call("narrows.stages.choose_k", "choose", arguments)
    return Row("choose_k", choices.k_folder(setting.artifacts), settings, reads, call)


def choose(
    map_files: tuple[Path, ...], n_clusters: int | str, encoder: str, attempt: Attempt
) -> None:
    """Takes the number that params.yaml names, or the one that the maps recommend, and writes it.

    Raises:
        UserError: n_clusters is auto, and the codes show no clusters.
    """
    maps = [Measured(**read_json(file)) for file in map_files]
    curve, recommended = choose_k.together(maps)
    if n_clusters != "auto":
        taken = int(n_clusters)
    elif recommended is not None:
        taken = recommended.n_clusters
    else:
        raise UserError(
            f"params.yaml: n_clusters is auto, but the codes of {encoder} show no clusters"
        )
    chosen = choices.ChosenK(curve, recommended, taken)
    say(f"choose_k: {chosen.sentence}")
    choices.write_k(attempt.folder, chosen)
