"""How a row of `searches:` is computed: its trials are run, and the best one becomes a row."""

from __future__ import annotations

import time

from narrows.config.params import Params
from narrows.data import prepared
from narrows.data.prepared import Prepared
from narrows.errors import UserError, say
from narrows.search import database, registry, runs, studies, trials
from narrows.search.problem import Problem, problem, row_of
from narrows.store import choices
from narrows.store.choices import Winner
from narrows.store.rows import Attempt

PATIENCE_S = 60.0
"""How long a helper waits for `find` to begin."""


def find(p: Params, key: str, invocation: str, attempt: Attempt) -> None:
    """Adds trials until the search has its `n_trials`, and writes the winner.

    Args:
        invocation: what its helpers have in common with it, and with no earlier one.
    """
    search, (task, data) = p.searches[key], _problem(p, key)
    _say_what_is_outside(task)
    if sentence := registry.explained(search):
        say(f"tune: {key}: {sentence}")
    url = database.url()
    with database.explain_errors(url):
        study = trials.open_study(task, database.open_storage(url), p.seed)
        if studies.n_finished(study) < search.n_trials:
            limits = trials.Limits(n_finished=search.n_trials, deadline=None)
            with runs.start_search(task, data) as (parent, open_log):
                studies.announce(study, invocation, parent.id)
                trials.add_trials(task, study, limits, open_log)
        winner = winner_of(task, study)
    choices.write_winner(attempt.folder, winner)
    n_trials = len(study.trials)
    say(f"tune: {key}: trial {winner.number} of {n_trials}, {winner.values}")


def help_find(p: Params, key: str, invocation: str, _: Attempt) -> None:
    """Adds trials beside `find`, below its MLflow run, as long as several may run at once."""
    search, (task, data) = p.searches[key], _problem(p, key)
    url, latest = database.url(), time.monotonic() + PATIENCE_S
    with database.explain_errors(url):
        study = trials.open_study(task, database.open_storage(url), p.seed)
        while studies.n_finished(study) < search.n_trials and time.monotonic() < latest:
            if studies.is_announced(study, invocation):
                n_begun = registry.n_at_once(search)
                limits = trials.Limits(search.n_trials, deadline=None, n_begun=n_begun)
                open_log = runs.trial_runs(task, data, studies.parent(study))
                return trials.add_trials(task, study, limits, open_log)
            time.sleep(0.2)


def _problem(p: Params, key: str) -> tuple[Problem, Prepared]:
    data = prepared.read(p.dataset.name, p.autoencoders[p.searches[key].row].config.input)
    return problem(p, key, data), data


def _say_what_is_outside(problem: Problem) -> None:
    """Says which values of the row no trial can have, so that the winner may be worse than it."""
    outside = [key for key, parameters in problem.own.items() if parameters is None]
    if outside:
        say(
            f"tune: {problem.key}: the space does not have the {', '.join(outside)} of "
            f"{problem.search.row}, so no trial is that row itself"
        )


def winner_of(problem: Problem, study: studies.Study) -> Winner:
    """The best trial of a study, and the others.

    Raises:
        UserError: no trial may win.
    """
    if not study.best_trials:
        raise UserError(
            f"params.yaml: searches.{problem.key}: none of its {studies.n_finished(study)} trials "
            "is complete and within `constraints`; allow more, or add trials with "
            f"`narrows search {problem.key}`"
        )
    best = studies.winner(study)
    return Winner(
        study=study.study_name,
        number=best.number,
        values=dict(zip(problem.objectives, best.values, strict=True)),
        row=row_of(problem, best),
        objectives=list(problem.objectives),
        front=[trial.number for trial in study.best_trials],
        trials=studies.table(study, problem.objectives),
    )
