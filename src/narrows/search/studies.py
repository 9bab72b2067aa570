"""Studies of Optuna, and what is read from them: winner, table, gains, plots."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import optuna
from matplotlib.figure import Figure
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from narrows.errors import UserError
from narrows.search.database import retry
from narrows.search.sampler import (
    FINISHED,
    SURPLUS,
    FreshSampler,
    RepeatableSampler,
    first_number,
    history,
)
from narrows.search.summary import Gains
from narrows.store import outputs

Study = optuna.Study
"""Trials that are judged by the same objectives, in a database or in memory."""
PARENT = "parent"  # user attribute of a study: its last invocation in the pipeline, its MLflow run
MIN_FOR_IMPORTANCE = 4  # complete trials


def open_study(
    storage: RDBStorage,
    name: str,
    directions: Sequence[Any],
    pruner: BasePruner,
    sampler: BaseSampler,
) -> optuna.Study:
    """The study of this name, created where it is not there."""
    with outputs.lock("studies"):
        return optuna.create_study(
            storage=storage,
            study_name=name,
            directions=directions,
            load_if_exists=True,
            pruner=pruner,
            sampler=sampler,
        )


def has_to_wait(study: optuna.Study) -> bool:
    """Whether the next draw is to be the same in every search and depends on a trial that runs."""
    sampler = study.sampler
    return isinstance(sampler, RepeatableSampler) and sampler.has_to_wait()


@contextlib.contextmanager
def turn(study: optuna.Study) -> Iterator[None]:
    """Lets workers of this machine whose draws have a seed begin trials one after the other, and
    keeps from them a trial that has failed and is about to be begun again."""
    has_seed = isinstance(study.sampler, RepeatableSampler)
    with outputs.lock(f"trials-{study.study_name}") if has_seed else contextlib.nullcontext():
        yield


def announce(study: optuna.Study, invocation: str, parent: str | None) -> None:
    """Says to those who help an invocation of a search below which MLflow run its trials stand;
    None where nothing is tracked."""
    study.set_user_attr(PARENT, [invocation, parent])


def is_announced(study: optuna.Study, invocation: str) -> bool:
    """Whether this invocation has begun to add trials."""
    return bool(study.user_attrs.get(PARENT, [None])[0] == invocation)


def parent(study: optuna.Study) -> str | None:
    """What the last invocation has announced."""
    run: str | None = study.user_attrs[PARENT][1]
    return run


def begun(study: optuna.Study) -> int | None:
    """Number of the trial that this process began last, also before it has drawn anything."""
    sampler = study.sampler
    return sampler.begun if isinstance(sampler, FreshSampler | RepeatableSampler) else None


def n_finished(study: optuna.Study) -> int:
    """Number of trials with a result, those that were pruned included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def have_begun(study: optuna.Study, n: int) -> bool:
    """Whether so many trials have begun, retries not counted, and none waits to be begun again."""
    trials = study.get_trials(deepcopy=False)
    is_waiting = any(trial.state == TrialState.WAITING for trial in trials)
    return not is_waiting and len(history(study, before=len(trials))) >= n


def n_since_best(study: optuna.Study) -> int:
    """Number of trials that have finished since the newest that none before it equals or beats."""
    finished = study.get_trials(deepcopy=False, states=FINISHED)
    finished.sort(key=lambda trial: (trial.datetime_complete, trial.number))
    best = {trial.number for trial in study.best_trials}
    first: dict[tuple[float, ...], int] = {}  # place of the first trial with these values
    for place, trial in enumerate(finished, start=1):
        if trial.number in best:
            first.setdefault(tuple(trial.values), place)
    return len(finished) - max(first.values(), default=0)


def refuse_surplus(study: optuna.Study, trial: optuna.Trial, n_enough: int) -> None:
    """Raises UserError if the study will hold `n_enough` finished trials without this one.

    The earlier trials that have ended well, run or wait decide, so two workers that begin a trial
    at the same time agree on who goes on.
    """
    earlier = study.get_trials(deepcopy=False)[: trial.number]
    if sum(t.state != TrialState.FAIL for t in earlier) >= n_enough:
        trial.set_user_attr(SURPLUS, True)
        raise UserError("enough other trials are running")


def leave(study: optuna.Study, number: int) -> None:
    """Hands a trial that was interrupted to the next worker; one that had ended stays as it is."""
    with contextlib.suppress(ValueError):  # Optuna's own handler, or a result, came first
        study.tell(number, state=TrialState.FAIL)
    trial = study.get_trials(deepcopy=False)[number]
    if trial.state == TrialState.FAIL:
        retry(study, trial)


def is_surplus(trial: FrozenTrial) -> bool:
    """Whether the trial was given up because others were enough."""
    return SURPLUS in trial.user_attrs


def ended(study: optuna.Study) -> set[int]:
    """Numbers of the trials that neither run nor wait, surplus ones left out."""
    trials = study.get_trials(deepcopy=False)
    return {t.number for t in trials if t.state.is_finished() and not is_surplus(t)}


def winner(study: optuna.Study, objective: int = 0) -> FrozenTrial:
    """The best finished trial by one objective; of a front, its end."""
    best = [t for t in study.best_trials if t.values is not None]
    sign = _sign(study.directions[objective])
    return min(best, key=lambda trial: (sign * trial.values[objective], first_number(trial)))


def table(study: optuna.Study, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for every trial but surplus ones: number, state, seconds, parameters, the constraints
    that it exceeds, and the values of the objectives if it has any."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if is_surplus(trial):
            continue
        seconds = None if trial.duration is None else trial.duration.total_seconds()
        values = dict(zip(names, trial.values or (), strict=False))
        row = {"trial": trial.number, "state": trial.state.name, "seconds": seconds}
        exceeded = [key for key, excess in trial.constraints.items() if excess > 0]
        rows.append({**row, "params": trial.params, "exceeds": exceeded, **values})
    return rows


def gains(study: optuna.Study, names: Sequence[str], before: set[int], seconds: float) -> Gains:
    """What has changed since only the trials `before` had ended."""
    rows = table(study, names)
    done = [row for row in rows if row["state"] == TrialState.COMPLETE.name]
    done = [row for row in done if not row["exceeds"]]
    old = [row for row in done if row["trial"] in before]
    objectives = []
    for name, direction in zip(names, study.directions, strict=True):
        sides = {"before": _best(old, name, direction), "after": _best(done, name, direction)}
        objectives.append({"name": name, "direction": direction.name.lower(), **sides})
    importance = {}
    if len(done) >= MIN_FOR_IMPORTANCE:
        for i, name in enumerate(names):
            shares = _importance(study, i)
            importance[name] = {key: float(share) for key, share in shares.items()}
    front = [trial.number for trial in study.best_trials] if done else []
    new = sorted(ended(study) - before)
    return Gains(study.study_name, objectives, rows, new, front, importance, seconds)


def plots(study: optuna.Study, names: Sequence[str]) -> dict[str, Figure]:
    """History, slices and parallel coordinates of every objective, and the front of two."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as charts

    kinds: dict[str, Callable[..., Any]] = {
        "history": charts.plot_optimization_history,
        "slice": charts.plot_slice,
        "parallel_coordinates": charts.plot_parallel_coordinate,
    }
    figures = {}
    for i, name in enumerate(names):
        for kind, draw in kinds.items():
            draw(study, target=_value(i), target_name=name)
            figures[f"{kind}_{name}"] = pyplot.gcf()
    if len(names) == 2:
        charts.plot_pareto_front(study, target_names=list(names))
        figures["front"] = pyplot.gcf()
    pyplot.close("all")
    return figures


def _importance(study: optuna.Study, i: int) -> dict[str, float]:
    """Shares of the variance of the i-th objective, towards its better end."""
    sign = _sign(study.directions[i])
    with warnings.catch_warnings():
        # Optuna says that it looks at low values: these are
        warnings.filterwarnings("ignore", "PedAnovaImportanceEvaluator", UserWarning)
        return optuna.importance.get_param_importances(
            study, target=lambda trial: sign * float(trial.values[i])
        )


def _best(rows: list[dict[str, Any]], name: str, direction: StudyDirection) -> Any:
    sign = _sign(direction)
    return min(rows, key=lambda row: sign * row[name], default=None)


def _sign(direction: StudyDirection) -> int:
    """What makes a smaller value the better one."""
    return 1 if direction == StudyDirection.MINIMIZE else -1


def _value(i: int) -> Callable[[FrozenTrial], float]:
    def value(trial: FrozenTrial) -> float:
        return float(trial.values[i])

    return value
