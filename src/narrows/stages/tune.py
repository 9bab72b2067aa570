"""Stage tune: makes sure of a search's trials and tells the best one."""

from __future__ import annotations

import json
from pathlib import Path

import optuna

from narrows.config import params
from narrows.data import prepared
from narrows.search import database, runs, studies, trials


def tune(p: params.Params, key: str, folder: Path) -> None:
    """Adds trials until the search has its `n_trials`; writes winner.json and trials.json.

    Args:
        key: key of `searches` in params.yaml.
        folder: an empty folder.
    """
    search = params.select(p.searches, key, "searches")
    data = prepared.read(p.dataset.name)
    problem = trials.problem(p, key, data)
    url = database.url()
    with database.explain_errors(url):
        study = trials.open_study(problem, database.open_storage(url), p.seed)
        if studies.n_finished(study) < search.n_trials:
            limits = trials.Limits(n_finished=search.n_trials, deadline=None)
            with runs.start_search(problem, data) as (_, open_log):
                trials.add_trials(problem, study, limits, open_log)
        _write(problem, study, folder)


def _write(problem: trials.Problem, study: optuna.Study, folder: Path) -> None:
    best = studies.winner(study)
    winner = {
        "study": study.study_name,
        "trial": best.number,
        "objectives": dict(zip(problem.objectives, best.values, strict=True)),
        "row": trials.row_of(problem, best),
    }
    (folder / "winner.json").write_text(json.dumps(winner, indent=2) + "\n")
    table = {
        "study": study.study_name,
        "objectives": problem.objectives,
        "front": [trial.number for trial in study.best_trials],
        "winner": best.number,
        "trials": studies.table(study, problem.objectives),
    }
    (folder / "trials.json").write_text(json.dumps(table, indent=2) + "\n")
    message = f"trial {best.number} of {len(study.trials)}, {winner['objectives']}"
    print(f"tune@{problem.key}: {message}", flush=True)
