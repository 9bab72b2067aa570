"""Which clusterings a clustering of a learned code has to beat, and by how much it does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rung:
    """A clustering that another one has to beat."""

    rival: str
    """Key of the clustering to beat."""
    why: str
    """Why it has to be beaten, in words."""
    acc: float
    """ACC of the rival on the test split."""
    gain: float
    """ACC of the row less that of the rival; negative where the rival is the better one."""


def rungs(
    rows: Sequence[dict[str, Any]], baselines: Collection[str], starts: Mapping[str, str]
) -> dict[str, list[Rung]]:
    """Rivals by clustering of a learned code, in the order of `rows`; empty without labels.

    It has to beat the clustering that it starts from, where it refines one; the same clusterer on
    the best baseline's code, since only then the code was worth learning; and the best clustering
    of any baseline's code. A rival that is several of these is named once.

    Args:
        rows: one line of clusterings.csv for each clustering, best first.
        starts: clusterer that gives the first clusters, by key of a deep clustering.

    >>> row = {"clustering": "pca-k", "encoder": "pca", "clusterer": "kmeans", "acc": 0.5}
    >>> deep = {"clustering": "deep-k", "encoder": "deep", "clusterer": "kmeans", "acc": 0.75}
    >>> rungs([deep, row], ["pca"], {})
    {'deep-k': [Rung(rival='pca-k', why='the same on a baseline', acc=0.5, gain=0.25)]}
    """
    scored = [row for row in rows if row["acc"] is not None]
    plain = [row for row in scored if row["encoder"] in baselines]
    ladder: dict[str, list[Rung]] = {}
    for row in scored:
        if row["encoder"] in baselines:
            continue
        key, clusterer = row["clustering"], starts.get(row["clustering"], row["clusterer"])
        alike = [other for other in scored if other["clusterer"] == clusterer]
        rivals = {
            "its start": [r for r in alike if key in starts and r["encoder"] == row["encoder"]],
            "the same on a baseline": [r for r in alike if r["encoder"] in baselines],
            "the best of baselines": plain,
        }
        to_beat: dict[str, Rung] = {}
        for why, candidates in rivals.items():
            for rival in candidates[:1]:
                gain = row["acc"] - rival["acc"]
                rung = Rung(rival["clustering"], why, rival["acc"], gain)
                to_beat.setdefault(rung.rival, rung)
        ladder[key] = list(to_beat.values())
    return ladder
