"""A clustering becomes the champion, if it is the better one over several seeds.

narrows promote affine-conv-self-label
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from narrows.commands import _base
from narrows.config import params
from narrows.errors import UserError, say
from narrows.rendering import progress
from narrows.store import clusterings, finished
from narrows.store.reading import stage_of

if TYPE_CHECKING:
    from narrows.tracking.promotion import Candidate


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = _base.parser(__name__, __doc__)
    parser.add_argument("row", help="of clusterings or deep_clusterings, or a search")
    parser.add_argument(
        "--anyway", action="store_true", help="also if it is not better, or does not compare"
    )
    return parser


@progress.watch("promote")
def main(words: Sequence[str]) -> int:
    """Registers the clustering; 0 if it is the champion now, 3 if it is not better."""
    options = parser().parse_args(words)

    from narrows import tracking
    from narrows.tracking import models, promotion, registry

    p = params.load()
    dataset = p.dataset.name
    artifacts, data = Path("artifacts", dataset), Path("data", dataset)
    chosen = promotion.candidate(p, options.row, artifacts, data)
    _require_current_seeds()
    say(f"{chosen.clustering}: {chosen.summary}")
    present = registry.champion(dataset)
    if present is None:
        why = "there was no champion"
    else:
        version, champion = present
        say(f"champion, version {version}, {champion.clustering}: {champion.summary}")
        if champion.fingerprint == chosen.fingerprint:
            say(f"{chosen.clustering} is the champion already")
            return 0
        good, why = _is_better(chosen, champion)
        if not good and not options.anyway:
            say(f"{chosen.clustering} is not promoted: {why}")
            return 3
    stored = clusterings.open_clustering(artifacts, chosen.clustering)
    run = tracking.find_run(stored.identity, dataset)
    if run.id is None:
        raise UserError(
            f"MLflow has no run of {chosen.clustering}; to compute it again and log one, run "
            f"`rm -rf {stored.folder} {finished.FINISHED} && "
            f"dvc repro --force --single-item {stage_of(stored.folder)}`"
        )
    served = models.of_clustering(artifacts, data, chosen.clustering)
    version = registry.register(dataset, chosen, served, run.id)
    say(f"{chosen.clustering} is {registry.uri(dataset)} now, version {version}: {why}")
    return 0


def _is_better(chosen: Candidate, champion: Candidate) -> tuple[bool, str]:
    """Whether the clustering is better than the champion, and why."""
    from narrows.tracking import promotion

    if champion.data_digest != chosen.data_digest:
        return False, "the champion knows other data, or other splits; --anyway replaces it"
    if champion.n_clusters != chosen.n_clusters:
        return False, (
            f"the champion has {champion.n_clusters} clusters and this has {chosen.n_clusters}, so "
            "that their figures do not compare; --anyway replaces it"
        )
    return promotion.is_better(chosen.figures, champion.figures)


def _require_current_seeds() -> None:
    """Raises `UserError` unless the seeds are those of the clusterings and encoders that are there,
    which DVC knows."""
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json", "seeds"], capture_output=True, text=True
    )
    if status.returncode or json.loads(status.stdout or "{}"):
        raise UserError("stage seeds is not up to date; run `dvc repro seeds`")
