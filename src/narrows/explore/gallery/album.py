"""A clustered picture dataset in the order in which a page shows it: pure functions of arrays.

Positions are places in that order: cluster by cluster, the largest first and noise last, in each
of them by the distance of the code to the cluster's mean.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from narrows.clustering import neighbours
from narrows.clustering.centres import means
from narrows.data.unit import WHITE
from narrows.evaluation import outliers

N_SIMILAR = 12
N_CANDIDATES = 24  # nearest codes among which near-duplicates are looked for
COMPARED_SIDE = 32  # pictures are compared after averaging down to about this many pixels a side
SAME = 0.05  # root mean squared difference of near-duplicates, of values in [0, 1]
SAME_FRACTION = 0.25  # and as a share of the picture's own contrast
CHUNK = 2048


class Section(NamedTuple):
    """A cluster on the page."""

    cluster: int
    """Number of the cluster; -1 is noise."""
    first: int
    """Position of its first picture."""
    size: int
    """Number of its pictures."""


@dataclass(frozen=True)
class Album:
    """Pictures in the order of a page."""

    sections: list[Section]
    """Clusters in the order of the page."""
    rows: Integer[np.ndarray, " N"]
    """Row of x by position."""
    distances: Float[np.ndarray, " N"]
    """Distance of the code to the cluster's mean by position; noise has that to the nearest."""
    errors: Float[np.ndarray, " N"] | None
    """Error of the reconstruction by position; None where there is none."""
    outliers: Integer[np.ndarray, " n"]
    """Positions of pictures that are reconstructed unusually badly, the worst first."""
    groups: dict[int, list[int]]
    """Near-duplicates within a cluster: position of the nearest to the mean, and of the others."""
    similar: Integer[np.ndarray, "N K"]
    """By position, positions of other pictures with the nearest codes, nearest first. Exact
    copies stand in `groups` and would crowd these out: of them only the first is here."""

    @property
    def is_lossless(self) -> bool:
        """Whether the encoder reconstructs without a loss, so that there is no outlier to tell."""
        return self.errors is not None and outliers.is_lossless(self.errors)


def arranged(
    x: np.ndarray,
    codes: Float[np.ndarray, "N D"],
    clusters: Integer[np.ndarray, " N"],
    errors: Float[np.ndarray, " N"] | None,
    distances: Float[np.ndarray, " N"] | None = None,
    learned: Bool[np.ndarray, " N"] | None = None,
) -> Album:
    """Orders the pictures x (N, C, H, W), uint8, which may be memory-mapped.

    Args:
        distances: to means that are known otherwise; where not given, to those of `clusters`.
        learned: which pictures the encoder has learned from; all if not given.
    """
    distances = to_own_mean(codes, clusters) if distances is None else distances
    sizes = {int(c): int(n) for c, n in zip(*np.unique(clusters, return_counts=True), strict=True)}
    ordered = sorted(sizes, key=lambda c: (c < 0, -sizes[c], c))
    ranks = {cluster: rank for rank, cluster in enumerate(ordered)}
    rows = np.lexsort((distances, np.array([ranks[int(c)] for c in clusters])))
    learned = None if learned is None else learned[rows]
    firsts = np.cumsum([0, *(sizes[c] for c in ordered)])
    sections = [Section(c, int(f), sizes[c]) for c, f in zip(ordered, firsts[:-1], strict=True)]

    copies = identical(x, rows)
    own = np.unique(copies)  # positions of pictures without their exact copies
    candidates = neighbours.nearest(codes[rows[own]], None, N_CANDIDATES)
    near = near_duplicates(compared(x, rows[own]), candidates)
    return Album(
        sections=sections,
        rows=rows,
        distances=distances[rows],
        errors=None if errors is None else errors[rows],
        outliers=np.empty(0, int) if errors is None else outliers.unusual(errors[rows], learned),
        groups=grouped(copies, own, candidates, near, clusters[rows]),
        similar=own[candidates[:, :N_SIMILAR]][np.searchsorted(own, copies)],
    )


def to_own_mean(
    codes: Float[np.ndarray, "N D"], clusters: Integer[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Distance of each code to its cluster's mean; of noise to the nearest mean, or 0 without one.

    >>> to_own_mean(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, -1])).tolist()
    [1.0, 1.0, 8.0]
    """
    distances = np.zeros(len(codes))
    to_noise = []
    noise = np.flatnonzero(clusters < 0)
    centres = means(codes, clusters, dtype=np.float64)
    for cluster in np.unique(clusters[clusters >= 0]):
        members = np.flatnonzero(clusters == cluster)
        distances[members] = np.linalg.norm(codes[members] - centres[cluster], axis=1)
        to_noise.append(np.linalg.norm(codes[noise] - centres[cluster], axis=1))
    if to_noise:
        distances[noise] = np.min(to_noise, axis=0)
    return distances


def identical(x: np.ndarray, rows: Integer[np.ndarray, " N"]) -> Integer[np.ndarray, " N"]:
    """For each position the first position whose picture has the same bytes.

    >>> identical(np.array([[5], [7], [5]], np.uint8), np.array([2, 1, 0])).tolist()
    [0, 1, 0]
    """
    first: dict[bytes, int] = {}
    digests = (hashlib.blake2b(x[row].tobytes(), digest_size=16).digest() for row in rows)
    return np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)])


def compared(x: np.ndarray, rows: Integer[np.ndarray, " n"]) -> Float[np.ndarray, "n D"]:
    """Pictures in [0, 1], flat, averaged over blocks so that a side has about 32 pixels: the
    grain of another compression or size is gone."""
    block = max(1, min(x.shape[2:]) // COMPARED_SIDE)
    height, width = (side // block for side in x.shape[2:])
    parts = []
    for start in range(0, len(rows), CHUNK):
        pictures = x[rows[start : start + CHUNK], :, : height * block, : width * block]
        blocks = pictures.reshape(*pictures.shape[:2], height, block, width, block)
        averages = blocks.mean(axis=(3, 5), dtype=np.float32) / WHITE
        parts.append(averages.reshape(len(pictures), -1))
    return np.concatenate(parts)


def near_duplicates(
    pictures: Float[np.ndarray, "n D"], candidates: Integer[np.ndarray, "n K"]
) -> np.ndarray:
    """Mask (n, K) of the candidates that differ from their picture by at most 5 % of the
    range and a quarter of the picture's contrast (a correlation of about .97).

    >>> a = np.array([[0.0, 1.0], [0.02, 0.98], [1.0, 0.0]])
    >>> near_duplicates(a, np.array([[1, 2], [0, 2], [0, 1]])).tolist()
    [[True, False], [True, False], [False, False]]
    """
    limits = np.minimum(SAME, SAME_FRACTION * pictures.std(axis=1))
    mask = np.zeros(candidates.shape, bool)
    for column in range(candidates.shape[1]):
        for start in range(0, len(candidates), CHUNK):
            part = slice(start, start + CHUNK)
            left = pictures[part] - pictures[candidates[part, column]]
            mask[part, column] = np.sqrt(np.square(left).mean(axis=1)) <= limits[part]
    return mask


def grouped(
    copies: Integer[np.ndarray, " N"],
    own: Integer[np.ndarray, " n"],
    candidates: Integer[np.ndarray, "n K"],
    near: np.ndarray,
    clusters: Integer[np.ndarray, " N"],
) -> dict[int, list[int]]:
    """Groups of near-duplicates: every member resembles the first one, so that no chain of small
    steps joins what is different.

    Args:
        copies: by position, the first position with the same bytes.
        own: the positions that are their own first.
        candidates: places in `own` of pictures with the nearest codes.
        near: mask (n, K) of those that resemble.
        clusters: by position; a group stays within one.
    """
    with_copies: dict[int, list[int]] = {int(position): [] for position in own}
    for position, first in enumerate(copies):
        with_copies[int(first)].append(position)
    taken: set[int] = set()
    groups: dict[int, list[int]] = {}
    for place, first in enumerate(map(int, own)):
        alike = [first, *map(int, own[candidates[place][near[place]]])]
        members = sorted({member for position in alike for member in with_copies[position]})
        for cluster in dict.fromkeys(int(clusters[m]) for m in with_copies[first]):
            free = [m for m in members if m not in taken and clusters[m] == cluster]
            if len(free) > 1:
                groups[free[0]] = free[1:]
                taken.update(free)
    return groups
