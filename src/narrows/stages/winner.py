"""How a row of `searches:` is computed: its trials are run, and the best one becomes a row."""

from __future__ import annotations

from narrows.config.params import Params
from narrows.data import prepared
from narrows.search import runs, studies, trials
from narrows.store import choices
from narrows.store.rows import Attempt


def find(p: Params, key: str, attempt: Attempt) -> None:
    """Makes sure of the search's trials and writes its winner."""
    search, data = p.searches[key], prepared.read(p.dataset.name)
    job = trials.job(p, key, data)
    limits = trials.Limits(n_finished=search.n_trials, deadline=None)
    with studies.reported(studies.url()):
        study = trials.study(job, studies.storage(studies.url()), p.seed)
        if studies.n_finished(study) < search.n_trials:
            with runs.invocation(job, data) as (_, watching):
                trials.add_trials(job, study, limits, watching)
        best = studies.winner(study)
        winner = choices.Winner(
            study=job.name,
            number=best.number,
            values=dict(zip(job.objectives, best.values, strict=True)),
            row=trials.row_of(job, best),
            objectives=list(job.objectives),
            front=[trial.number for trial in study.best_trials],
            trials=studies.table(study, job.objectives),
        )
    choices.write_winner(attempt.folder, winner)
    n_trials = len(winner.trials)
    print(f"tune: {key}: trial {best.number} of {n_trials}, {winner.values}", flush=True)
