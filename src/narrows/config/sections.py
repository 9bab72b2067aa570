"""The sections of params.yaml that are no plug-ins, typed: what each key means and may be."""

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, PositiveInt

from narrows.config import search_space
from narrows.config.plugins import ASIDE, Plugin, config

Fraction = Annotated[float, Field(gt=0, lt=1)]
LARGEST_K = 30
"""Largest number of clusters that is compared, where nothing else is said."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # numpy's RandomState takes no larger ones


FEWEST_OF_WILCOXON = 5  # four differences are the fewest of which it can say p < 0.1

SAMPLES = "samples"
"""What `input` of a row says where it takes the samples themselves."""


@config
class Prepare:
    """How samples are split into train, val and test."""

    test_fraction: Fraction
    """Share of all samples that are the test split; unused where the data has a test set."""
    val_fraction: Fraction
    """Share of the other samples that is held out for early stopping, schedules and search."""


@config
class Evaluate:
    """What is measured on every encoder without labels."""

    corruptions: dict[str, Annotated[Plugin, "corruptions"]]
    """Columns of the robustness matrix: what every encoder is tested on."""
    map_rows: PositiveInt
    """Samples on the 2-d maps of the codes."""
    nll_draws: PositiveInt
    """Codes per sample in a variational row's importance-weighted likelihood."""


@config
class ChooseK:
    """Which numbers of clusters are compared, on which codes."""

    encoder: str
    """Key of a row of `baselines` or `autoencoders`: UMAPs of its codes are the space."""
    largest: Annotated[int, Field(ge=2, le=1000)] = LARGEST_K
    """Largest number of clusters that is compared; the smallest is 2, and above 15 not every one
    is."""


@config
class Clustering:
    """A row of `clusterings`: codes, and what clusters them."""

    encoder: str
    """Key of a row of `baselines` or `autoencoders`, whose codes are clustered."""
    clusterer: Annotated[Plugin, "clusterers"]
    """The method, a file in src/narrows/clustering/clusterers/."""
    log_model: bool = dataclasses.field(default=False, metadata=ASIDE)
    """Whether stage `report` logs it to MLflow as a model, too; no result depends on it."""


@config
class DeepClustering:
    """A row of `deep_clusterings`: an encoder that is refined together with its clusters."""

    encoder: str
    """Key of a row of `autoencoders`, whose weights are refined."""
    start: Annotated[Plugin, "clusterers"]
    """Clusterer of the first clusters, a file in src/narrows/clustering/clusterers/."""
    augmentation: Annotated[Plugin, "corruptions"]
    """Corruption of the samples that are learned from; the targets are those of clean samples."""
    method: Annotated[Plugin, "deep_clusterers"]
    """Deep clusterer, a file in src/narrows/clustering/deep_clusterers/."""
    teachers: tuple[str, ...] = ()
    """Keys of other rows of `clusterings` and `deep_clusterings`. What all of them put together are
    the first clusters, in place of those of the start; what they disagree on teaches nothing."""
    log_model: bool = dataclasses.field(default=False, metadata=ASIDE)
    """Whether stage `report` logs it to MLflow as a model, too; no result depends on it."""

    def __post_init__(self) -> None:
        if self.teachers and self.method.config.on_collapse == "start":
            raise ValueError(
                "method.on_collapse: start needs clusters that were read off the codes, and those "
                "of teachers were not; accepted is stop"
            )


@config
class Search:
    """A row of `searches`: a study of Optuna over the values of a row."""

    row: str
    """Key of a row of `autoencoders`; a trial is this row with other values."""
    space: Annotated[
        Any, PlainValidator(search_space.parse, json_schema_input_type=search_space.AsWritten)
    ]
    """Values to try by dotted key of the row; src/narrows/config/search_space.py has the forms."""
    objectives: tuple[Annotated[Plugin, "objectives"], ...]
    """Measures of a trial, files in src/narrows/search/objectives/; the first picks the winner."""
    n_trials: PositiveInt
    """Finished trials that `dvc repro` makes sure of; `make search` adds more. The first is the row
    itself, as far as the space has its values, so that the winner is no worse."""
    sampler: Literal["tpe", "gp", "nsga2", "cmaes", "qmc", "auto"] = "tpe"
    """What draws the values, a sampler of Optuna: tree-structured Parzen estimators, Gaussian
    processes, an evolution of whole fronts, CMA-ES, which draws choices and layers at random, or a
    quasi-random sequence. auto is the AutoSampler of OptunaHub where you have fetched it
    (docs/guides/search.md), else gp where all keys are ranges, and tpe elsewhere. Trials of
    `dvc repro` are the same however often it is interrupted and however many run at once, with each
    of them; with gp and cmaes on machines that round alike."""
    n_startup_trials: PositiveInt = 10
    """Random trials before the sampler looks at results; of nsga2 the size of a generation. qmc
    does not look at results. In `dvc repro` they run side by side."""
    pruner: Literal["none", "median", "percentile", "patient", "hyperband", "asha", "wilcoxon"] = (
        "none"
    )
    """Which trials are given up early: those whose validation loss is above the median of earlier
    ones, not in their best quarter (percentile), above the median and not falling for three epochs
    (patient), or behind others of the same number of epochs (hyperband, asha). wilcoxon gives up
    after some of the `seeds` what is worse than the best trial, p < 0.1. After a kill hyperband
    does not draw the same."""
    seeds: tuple[Seed, ...] = ()
    """Seeds of weights, shuffling and noise from which each trial is trained: its values are the
    means. Without any it is trained from `seed` alone."""
    constraints: dict[Literal["code_size", "seconds"], Annotated[float, Field(gt=0)]] = (
        dataclasses.field(default_factory=dict)
    )
    """Largest code, and longest training of all seeds together on the machine where it ran. A trial
    that exceeds one is never the winner, and the sampler avoids its like."""

    def __post_init__(self) -> None:
        if not self.objectives:
            raise ValueError("objectives: at least one is needed, found none")
        if self.sampler == "cmaes" and (len(self.objectives) > 1 or self.constraints):
            raise ValueError(
                "sampler: cmaes takes one objective and no constraints; nsga2, gp and tpe take more"
            )
        for objective in self.objectives:
            fewest = objective.module.FEWEST_SEEDS
            if fewest > max(1, len(self.seeds)):
                raise ValueError(
                    f"objectives: {objective.name} compares trainings, so seeds has to list "
                    f"{fewest} or more"
                )
        self._check_pruner()

    def _check_pruner(self) -> None:
        """A pruner has values to compare: of epochs, or of seeds."""
        if self.pruner == "none":
            return
        if self.pruner == "wilcoxon":
            if len(self.objectives) > 1 or len(self.seeds) < FEWEST_OF_WILCOXON:
                raise ValueError(
                    f"pruner: wilcoxon compares the values of seeds, so it needs one objective and "
                    f"{FEWEST_OF_WILCOXON} seeds or more"
                )
        elif len(self.objectives) > 1 or "loss" in self.space or len(self.seeds) > 1:
            raise ValueError(
                f"pruner: {self.pruner} compares validation losses, so it needs one objective and "
                "a space without loss, and takes no seeds"
            )


@config
class Seeds:
    """Clusterings that are computed from several seeds."""

    values: Annotated[tuple[Seed, ...], Field(min_length=1)]
    """Seeds of weights, shuffling, noise and clusterers; the splits stay those of `seed`."""
    rows: tuple[str, ...]
    """Keys of `clusterings` and `deep_clusterings` that are computed again under every seed."""
    together: bool | Literal["auto"]
    """Whether an encoder is trained from all seeds at once, as one batch of models, instead of
    one after the other; auto does so on a GPU. On a CPU it pays for samples of few values."""
