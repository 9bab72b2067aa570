"""Words for clusters of pictures, which a pretrained classifier would say: guesses, no labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer

from narrows.data import blocks
from narrows.store.encoders import StoredEncoder
from narrows.store.features import StoredFeatures, of_encoder

N_WORDS = 4


def of_clusters(
    artifacts: Path, encoder: str, clusters: Integer[np.ndarray, " N"]
) -> dict[int, list[str]]:
    """Up to four words by cluster; empty where the encoder takes no features with words.

    Args:
        artifacts: artifacts/<dataset>.
        encoder: key of the encoder's row.
        clusters: of all samples; -1 is noise.
    """
    config = StoredEncoder(artifacts / "encoders" / encoder).config
    features = of_encoder(artifacts, config)
    if features is None or features.classifier is None:
        return {}
    shares = _probabilities(features)
    return {
        int(cluster): [features.config["words"][i] for i in best(shares, clusters == cluster)]
        for cluster in np.unique(clusters[clusters >= 0])
    }


def best(shares: Float[np.ndarray, "N W"], members: np.ndarray, n: int = N_WORDS) -> list[int]:
    """The words that say most of what is special in a group: the largest terms of the divergence
    (Kullback & Leibler 1951) of its mean probabilities from those of all samples.

    >>> shares = np.array([[0.6, 0.4, 0.0], [0.6, 0.0, 0.4], [0.6, 0.0, 0.4]])
    >>> best(shares, np.array([True, False, False]), 2)  # the first word is everywhere
    [1, 0]
    """
    own, every = shares[members].mean(axis=0), shares.mean(axis=0)
    tiny = np.finfo(np.float32).tiny
    terms = own * np.log(np.maximum(own, tiny) / np.maximum(every, tiny))
    return [int(i) for i in np.argsort(-terms, kind="stable")[:n]]


def _probabilities(features: StoredFeatures) -> np.ndarray:
    """What the classifier says of every sample, (N, W)."""
    from scipy.special import softmax

    assert features.classifier is not None
    weight, bias = features.classifier
    low, high = features.config["low"], features.config["high"]
    parts = [
        softmax((low + (high - low) * x) @ weight.T + bias, axis=1).astype(np.float32)
        for x in blocks.blocks(features.x)
    ]
    return np.concatenate(parts)
