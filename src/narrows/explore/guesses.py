"""Words for pictures and clusters of them, which a pretrained classifier would say: guesses, no
labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse

from narrows.data import blocks
from narrows.store.encoders import StoredEncoder
from narrows.store.features import StoredFeatures, of_encoder

N_WORDS = 4
N_EACH = 5
"""Words that a picture has at most."""
LEAST = 0.02
"""Probability that each of these has at least."""


@dataclass(frozen=True)
class Guesses:
    """Words that a classifier guesses for each of N pictures, as short as a page needs them."""

    vocabulary: list[str]
    """All words that some picture has, the most frequent first."""
    of_each: list[list[int]]
    """By picture, for each of its words, the likeliest first, two numbers: the word's place in the
    vocabulary and its probability in percent."""


def of_pictures(artifacts: Path, encoder: str, rows: Integer[np.ndarray, " n"]) -> Guesses | None:
    """The likeliest words of some samples; None where the encoder takes no features with words.

    Args:
        artifacts: artifacts/<dataset>.
        encoder: key of the encoder's row.
        rows: of the samples.
    """
    features = _with_words(artifacts, encoder)
    if features is None:
        return None
    parts = [likeliest(shares) for shares in _probabilities(features, rows)]
    words, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
    return as_guesses(words, shares, features.config["words"])


def likeliest(
    shares: Float[np.ndarray, "N W"], n: int = N_EACH
) -> tuple[Integer[np.ndarray, "N n"], Float[np.ndarray, "N n"]]:
    """Numbers of the n largest shares, all where there are fewer, and the shares, largest first.

    >>> words, shares = likeliest(np.array([[0.1, 0.7, 0.2]]), 2)
    >>> words.tolist(), shares.tolist()
    ([[1, 2]], [[0.7, 0.2]])
    """
    import torch

    values, places = torch.from_numpy(shares).topk(min(n, shares.shape[1]))
    return places.numpy(), values.numpy()


def as_guesses(
    words: Integer[np.ndarray, "N n"], shares: Float[np.ndarray, "N n"], names: Sequence[str]
) -> Guesses:
    """Words that have at least the share `LEAST`.

    >>> shares = np.array([[0.9, 0.01], [0.6, 0.4]])
    >>> as_guesses(np.array([[2, 0], [1, 2]]), shares, ["cat", "dog", "hen"])
    Guesses(vocabulary=['hen', 'dog'], of_each=[[0, 90], [1, 60, 0, 40]])
    """
    is_likely = shares >= LEAST
    counts = np.bincount(words[is_likely], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    places = np.argsort(order)  # of each word in this order
    pairs = np.stack([places[words], np.rint(100 * shares).astype(int)], axis=2)
    return Guesses(
        [names[i] for i in order[: np.count_nonzero(counts)]],
        [own[likely].ravel().tolist() for own, likely in zip(pairs, is_likely, strict=True)],
    )


def of_clusters(
    artifacts: Path, encoder: str, clusters: Integer[np.ndarray, " N"]
) -> dict[int, list[str]]:
    """Up to four words by cluster; empty where the encoder takes no features with words.

    Args:
        artifacts: artifacts/<dataset>.
        encoder: key of the encoder's row.
        clusters: of all samples; -1 is noise.
    """
    features = _with_words(artifacts, encoder)
    if features is None:
        return {}
    groups, places = np.unique(clusters, return_inverse=True)
    sums, start = np.zeros((len(groups), len(features.config["words"]))), 0
    for shares in _probabilities(features, np.arange(len(clusters))):
        own = places[start : start + len(shares)]
        cells, shape = (own, np.arange(len(own))), (len(groups), len(own))
        sums += sparse.coo_array((np.ones(len(own)), cells), shape) @ shares
        start += len(shares)
    means, every = sums / np.bincount(places)[:, None], sums.sum(axis=0) / len(clusters)
    return {
        int(group): [features.config["words"][i] for i in best(own, every)]
        for group, own in zip(groups, means, strict=True)
        if group >= 0
    }


def best(
    own: Float[np.ndarray, " W"], every: Float[np.ndarray, " W"], n: int = N_WORDS
) -> list[int]:
    """The words that say most of what is special in a group: the largest terms of the divergence
    (Kullback & Leibler 1951) of its mean probabilities from those of all samples.

    >>> best(np.array([0.6, 0.4, 0.0]), np.array([0.6, 0.1, 0.3]), 2)  # the first is everywhere
    [1, 0]
    """
    tiny = np.finfo(np.float32).tiny
    terms = own * np.log(np.maximum(own, tiny) / np.maximum(every, tiny))
    return [int(i) for i in np.argsort(-terms, kind="stable")[:n]]


def _with_words(artifacts: Path, encoder: str) -> StoredFeatures | None:
    """The features that the encoder takes, where a classifier has words for them."""
    features = of_encoder(artifacts, StoredEncoder(artifacts / "encoders" / encoder).config)
    return None if features is None or features.classifier is None else features


def _probabilities(features: StoredFeatures, rows: np.ndarray) -> Iterator[np.ndarray]:
    """What the classifier says of these samples, (n, W), some after the others."""
    from scipy.special import softmax

    assert features.classifier is not None
    weight, bias = features.classifier
    low, high = features.config["low"], features.config["high"]
    x = features.x
    for own in blocks.blocks(rows):
        logits = (low + (high - low) * x[own]) @ weight.T + bias
        yield softmax(logits, axis=1).astype(np.float32)
        blocks.forget(x)
