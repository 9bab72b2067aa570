"""What tells the clusters of a table apart: pure functions of a frame and assignments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Integer

from narrows.data.tables.columns import MISSING

Clusters = Integer[np.ndarray, " N"]
N_NAME = 3
"""Columns that name a cluster."""
LEAST_EFFECT = 0.5
"""Cohen's medium: what differs by less names nothing."""


class Trait(NamedTuple):
    """How one column, or one category of it, differs between a cluster and all other rows."""

    column: str
    """Name of the column."""
    category: str | None
    """Category whose shares `here` and `elsewhere` are; None where they are means."""
    here: float
    """Mean or share in the cluster; dates are seconds since 1970."""
    elsewhere: float
    """Mean or share in all other rows."""
    effect: float
    """Cohen's d of means or h of shares (Cohen 1988, Statistical Power Analysis, 2.2 and 6.2):
    .2 is small, .5 medium, .8 large. Positive where the cluster has more."""


def traits(frame: pd.DataFrame, clusters: Clusters) -> dict[int, list[Trait]]:
    """By cluster, every column's mean and every category's share, the most distinctive first.

    Gaps of numbers and dates are a category of their own beside the mean of what is there.

    Example:
        Three of three are red here, none elsewhere: h = 2 asin 1 - 2 asin 0 = pi:

        >>> frame = pd.DataFrame({"colour": ["red"] * 3 + ["blue"] * 3})
        >>> trait = traits(frame, np.array([0, 0, 0, 1, 1, 1]))[0][0]
        >>> trait.category, trait.here, trait.elsewhere, round(trait.effect, 4)
        ('red', 1.0, 0.0, 3.1416)
    """
    by_cluster: dict[int, list[Trait]] = {}
    values = {name: numbers(frame[name]) for name in frame if not is_words(frame[name])}
    shares = {name: _flags(frame[name]) for name in frame}
    for cluster in np.unique(clusters):
        own = clusters == cluster
        own_traits = [
            Trait(str(name), None, *_means(column[own], column[~own]))
            for name, column in values.items()
        ]
        for name, flags_of in shares.items():
            for category in flags_of if not own.all() else ():
                flags = flags_of[category].to_numpy()
                here, elsewhere = float(flags[own].mean()), float(flags[~own].mean())
                effect = cohens_h(here, elsewhere)
                own_traits.append(Trait(str(name), str(category), here, elsewhere, effect))
        own_traits = [trait for trait in own_traits if not math.isnan(trait.effect)]
        by_cluster[int(cluster)] = sorted(own_traits, key=lambda t: (-abs(t.effect), -t.effect))
    return by_cluster


def names(traits: Mapping[int, Sequence[Trait]], dates: Sequence[str] = ()) -> dict[int, str]:
    """Guesses at what clusters could be called: the columns and values that set them apart most.

    Args:
        traits: by cluster, the most distinctive first.
        dates: columns of dates, which are late or early and not high or low.

    >>> red = Trait("colour", "red", 0.9, 0.1, 1.9)
    >>> blue = Trait("colour", "blue", 0.1, 0.9, -1.9)
    >>> names({0: [red, blue, Trait("age", None, 30.0, 50.0, -0.8)], 1: [blue], -1: [red]})
    {0: 'colour red, low age', 1: 'colour not blue'}
    """
    guessed = {}
    for cluster, own in traits.items():
        words: dict[str, str] = {}  # by column; what there is more of says more than what is not
        large = [t for t in own if abs(t.effect) >= LEAST_EFFECT and not _is_usual(t)]
        for trait in sorted(large, key=lambda t: t.category is not None and t.effect < 0):
            words.setdefault(trait.column, _word(trait, dates))
        columns = dict.fromkeys(trait.column for trait in large)
        if cluster >= 0 and words:
            guessed[cluster] = ", ".join([words[column] for column in columns][:N_NAME])
    return guessed


def _word(trait: Trait, dates: Sequence[str]) -> str:
    """What a trait says of its cluster."""
    is_more = trait.effect > 0
    if trait.category is not None:
        return f"{trait.column} {'' if is_more else 'not '}{trait.category}"
    if trait.column in dates:
        return f"{'late' if is_more else 'early'} {trait.column}"
    return f"{'high' if is_more else 'low'} {trait.column}"


def gaps(traits: Mapping[int, Sequence[Trait]]) -> dict[str, list[int]]:
    """By column, the clusters most of whose rows lack it, unlike the others; noise is none.

    >>> lacking, older = Trait("age", MISSING, 0.9, 0.1, 1.9), Trait("age", None, 5.0, 4.0, 1.0)
    >>> gaps({0: [lacking], 1: [older]})
    {'age': [0]}
    """
    lacking: dict[str, list[int]] = {}
    for cluster, own in traits.items():
        for trait in own if cluster >= 0 else ():
            is_most = trait.category == MISSING and trait.here > 0.5
            if is_most and trait.effect >= LEAST_EFFECT:
                lacking.setdefault(trait.column, []).append(cluster)
    return lacking


def _is_usual(trait: Trait) -> bool:
    """Whether it says that values are there, as they mostly are elsewhere: no gap at all against
    one in ten is a medium effect already."""
    return trait.category == MISSING and trait.effect < 0 and trait.elsewhere < 0.5


def is_words(column: pd.Series) -> bool:
    """Whether it holds categories: neither numbers nor dates."""
    return not (
        pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    )


def numbers(column: pd.Series) -> np.ndarray:
    """A column of numbers or dates as float64 (N,), NaN where it is missing; dates in seconds."""
    if pd.api.types.is_datetime64_any_dtype(column):
        dates = column.to_numpy().astype("datetime64[s]")  # whose years may be any
        return np.where(np.isnat(dates), np.nan, dates.astype(np.int64).astype(np.float64))
    return column.to_numpy(np.float64)


def cohens_h(share: float, other: float) -> float:
    """The difference of two shares on the scale on which it is equally visible everywhere.

    >>> round(cohens_h(0.5, 0.25), 4)  # pi / 2 - pi / 3
    0.5236
    """
    return 2 * (math.asin(math.sqrt(share)) - math.asin(math.sqrt(other)))


def cohens_d(here: np.ndarray, elsewhere: np.ndarray) -> float:
    """The difference of two means in standard deviations, pooled; NaN where there is no spread.

    >>> cohens_d(np.array([4.0, 6.0]), np.array([0.0, 2.0])) == 4 / 2**0.5
    True
    """
    n, m = len(here), len(elsewhere)
    if min(n, m) < 1 or n + m < 3:
        return math.nan
    squares = n * float(here.var()) + m * float(elsewhere.var())
    if squares == 0:
        return (
            math.nan
            if here.mean() == elsewhere.mean()
            else math.copysign(math.inf, here.mean() - elsewhere.mean())
        )
    return float(here.mean() - elsewhere.mean()) / math.sqrt(squares / (n + m - 2))


def _flags(column: pd.Series) -> pd.DataFrame:
    """A column of booleans for each category; of numbers and dates for their gaps, if any."""
    if is_words(column):
        return pd.get_dummies(column)
    is_gap = column.isna()
    return pd.DataFrame({MISSING: is_gap} if is_gap.any() else {})


def _means(here: np.ndarray, elsewhere: np.ndarray) -> tuple[float, float, float]:
    here, elsewhere = here[~np.isnan(here)], elsewhere[~np.isnan(elsewhere)]
    if not (len(here) and len(elsewhere)):
        return math.nan, math.nan, math.nan
    return float(here.mean()), float(elsewhere.mean()), cohens_d(here, elsewhere)
