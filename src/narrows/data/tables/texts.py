"""Free text as numbers: TF-IDF of the parts of its words, and the components of that.

skrub's StringEncoder learns them (latent semantic analysis, Deerwester et al. 1990). What it has
learned is plain arrays, by which rows are encoded without it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence

import numpy as np

from narrows.errors import UserError

Arrays = Mapping[str, np.ndarray]
NEEDS = "free text, of which `pip install 'narrows[tables]'` makes numbers"
PARTS = (3, 4)  # characters, a space where a word begins or ends
N_COMPONENTS = 30
N_PARTS = 20_000  # the most frequent ones
N_LEARNED = 50_000  # different values that are learned from, spread over all
BLOCK = 10_000  # values whose parts are in memory at once


def can_be_learned() -> bool:
    """Whether skrub is on this machine."""
    return importlib.util.find_spec("skrub") is not None


def learn(words: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """The parts that count (T,), their weights (T,) and components (T, D) of different texts (V,).

    Args:
        name: of the column, for messages.

    Raises:
        UserError: skrub is not installed, or there are fewer than three values.
    """
    import pandas as pd

    if len(words) < 3:
        raise UserError(f"params.yaml: dataset.text: column {name!r} has fewer than three values")
    try:
        from skrub import StringEncoder
    except ImportError:
        raise UserError(f"params.yaml: dataset.text: column {name!r} is {NEEDS}") from None
    step = -(-len(words) // N_LEARNED)
    learned = words[::step].tolist()
    parts = _frequent(learned)
    encoder = StringEncoder(
        n_components=min(N_COMPONENTS, len(learned) - 1, len(parts) - 1),
        ngram_range=PARTS,
        analyzer="char_wb",
        vocabulary=parts,
        random_state=0,
    )
    encoder.fit(pd.Series(learned, dtype="str"))
    return {
        "parts": np.array(parts),
        "weights": encoder.vectorizer_.idf_.astype(np.float32),
        "components": encoder.tsvd_.components_.T.astype(np.float32),
    }


def codes(words: np.ndarray, arrays: Arrays) -> np.ndarray:
    """float32 (V, D) of texts (V,), NaN of those that have none of the parts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=PARTS, vocabulary=arrays["parts"].tolist(), dtype=np.float32
    )
    vectorizer.idf_ = arrays["weights"]
    z = np.empty((len(words), arrays["components"].shape[1]), np.float32)
    for start in range(0, len(words), BLOCK):
        tf_idf = vectorizer.transform(words[start : start + BLOCK].tolist())
        z[start : start + BLOCK] = tf_idf @ arrays["components"]
        z[start : start + BLOCK][np.diff(tf_idf.indptr) == 0] = np.nan
    return z


def _frequent(texts: Sequence[str]) -> list[str]:
    """The parts that most texts have, in two at least where any are."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(analyzer="char_wb", ngram_range=PARTS, binary=True)
    counts = np.asarray(vectorizer.fit_transform(texts).sum(axis=0)).ravel()
    order = np.argsort(-counts, kind="stable")[:N_PARTS]
    if counts[order[0]] > 1:
        order = order[counts[order] > 1]
    parts = vectorizer.get_feature_names_out()[np.sort(order)].tolist()
    return [part for part in parts if "\0" not in part]  # at the end of one numpy would drop it
