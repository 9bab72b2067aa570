"""Stage report: labels meet clusters. artifacts/ -> results/<dataset>, and scores to MLflow."""

import dataclasses
import functools
import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from PIL import Image

from narrows import engine, tracking
from narrows.clustering import votes
from narrows.config import params
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.data import splits
from narrows.errors import say
from narrows.evaluation import probes
from narrows.rendering import figures, progress
from narrows.rendering.figures import CaptionedFigure
from narrows.report import (
    artifacts,
    claims,
    clustering_figures,
    curves,
    encoder_figures,
    headline,
    ladder,
    page,
    run_notes,
    tables,
)
from narrows.report.artifacts import (
    LabelledData,
    ReportedClustering,
    ReportedEncoder,
    SearchResult,
)
from narrows.report.page import Figures, Report, SavedFigure
from narrows.report.tables import Tables
from narrows.stages.runner import LOGGING
from narrows.store import choices, features, outputs
from narrows.store.choices import ChosenK
from narrows.store.features import StoredFeatures
from narrows.tracking import models, views
from narrows.tracking.models import Served

ENOUGH_ROWS = 8  # for fewer, processes take longer to start than they save
PRELOAD = (__name__, *LOGGING, "sklearn.linear_model", "sklearn.neighbors")
LOGGED_BEFORE = ("samples", "curves", "codes")  # figures that the stages of encoders log themselves
U = TypeVar("U")


@dataclass(frozen=True)
class Inputs:
    """What the earlier stages left of one data set."""

    data: LabelledData
    encoders: dict[str, ReportedEncoder]
    """Encoders by key, baselines first."""
    clusterings: dict[str, ReportedClustering]
    """Clusterings by key, deep ones last."""
    chosen_k: ChosenK
    searches: list[SearchResult]
    by_seed: dict[str, dict[int, np.ndarray]]
    """Clusters (N,) by key of a clustering and seed, of the rows that `seeds` names."""

    @property
    def data_digest(self) -> str:
        """SHA-256 of the data that the encoders were fitted on."""
        return next(iter(self.encoders.values())).config["data_digest"]


@progress.watch("report")
def main() -> None:
    """Reads params.yaml and what all stages left; replaces results/<dataset>; logs to MLflow."""
    p = choices.with_winners(params.load())
    results = Path("results", p.dataset.name)
    inputs = read(p)
    scored = score(p, inputs)
    with outputs.output(results) as folder:
        report = describe(p, inputs, scored, draw(p, inputs, folder))
        write(report, folder)
        curves.write(inputs.encoders.values(), folder)
    log(p, inputs, report, results)
    say(f"report: {results / 'report.html'} compares all rows")


def read(p: Params) -> Inputs:
    """The artifacts of every row; raises `UserError` naming the stage to run where one misses."""
    data, folder = read_data(p), artifacts_of(p)
    clusterings = {
        key: artifacts.read_clustering(folder, key, data)
        for key in (*p.clusterings, *p.deep_clusterings)
    }
    return Inputs(
        data=data,
        encoders={
            key: artifacts.read_encoder(folder, key, data)
            for key in [*p.baselines, *p.autoencoders]
        },
        clusterings=clusterings,
        chosen_k=choices.read_k(choices.k_folder(folder)),
        searches=[artifacts.read_search(folder, key) for key in p.searches],
        by_seed={
            key: artifacts.read_seeds(folder, clusterings[key], p.seeds.values, data)
            for key in p.seeds.rows
        },
    )


def read_data(p: Params) -> LabelledData:
    """The samples, their labels, and the features between which distances are measured."""
    data = artifacts.read_data(Path("data", p.dataset.name))
    return dataclasses.replace(data, features=features.common(artifacts_of(p), list(p.pretrained)))


def artifacts_of(p: Params) -> Path:
    """Folder of what the earlier stages left."""
    return Path("artifacts", p.dataset.name)


def score(p: Params, inputs: Inputs) -> Tables:
    """Every line of the results files. Here labels meet codes and clusters."""
    data, encoders = inputs.data, list(inputs.encoders.values())
    voters = {
        split: votes.voters(data.points, data.split, split, probes.MAX_QUERIES)
        for split in ("val", "test")
    }
    clusterings = in_processes(clustering_rows, inputs.clusterings, p, voters)
    return Tables(
        autoencoders=tables.autoencoder_rows(encoders),
        clusterings=[row for rows in clusterings.values() for row in rows],
        n_clusters=inputs.chosen_k.curve,
        codes=list(in_processes(code_row, inputs.encoders, p).values()),
        robustness=tables.robustness_rows(encoders),
        variational=tables.variational_rows(encoders),
        seeds=[tables.seed_row(data, key, seeds) for key, seeds in inputs.by_seed.items()],
    )


def clustering_rows(p: Params, voters: dict[str, votes.Voters], key: str) -> list[dict[str, Any]]:
    """Scores of one clustering, a line for each split."""
    data = read_data(p)
    clustering = artifacts.read_clustering(artifacts_of(p), key, data)
    return tables.clustering_rows(clustering, data, voters, p.seed)


def code_row(p: Params, key: str) -> dict[str, Any]:
    """Scores of the codes of one encoder."""
    data = read_data(p)
    return tables.code_row(artifacts.read_encoder(artifacts_of(p), key, data), data, p.seed)


def draw(p: Params, inputs: Inputs, folder: Path) -> Figures:
    """Draws and saves every figure of the report, below the folder."""
    data, encoders = inputs.data, list(inputs.encoders.values())
    overview = encoder_figures.draw_overview(encoders, inputs.chosen_k, data, p.seed)
    searches = {search.key: encoder_figures.draw_search(search) for search in inputs.searches}
    (folder / "figures").mkdir()
    return Figures(
        overview=save(overview, "all", folder),
        searches={key: save(captioned, key, folder) for key, captioned in searches.items()},
        encoders=in_processes(draw_encoder, inputs.encoders, p, folder),
        clusterings=in_processes(draw_clustering, inputs.clusterings, p, folder),
    )


def draw_encoder(p: Params, folder: Path, key: str) -> list[SavedFigure]:
    """Draws and saves the figures of one encoder."""
    data = read_data(p)
    encoder = artifacts.read_encoder(artifacts_of(p), key, data)
    return save(encoder_figures.draw_encoder(encoder, data, p.seed), key, folder)


def draw_clustering(p: Params, folder: Path, key: str) -> list[SavedFigure]:
    """Draws and saves the figures of one clustering."""
    data = read_data(p)
    clustering = artifacts.read_clustering(artifacts_of(p), key, data)
    return save(clustering_figures.draw_clustering(clustering, data), key, folder)


def save(captioned: Iterable[CaptionedFigure], key: str, folder: Path) -> list[SavedFigure]:
    """Writes figures/<key>-<name>.png below the folder for every figure, in their order."""
    saved = []
    for figure, name, caption, n_colours in captioned:
        file = f"figures/{key}-{name}.png"
        figures.save(figure, folder / file, n_colours)
        saved.append(SavedFigure(name, file, caption, figures.is_chart(figure)))
    return saved


def describe(p: Params, inputs: Inputs, scored: Tables, saved: Figures) -> Report:
    """What the page and MLflow say of the scores: an order, rivals, figures of others."""
    data = inputs.data
    labelled = data.labels is not None
    tests = [row for row in scored.clusterings if row["split"] == "test"]
    ranking = tables.ranked(tests, labelled)
    starts = {key: row.start.name for key, row in p.deep_clusterings.items()}
    return Report(
        dataset=p.dataset.name,
        title=p.title,
        shape=data.x.shape[1:],
        n_per_split={name: int(data.mask(name).sum()) for name in splits.NAMES},
        labelled=labelled,
        baselines=list(p.baselines),
        tables=scored,
        ranking=ranking,
        rungs=ladder.rungs(ranking, list(p.baselines), starts),
        claims=claims.read() if p.dataset.name in claims.DATASETS else [],
        k_sentence=inputs.chosen_k.sentence,
        searches=inputs.searches,
        figures=saved,
        pretrained={
            key: StoredFeatures(features.folder(artifacts_of(p), key)).config
            for key in p.pretrained
        },
    )


def write(report: Report, folder: Path) -> None:
    """The tables, two files of scores and report.html, beside the figures that are there."""
    tables.write(report.tables, folder)
    scores = {
        "summary": tables.summary(report.tables),
        "headline": headline.headline(report.tables, report.ranking, report.baselines),
    }
    for name, values in scores.items():
        (folder / f"{name}.json").write_text(json.dumps(values, indent=2) + "\n")
    (folder / "report.html").write_text(page.render(report), encoding="utf-8")


def log(p: Params, inputs: Inputs, report: Report, results: Path) -> None:
    """Adds to the runs of all rows what was not known when they ended; marks them as current."""
    overview = log_overview(inputs, report, results)
    data = run_data(inputs, report)
    encoders = in_processes(log_encoder, inputs.encoders, p, report, results, data)
    clusterings = in_processes(log_clustering, inputs.clusterings, p, report, results, data)
    ids = [*encoders.values(), *clusterings.values()]
    trials = {
        search.key: views.Trials(
            search.study,
            list(p.searches[search.key].space),
            {plugin.name: plugin.module.DIRECTION for plugin in p.searches[search.key].objectives},
        )
        for search in inputs.searches
    }
    tags = views.tags(trials, created_ms=time.time_ns() // 1_000_000)
    tags[run_notes.TAG] = run_notes.dataset_note(
        report.dataset, report.ranking, report.rungs, overview
    )
    with tracking.amend_run(f"report of {report.dataset}", data) as run:
        run.show({run_id for run_id in ids if run_id}, tags)


def run_data(inputs: Inputs, report: Report) -> tracking.RunData:
    """The data of all runs."""
    return tracking.RunData(report.dataset, inputs.data_digest, inputs.data.x.shape)


def log_overview(inputs: Inputs, report: Report, results: Path) -> dict[str, str | None]:
    """A run of the stage itself with the tables and the figures that compare all rows.

    Returns:
        By caption of such a figure, its address on MLflow's page.
    """
    data = run_data(inputs, report)
    name = f"report of {report.dataset}"
    with tracking.start_run("report", name, data, {"stage": "report"}) as run:
        log_figures(run, report.figures.overview, results)
        for table in sorted(results.glob("*.csv")):
            run.log_file(table)
        return {figure.caption: run.picture(figure.name) for figure in report.figures.overview}


def log_encoder(
    p: Params, report: Report, results: Path, data: tracking.RunData, key: str
) -> str | None:
    """Scores, figures and a description for the encoder's run; returns the run's id."""
    encoder = artifacts.read_encoder(artifacts_of(p), key, read_data(p))
    saved = [figure for figure in report.figures.encoders[key] if figure.name not in LOGGED_BEFORE]
    row = encoder_row(p, key)
    tests = [test for test in report.tables.autoencoders if test["split"] == "test"]
    with tracking.amend_run(encoder.identity, data) as run:
        run.log_metrics(tables.encoder_metrics(key, report.tables))
        log_figures(run, saved, results)
        if "network" not in row:  # runs with a network have their depth from their own stage
            run.log_params({"depth": 0})
        if not row.get("code_size"):
            run.log_params({"code_size": encoder.codes.shape[1]})
        picture = run.picture("reconstructions")
        note = run_notes.encoder_note(key, row, tests, report.ranking, picture)
        run.set_tag(run_notes.TAG, note)
        if key in p.logged_models:
            log_model(run, models.of_encoder(*places(report), key))
        return run.id


def log_clustering(
    p: Params, report: Report, results: Path, data: tracking.RunData, key: str
) -> str | None:
    """Scores, figures and a description for the clustering's run; returns the run's id."""
    clustering = artifacts.read_clustering(artifacts_of(p), key, read_data(p))
    is_baseline = clustering.encoder in report.baselines
    rungs = report.rungs.get(key, [])
    with tracking.amend_run(clustering.identity, data) as run:
        run.log_metrics(tables.clustering_metrics(key, report.tables))
        log_figures(run, report.figures.clusterings[key], results)
        run.log_params({"depth": tracking.depth(encoder_row(p, clustering.encoder))})
        picture = run.picture("sheet")
        note = run_notes.clustering_note(key, report.ranking, rungs, is_baseline, picture)
        run.set_tag(run_notes.TAG, note)
        if key in p.logged_models:
            log_model(run, models.of_clustering(*places(report), key))
        return run.id


def log_model(run: tracking.Run, served: Served) -> None:
    """Logs a row as a model, unless its run has it, and scores for it."""
    if run.lacks_model(served.fingerprint):
        run.log_model(served.key, served.fingerprint, models.packed(served))
    run.score_model(served.fingerprint)


def places(report: Report) -> tuple[Path, Path]:
    """Folders of the artifacts and of the data."""
    return Path("artifacts", report.dataset), Path("data", report.dataset)


def encoder_row(p: Params, key: str) -> dict[str, Any]:
    """A row of `baselines` or `autoencoders`, with every default."""
    return resolved({**p.baselines, **p.autoencoders}[key])


def log_figures(run: tracking.Run, saved: Sequence[SavedFigure], results: Path) -> None:
    """Logs the figures under their names, as they are on the page."""
    for figure in saved:
        picture = Image.open(results / figure.file).convert("RGB")
        run.log_image(figure.name, np.asarray(picture), step=0)


def in_processes(
    function: Callable[..., U], keys: Collection[str], *arguments: Any
) -> dict[str, U]:
    """`function(*arguments, key)` by key, in processes of this machine where there are enough keys.

    They read what they need from the files of the row, which may be more than one would send.
    """
    task = functools.partial(function, *arguments)
    if len(keys) < ENOUGH_ROWS:
        return {key: task(key) for key in keys}
    outcomes = engine.each(task, keys, preload=PRELOAD, is_here=True)
    results = {}
    what = function.__name__.replace("_", " ")
    for outcome in progress.counted(what, outcomes, len(keys)):
        if outcome.error:
            raise outcome.error
        results[outcome.row] = cast("U", outcome.value)
    return {key: results[key] for key in keys}
