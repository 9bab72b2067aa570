"""Stage report: labels meet clusters. artifacts/ -> results/<dataset>, and scores to MLflow."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from PIL import Image

from narrows import errors, tracking
from narrows.config import params
from narrows.config.plugins import resolved
from narrows.data import splits
from narrows.report import (
    artifacts,
    claims,
    clustering_figures,
    encoder_figures,
    ladder,
    page,
    run_notes,
    tables,
)
from narrows.store import choices, outputs
from narrows.store.files import write_csv
from narrows.tracking import views

ROWS_A_PROCESS = 8  # for fewer another process takes longer to start than it saves
IDLE = 20  # seconds after which such a process ends
T = TypeVar("T")
U = TypeVar("U")
LOGGED_BEFORE = ("samples", "curves", "codes")  # by the stages that fit encoders


def main() -> None:
    p = params.with_winners(params.load())
    results = Path("results", p.dataset.name)
    made = Path("artifacts", p.dataset.name)
    data = artifacts.read_data(Path("data", p.dataset.name))
    encoders = {
        key: artifacts.read_encoder(made, key, data) for key in [*p.baselines, *p.autoencoders]
    }
    clusterings = {
        key: artifacts.read_clustering(made, key, data)
        for key in (*p.clusterings, *p.deep_clusterings)
    }
    chosen = choices.read_k(choices.k_folder(made))
    searches = [artifacts.read_search(made, key) for key in p.searches]
    by_seed = {
        key: artifacts.read_seeds(made, clusterings[key], p.seeds.values, data)
        for key in p.seeds.rows
    }
    fitted = list(encoders.values())
    autoencoder_rows = tables.autoencoder_rows(fitted)
    scored = each(clusterings, tables.clustering_rows, data, p.seed)
    clustering_rows = [row for rows in scored.values() for row in rows]
    code_rows = list(each(encoders, tables.code_row, data, p.seed).values())
    robustness_rows = tables.robustness_rows(fitted)
    variational_rows = tables.variational_rows(fitted)
    seed_rows = [tables.seed_row(data, key, found) for key, found in by_seed.items()]

    ranked = page.ranked(
        [row for row in clustering_rows if row["split"] == "test"], data.labels is not None
    )
    starts = {key: row.start.name for key, row in p.deep_clusterings.items()}
    rungs = ladder.rungs(ranked, list(p.baselines), starts)

    with outputs.output(results) as folder:
        (folder / "figures").mkdir()
        overview_pictures = encoder_figures.overview_pictures(fitted, chosen, data, p.seed, folder)
        search_pictures = encoder_figures.search_pictures(searches, folder)
        encoder_pictures = each(encoders, encoder_figures.encoder_pictures, data, p.seed, folder)
        clustering_pictures = each(
            clusterings, clustering_figures.clustering_pictures, data, folder
        )
        write_csv(folder / "autoencoders.csv", autoencoder_rows)
        write_csv(folder / "clusterings.csv", clustering_rows)
        write_csv(folder / "n_clusters.csv", chosen.curve)
        write_csv(folder / "codes.csv", code_rows)
        write_csv(folder / "robustness.csv", robustness_rows, tables.ROBUSTNESS_COLUMNS)
        write_csv(folder / "variational.csv", variational_rows, tables.VARIATIONAL_COLUMNS)
        write_csv(folder / "seeds.csv", seed_rows, tables.SEED_COLUMNS)
        summary = tables.summary(autoencoder_rows, clustering_rows, code_rows)
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        html = page.render(
            dataset=p.dataset.name,
            shape=data.x.shape[1:],
            n_per_split={name: int(data.rows(name).sum()) for name in splits.NAMES},
            labelled=data.labels is not None,
            baselines=list(p.baselines),
            autoencoders=autoencoder_rows,
            clusterings=clustering_rows,
            codes=code_rows,
            variational=variational_rows,
            seeds=seed_rows,
            rungs=rungs,
            claims=claims.read() if p.dataset.name in claims.DATASETS else [],
            searches=searches,
            overview_pictures=overview_pictures,
            search_pictures=search_pictures,
            encoder_pictures=encoder_pictures,
            clustering_pictures=clustering_pictures,
        )
        (folder / "report.html").write_text(html, encoding="utf-8")

    digest = fitted[0].config["data_digest"]
    given = tracking.Data(p.dataset.name, digest, data.x.shape)
    with tracking.start("report", f"report of {p.dataset.name}", given, {"stage": "report"}) as run:
        log_pictures(run, overview_pictures, results)
        for table in sorted(results.glob("*.csv")):
            run.log_file(table)
        overview = {picture.caption: run.picture(picture.name) for picture in overview_pictures}

    current = set()
    for key, encoder in encoders.items():
        run = tracking.again(encoder.identity, p.dataset.name)
        run.log_metrics(tables.run_metrics(key, code_rows, robustness_rows, variational_rows))
        log_pictures(
            run, [q for q in encoder_pictures[key] if q.name not in LOGGED_BEFORE], results
        )
        row = resolved({**p.baselines, **p.autoencoders}[key])
        told = {"depth": tracking.depth(row)}
        run.log_params(told if "code_size" in row else told | {"code_size": encoder.codes.shape[1]})
        tests = [test for test in autoencoder_rows if test["split"] == "test"]
        note = run_notes.of_encoder(key, row, tests, ranked, run.picture("reconstructions"))
        run.set_tag(run_notes.TAG, note)
        current |= {run.id}
    for key, clustering in clusterings.items():
        run = tracking.again(clustering.identity, p.dataset.name)
        for row in clustering_rows:
            if row["clustering"] == key:
                found = tables.scores(row)
                run.log_metrics({f"{row['split']}/{k}": v for k, v in found.items()})
                if row["split"] == "test" and "acc" in found:
                    run.log_metrics({"cluster/acc": found["acc"]})
        for row in seed_rows:
            if row["clustering"] == key:
                run.log_metrics(
                    {
                        f"seeds/{k}": float(v)
                        for k, v in row.items()
                        if k in tables.SEEDS and v is not None
                    }
                )
        log_pictures(run, clustering_pictures[key], results)
        is_baseline = clustering.encoder in p.baselines
        encoder_row = resolved({**p.baselines, **p.autoencoders}[clustering.encoder])
        run.log_params({"depth": tracking.depth(encoder_row)})
        shown = run.picture("sheet")
        note = run_notes.of_clustering(key, ranked, rungs.get(key, []), is_baseline, shown)
        run.set_tag(run_notes.TAG, note)
        current |= {run.id}
    trials = {
        one.key: views.Trials(
            one.study,
            list(p.searches[one.key].space),
            {told.name: told.module.DIRECTION for told in p.searches[one.key].objectives},
        )
        for one in searches
    }
    shown_as = views.tags(trials, made=time.time_ns() // 1_000_000)
    shown_as[run_notes.TAG] = run_notes.of_dataset(p.dataset.name, ranked, rungs, overview)
    views.show(p.dataset.name, {run_id for run_id in current if run_id}, shown_as)


def each(rows: dict[str, T], made: Callable[..., U], *args: Any) -> dict[str, U]:
    """`made(row, *args)` of each row, in several processes where there are enough rows."""
    n_jobs = min(joblib.cpu_count(), 1 + len(rows) // ROWS_A_PROCESS)
    # they are shared by all calls, and nobody ends them: by themselves they wait for five minutes
    parallel = joblib.Parallel(n_jobs, backend="loky", idle_worker_timeout=IDLE)
    done = parallel(joblib.delayed(made)(row, *args) for row in rows.values())
    return dict(zip(rows, done, strict=True))


def log_pictures(
    run: tracking.Run, pictures: Sequence[encoder_figures.Picture], results: Path
) -> None:
    for picture in pictures:
        drawn = Image.open(results / picture.file).convert("RGB")
        run.log_image(picture.name, np.asarray(drawn), step=0)


if __name__ == "__main__":
    errors.run(main)
