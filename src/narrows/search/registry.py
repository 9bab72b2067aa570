"""Optuna's samplers and pruners by the words of params.yaml."""

from __future__ import annotations

from collections.abc import Callable

from optuna import pruners, samplers

from narrows.config import search_space
from narrows.config.sections import Search
from narrows.search import hub

Seed = int | None
SAMPLERS: dict[str, Callable[[Seed, int], samplers.BaseSampler]] = {
    "tpe": lambda seed, n: samplers.TPESampler(seed=seed, n_startup_trials=n),
    "gp": lambda seed, n: samplers.GPSampler(seed=seed, n_startup_trials=n),
    "nsga2": lambda seed, n: samplers.NSGAIISampler(seed=seed, population_size=max(2, n)),
    "cmaes": lambda seed, n: samplers.CmaEsSampler(seed=seed, n_startup_trials=n),
    # workers without a seed share a sequence by what the study says of its last point
    "qmc": lambda seed, n: samplers.QMCSampler(seed=seed, scramble=seed is not None),
}
"""By name: the sampler of a seed, or without one, and of a number of trials to begin with."""
HUB = "OptunaHub's AutoSampler"
PRUNERS: dict[str, Callable[[], pruners.BasePruner]] = {
    "none": pruners.NopPruner,
    "median": pruners.MedianPruner,
    "percentile": lambda: pruners.PercentilePruner(25.0),
    "patient": lambda: pruners.PatientPruner(pruners.MedianPruner(), patience=3),
    "hyperband": pruners.HyperbandPruner,
    "asha": pruners.SuccessiveHalvingPruner,
    "wilcoxon": pruners.WilcoxonPruner,
}


def sampler(search: Search, seed: Seed) -> samplers.BaseSampler:
    """The sampler that a search names.

    Args:
        search: a row of `searches:`.
        seed: makes its draws those of the seed, below 2**32; None draws anew in each process.
    """
    name = _sampler_name(search)
    if name == HUB:
        chosen: samplers.BaseSampler = hub.auto_sampler()(seed=seed)
        return chosen
    return SAMPLERS[name](seed, search.n_startup_trials)


def explained(search: Search) -> str:
    """What a search draws by that leaves the choice to us; empty for any other."""
    if search.sampler != "auto":
        return ""
    name = _sampler_name(search)
    is_here = "" if name == HUB else f"; {HUB} is not here (docs/guides/search.md)"
    return f"sampler auto is {name}{is_here}"


def depends(search: Search, n: int, n_results: int) -> bool:
    """Whether the n-th draw of a search, counted from 0, or what becomes of its trial, depends on
    how trials before it end that still run.

    Optuna's samplers count results where they decide whether to look at them, so that what is drawn
    before there can be enough is random, whichever trials have ended. The sequence of points is for
    the keys of the first trial with a result.

    Args:
        n_results: of the trials that began before the first one that still runs.
    """
    if search.pruner != "none" or _sampler_name(search) == HUB:
        return True
    if _sampler_name(search) == "qmc":
        return n_results == 0
    return n >= search.n_startup_trials


def n_at_once(search: Search) -> int:
    """How many trials of a search with a seed, from the first on, may run at once."""
    if search.pruner != "none" or _sampler_name(search) == HUB:
        return 1
    if _sampler_name(search) == "qmc":
        return search.n_trials
    return min(search.n_trials, search.n_startup_trials)


def _sampler_name(search: Search) -> str:
    """The word of `sampler`; for auto, what OptunaHub has for it where a user has fetched that,
    Gaussian processes where they know how to compare two values of each key, and TPE elsewhere."""
    if search.sampler != "auto":
        return search.sampler
    if hub.auto_sampler() is not None:
        return HUB
    are_ranges = all(isinstance(key, search_space.Range) for key in search.space.values())
    return "gp" if are_ranges else "tpe"


def pruner(search: Search) -> pruners.BasePruner:
    """The pruner that a search names."""
    return PRUNERS[search.pruner]()
