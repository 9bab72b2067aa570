"""Association rules over discretised columns and cluster membership, mined by mlxtend.

FP-growth (Han, Pei & Yin 2000) finds the frequent sets of items, as Apriori and Eclat would; a
rule says that rows which have the items on its left tend to have those on its right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from narrows.data.tables.columns import MISSING
from narrows.explore.table.profiles import Clusters, Trait, is_words, numbers

MAX_COLUMNS = 15  # the most distinctive ones: sets grow with the cube of their number
MAX_ROWS = 20_000
MAX_ITEMS = 3  # in a set
SUPPORTS = (0.01, 0.05)  # the least one asked for: half of the smallest cluster, within these
CONFIDENCE = 0.6
IMPROVEMENT = 0.05  # of confidence, over every shorter left side (Bayardo et al. 1999)
BINS = ("low", "middle", "high")


class MinedRules(NamedTuple):
    """Frequent sets of items and the rules that follow from them."""

    itemsets: pd.DataFrame
    """Columns "items" and "support", the most frequent first."""
    rules: pd.DataFrame
    """Columns "if", "then", "support", "confidence" and "lift", the largest lift first."""
    min_support: float
    """Least share of rows that a set of items needs."""
    n_rows: int
    """Number of rows that were mined."""
    columns: list[str]
    """Names of the columns that were mined."""


def mine(
    frame: pd.DataFrame, clusters: Clusters, traits: Mapping[int, Sequence[Trait]]
) -> MinedRules:
    """Rules of at most three items; of many rows a draw, of many columns the most distinctive."""
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    best = dict.fromkeys(map(str, frame), 0.0)
    for own_traits in traits.values():
        for trait in own_traits:
            best[trait.column] = max(best[trait.column], abs(trait.effect))
    chosen = sorted(best, key=lambda name: -best[name])[:MAX_COLUMNS]
    rows = np.arange(len(frame))
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_ROWS, replace=False))
    baskets = items(frame[chosen].iloc[rows], clusters[rows])
    smallest = np.unique(clusters[rows], return_counts=True)[1].min() / len(rows)
    least = float(np.clip(smallest / 2, *SUPPORTS))
    frequent = fpgrowth(baskets, min_support=least, use_colnames=True, max_len=MAX_ITEMS)
    frequent = frequent.sort_values("support", ascending=False, kind="stable")
    rules = pd.DataFrame(columns=["if", "then", "support", "confidence", "lift"])
    if len(frequent):
        with np.errstate(divide="ignore", invalid="ignore"):  # in metrics that nobody asked for
            every = association_rules(frequent, metric="confidence", min_threshold=CONFIDENCE)
        rules = _improving(every)
    itemsets = pd.DataFrame(
        {"items": frequent["itemsets"].map(_joined), "support": frequent["support"]}
    )
    return MinedRules(itemsets, rules, least, len(rows), chosen)


def items(frame: pd.DataFrame, clusters: Clusters) -> pd.DataFrame:
    """One boolean column an item: a third of a number's or date's values, its gaps, a
    category, a cluster.

    >>> frame = pd.DataFrame({"n": [1.0, 2.0, 3.0, np.nan]})
    >>> list(items(frame, np.array([0, 0, -1, 0])))
    ['n = (missing)', 'n is low', 'n is middle', 'n is high', 'cluster 0', 'no cluster']
    """
    flags: dict[str, np.ndarray] = {}
    for name in frame:
        column = frame[name]
        if is_words(column):
            for word in column.dropna().unique():
                flags[f"{name} = {word}"] = (column == word).to_numpy()
            continue
        values = numbers(column)
        is_gap = np.isnan(values)
        if is_gap.any():
            flags[f"{name} = {MISSING}"] = is_gap
        present = values[~is_gap]
        if not len(present):
            continue
        low, high = np.quantile(present, [1 / 3, 2 / 3])
        parts = (values <= low, (values > low) & (values <= high), values > high)
        flags |= {f"{name} is {b}": part for b, part in zip(BINS, parts, strict=True) if part.any()}
    for cluster in sorted(map(int, np.unique(clusters)), key=lambda c: (c < 0, c)):
        flags["no cluster" if cluster < 0 else f"cluster {cluster}"] = clusters == cluster
    return pd.DataFrame(flags)


def _improving(every: pd.DataFrame) -> pd.DataFrame:
    """Rules with one item on the right, less those that a shorter left side says as well."""
    single = every[every["consequents"].map(len) == 1]
    confidence = {
        (a, c): value
        for a, c, value in zip(
            single["antecedents"], single["consequents"], single["confidence"], strict=True
        )
    }
    improves = [
        all(
            value >= confidence.get((left - {item}, right), 0) + IMPROVEMENT
            for item in left
            if len(left) > 1
        )
        for (left, right), value in confidence.items()
    ]
    chosen = single[np.array(improves, bool)].sort_values(
        ["lift", "support"], ascending=False, kind="stable"
    )
    return pd.DataFrame(
        {
            "if": chosen["antecedents"].map(_joined),
            "then": chosen["consequents"].map(_joined),
            "support": chosen["support"],
            "confidence": chosen["confidence"],
            "lift": chosen["lift"],
        }
    ).reset_index(drop=True)


def _joined(items: frozenset[str]) -> str:
    return " and ".join(sorted(items))
