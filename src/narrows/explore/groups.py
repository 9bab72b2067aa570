"""Clusters as a page shows them: guessed names, coarse groups, and what its reader made of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from narrows.clustering.matching import NOISE
from narrows.errors import UserError

KNOWN = -2
"""Cluster of known samples on a page of new ones."""


@dataclass(frozen=True)
class Named:
    """Names that somebody gave to clusters on a page, and clusters that were merged there."""

    names: Mapping[int, str] = field(default_factory=dict)
    """By cluster; what has no name is left out."""
    into: Mapping[int, int] = field(default_factory=dict)
    """Cluster that another one was merged into."""
    coarse: Mapping[str, str] = field(default_factory=dict)
    """Names of coarse groups by letter."""

    def merged(self, cluster: int) -> int:
        """The cluster that this one is a part of: itself where nobody has merged it."""
        return self.into.get(cluster, cluster)

    def name(self, cluster: int) -> str:
        """Name of what the cluster is a part of; "" without one."""
        return self.names.get(self.merged(cluster), "")

    def label(self, cluster: int) -> str:
        """The name, or the number where there is none.

        >>> named = Named({2: "shoes"}, {5: 2})
        >>> named.label(5), named.label(3), named.label(-1)
        ('shoes', 'Cluster 3', 'In no cluster')
        """
        number = self.merged(cluster)
        return self.name(cluster) or (f"Cluster {number}" if number >= 0 else "In no cluster")


@dataclass(frozen=True)
class Groups:
    """What a page says of clusters before its reader changes it."""

    dataset: str
    """What the page calls the data."""
    clustering: str
    """Key of the clustering's row."""
    identity: str
    """Digest of these very clusters, `identity_of`."""
    sizes: Mapping[int, int]
    """Number of samples by cluster, in the order of the page; -1 is noise."""
    guesses: Mapping[int, str] = field(default_factory=dict)
    """Guesses at names, by cluster."""
    coarse: Mapping[int, str] = field(default_factory=dict)
    """Letter of the coarse group by cluster; empty where there are none."""
    coarse_guesses: Mapping[str, str] = field(default_factory=dict)
    """Guesses at names of coarse groups, by letter."""
    named: Named = field(default_factory=Named)
    """What the reader of an earlier page has saved."""

    def levels(self) -> list[tuple[str, list[int]]]:
        """Clusters by coarse group: its letter, "" for those in none, which come last.

        >>> Groups("", "", "", {4: 9, 0: 5, 2: 3, -1: 1}, coarse={0: "A", 2: "A", 4: "B"}).levels()
        [('A', [0, 2]), ('B', [4]), ('', [-1])]
        """
        letters = [*dict.fromkeys(sorted(self.coarse.values(), key=_place)), ""]
        every = [(own, [c for c in self.sizes if self.coarse.get(c, "") == own]) for own in letters]
        return [(own, clusters) for own, clusters in every if clusters]

    def content(self) -> dict[str, Any]:
        """The same for the page's script."""
        return {
            "dataset": self.dataset,
            "clustering": self.clustering,
            "identity": self.identity,
            "clusters": [
                {
                    "cluster": cluster,
                    "size": size,
                    "guess": self.guesses.get(cluster, ""),
                    "coarse": self.coarse.get(cluster),
                }
                for cluster, size in self.sizes.items()
            ],
            "coarse": [
                {"coarse": own, "guess": self.coarse_guesses.get(own, "")}
                for own, _ in self.levels()
                if own
            ],
            "names": {**_keys(self.named.names), **self.named.coarse},
            "into": _keys(self.named.into),
        }


def identity_of(dataset: str, key: str, clusters: np.ndarray) -> str:
    """Digest of the clusters of a row: names of others do not fit.

    Args:
        dataset: name of the data set.
        key: key of the clustering's row.
        clusters: (N,), of all samples.
    """
    content = repr((dataset, key)).encode() + clusters.tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def as_coarse(clusters: np.ndarray, coarse: Mapping[int, str]) -> tuple[np.ndarray, list[str]]:
    """Number (N,) of each sample's coarse group, -1 in none, and the letters by number."""
    letters = sorted(set(coarse.values()), key=_place)
    numbers = {cluster: letters.index(own) for cluster, own in coarse.items()}
    return np.array([numbers.get(int(c), NOISE) for c in clusters]), letters


def read_names(file: Path, identity: str) -> Named:
    """What the reader of a page has saved as JSON.

    Args:
        identity: digest of the clusters that the names are for.

    Raises:
        UserError: it is no such file, or its names are of other clusters.
    """
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        rows, other = saved["clusters"], saved.get("identity", identity)
        names = {int(row["cluster"]): str(row["name"]) for row in rows if row["name"]}
        into = {int(row["cluster"]): int(row.get("into", row["cluster"])) for row in rows}
        groups: Sequence[Mapping[str, Any]] = saved.get("coarse", ())
        coarse = {str(row["coarse"]): str(row["name"]) for row in groups if row["name"]}
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f'{file} is no JSON saved by a page: it has no "clusters"') from None
    if other != identity:
        raise UserError(
            f"{file} has names of other clusters than these; open the page anew and save its names"
        )
    chains = [cluster for cluster, own in into.items() if into.get(own) != own]
    if chains:
        raise UserError(
            f"{file}: cluster {chains[0]} is merged into {into[chains[0]]}, which should be a "
            "cluster that is merged into itself"
        )
    return Named(names, {c: own for c, own in into.items() if c != own}, coarse)


def _place(letters: str) -> tuple[int, str]:
    """A sorting key: Z comes before AA."""
    return len(letters), letters


def _keys(values: Mapping[int, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in values.items()}
