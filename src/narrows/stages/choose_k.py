"""Stage choose_k: which number of clusters, without a label -> artifacts/<dataset>/choose_k."""

from __future__ import annotations

from pathlib import Path

from narrows.clustering import choose_k
from narrows.config import params
from narrows.config.params import Params
from narrows.data import splits
from narrows.errors import UserError, say
from narrows.stages import runner
from narrows.stages.runner import Setting
from narrows.store import choices, encoders
from narrows.store.reading import read_array
from narrows.store.rows import Attempt, Call, Row


def main() -> None:
    """Brings the choice up to date."""
    runner.refresh_single("choose_k", row_of(params.load()), (*runner.FITTING, "umap"))


def row_of(p: Params) -> Row:
    """The one row of this stage."""
    setting = runner.setting_of(p)
    codes = encoders.codes_file(encoders.folder(setting.artifacts, p.choose_k.encoder))
    split = setting.data_files()[1]
    settings = {
        "seed": p.seed,
        "cluster_on": p.cluster_on,
        "n_clusters": p.n_clusters,
        "largest": p.choose_k.largest,
        "encoder": p.choose_k.encoder,
    }
    arguments = (setting, codes, split, p.cluster_on, p.n_clusters, p.choose_k.largest)
    call = Call("narrows.stages.choose_k", "choose", arguments)
    return Row("choose_k", choices.k_folder(setting.artifacts), settings, (codes, split), call)


def choose(
    setting: Setting,
    codes_file: Path,
    split_file: Path,
    cluster_on: str,
    n_clusters: int | str,
    largest: int,
    attempt: Attempt,
) -> None:
    """Compares the numbers of clusters from 2 to `largest` and writes the choice.

    Raises:
        UserError: n_clusters is auto, and the codes show no clusters; or there are no more samples
            than clusters.
    """
    codes, split = read_array(codes_file), read_array(split_file, mmap=False)
    fitted = codes[splits.mask(split, cluster_on)]
    if n_clusters != "auto" and int(n_clusters) >= len(fitted):  # before the rest takes its time
        raise UserError(
            f"params.yaml: n_clusters is {n_clusters:,}, but there are {len(fitted):,} samples to "
            f"learn from (cluster_on: {cluster_on}); accepted are auto and smaller numbers"
        )
    curve, recommended = choose_k.compare(fitted, largest, setting.seed)
    if n_clusters != "auto":
        taken = int(n_clusters)
    elif recommended is not None:
        taken = recommended.n_clusters
    else:
        raise UserError(
            f"params.yaml: n_clusters is auto, but the codes of {codes_file.parent.name} show no "
            "clusters"
        )
    chosen = choices.ChosenK(curve, recommended, taken)
    say(f"choose_k: {chosen.sentence}")
    choices.write_k(attempt.folder, chosen)
