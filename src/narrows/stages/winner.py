"""How a row of `searches:` is computed: its trials are run, and the best one becomes a row."""

from __future__ import annotations

from narrows.config.params import Params
from narrows.data import prepared
from narrows.errors import say
from narrows.search import database, runs, studies, trials
from narrows.store import choices
from narrows.store.choices import Winner
from narrows.store.rows import Attempt


def find(p: Params, key: str, attempt: Attempt) -> None:
    """Adds trials until the search has its `n_trials`, and writes the winner."""
    search = p.searches[key]
    data = prepared.read(p.dataset.name, p.autoencoders[search.row].config.input)
    problem = trials.problem(p, key, data)
    url = database.url()
    with database.explain_errors(url):
        study = trials.open_study(problem, database.open_storage(url), p.seed)
        if studies.n_finished(study) < search.n_trials:
            limits = trials.Limits(n_finished=search.n_trials, deadline=None)
            with runs.start_search(problem, data) as (_, open_log):
                trials.add_trials(problem, study, limits, open_log)
        winner = winner_of(problem, study)
    choices.write_winner(attempt.folder, winner)
    n_trials = len(study.trials)
    say(f"tune: {key}: trial {winner.number} of {n_trials}, {winner.values}")


def winner_of(problem: trials.Problem, study: studies.Study) -> Winner:
    """The best trial of a study, and the others."""
    best = studies.winner(study)
    return Winner(
        study=study.study_name,
        number=best.number,
        values=dict(zip(problem.objectives, best.values, strict=True)),
        row=trials.row_of(problem, best),
        objectives=list(problem.objectives),
        front=[trial.number for trial in study.best_trials],
        trials=studies.table(study, problem.objectives),
    )
