"""Databases of Optuna's studies, and what is read from a study: winner, table, gains, plots."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from matplotlib.figure import Figure
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from narrows.errors import UserError
from narrows.search.summary import Gains
from narrows.store import work

if TYPE_CHECKING:
    from sqlalchemy import URL

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.ERROR)  # how a trial failed stands in its run

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
SURPLUS = "surplus"  # user attribute of a trial that was not needed
MAX_RETRIES = 10
MIN_FOR_IMPORTANCE = 4  # complete trials
PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
}
retry = RetryHeartbeatStaleTrialCallback(max_retry=MAX_RETRIES)


def url() -> str:
    """NARROWS_STUDIES, else one sqlite database in studies/."""
    return os.environ.get("NARROWS_STUDIES") or "sqlite:///studies/studies.db"


def storage(url: str, heartbeat: int = 60) -> RDBStorage:
    """The database of studies; trials of a worker that is silent for three heartbeats are retried.

    Args:
        url: sqlite:///... or postgresql+psycopg://...
        heartbeat: seconds between two signs of life of a running trial.

    Raises:
        UserError: it does not open. A password is not told.
    """
    parsed = _parsed(url)
    try:
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        with (
            reported(url),
            work.lock("studies"),
        ):  # two processes at once would make the same tables
            return _connected(url, heartbeat)
    except (ImportError, OSError) as error:
        raise _refused(url, "does not open", error) from None
    except RuntimeError as error:  # of Optuna, about tables of another version or of MLflow
        raise _refused(url, "holds tables of something else", error) from None


def _connected(url: str, heartbeat: int, attempts: int = 3) -> RDBStorage:
    """Another machine may be making the same tables right now: a second later they are there."""
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    try:
        return RDBStorage(
            url,
            heartbeat_interval=heartbeat,
            grace_period=3 * heartbeat,
            heartbeat_stale_trial_callback=retry,
        )
    except (IntegrityError, ProgrammingError):
        if attempts == 1:
            raise
        time.sleep(1)
        return _connected(url, heartbeat, attempts - 1)


@contextlib.contextmanager
def reported(url: str) -> Iterator[None]:
    """Makes a sentence of what a database says when it is unreachable, full or locked.

    Raises:
        UserError: it says so. A password is not told.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise _refused(url, "does not answer", error.__cause__ or error) from None


def _parsed(url: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except ArgumentError:
        raise UserError(
            f"the storage of studies is {url!r}; accepted are URLs of a database, "
            "sqlite:///studies/studies.db or postgresql+psycopg://user:password@host/name"
        ) from None


def _refused(url: str, what: str, error: BaseException) -> UserError:
    shown = _parsed(url).render_as_string(hide_password=True)
    told = str(error).splitlines()[0].replace(url, "it")
    return UserError(f"the storage of studies {shown} {what}: {told}")


def opened(
    kept: RDBStorage, name: str, directions: Sequence[Any], pruner: str, seed: int | None
) -> optuna.Study:
    """The study of this name, created where it is not there.

    Args:
        seed: of the draws, where one worker alone makes the study again; with one seed several
            workers would draw the same. None draws anew.
    """
    with work.lock("studies"):
        found = optuna.create_study(
            storage=kept,
            study_name=name,
            directions=directions,
            load_if_exists=True,
            pruner=PRUNERS[pruner](),
        )
    n_drawn = len(found.get_trials(deepcopy=False))  # their draws are not to come again
    if seed is not None:
        seed = (seed + n_drawn) % 2**32  # numpy takes no larger ones
    found.sampler = optuna.samplers.TPESampler(seed=seed)
    return found


def n_finished(found: optuna.Study) -> int:
    """Trials with a result, those that were pruned included."""
    return len(found.get_trials(deepcopy=False, states=FINISHED))


def refuse_surplus(found: optuna.Study, trial: optuna.Trial, n_wanted: int) -> None:
    """Raises UserError if the study will hold `n_wanted` finished trials without this one.

    The earlier trials that have ended well, run or wait decide, so two workers that begin a trial
    at the same time agree on who goes on.
    """
    earlier = found.get_trials(deepcopy=False)[: trial.number]
    if sum(one.state != TrialState.FAIL for one in earlier) >= n_wanted:
        trial.set_user_attr(SURPLUS, True)
        raise UserError("enough other trials are running")


def leave(found: optuna.Study, number: int) -> None:
    """Hands a trial that was interrupted to the next worker; one that had ended stays as it is."""
    with contextlib.suppress(ValueError):  # Optuna's own handler, or a result, came first
        found.tell(number, state=TrialState.FAIL)
    trial = found.get_trials(deepcopy=False)[number]
    if trial.state == TrialState.FAIL:
        retry(found, trial)


def is_surplus(trial: FrozenTrial) -> bool:
    return SURPLUS in trial.user_attrs


def ended(found: optuna.Study) -> set[int]:
    """Numbers of the trials that neither run nor wait, surplus ones left out."""
    trials = found.get_trials(deepcopy=False)
    return {t.number for t in trials if t.state.is_finished() and not is_surplus(t)}


def winner(found: optuna.Study, objective: int = 0) -> FrozenTrial:
    """The best finished trial by one objective; of a front, its end."""
    best = [t for t in found.best_trials if t.values is not None]
    sign = _sign(found.directions[objective])
    return min(best, key=lambda trial: (sign * trial.values[objective], trial.number))


def table(found: optuna.Study, names: Sequence[str]) -> list[dict[str, Any]]:
    """Every trial: number, state, seconds, what was drawn, and the objectives' values if any."""
    rows = []
    for trial in found.get_trials(deepcopy=False):
        if is_surplus(trial):
            continue
        seconds = None if trial.duration is None else trial.duration.total_seconds()
        values = dict(zip(names, trial.values or (), strict=False))
        told = {"trial": trial.number, "state": trial.state.name, "seconds": seconds}
        rows.append({**told, "params": trial.params, **values})
    return rows


def gains(found: optuna.Study, names: Sequence[str], before: set[int], seconds: float) -> Gains:
    """What has changed since only the trials `before` had ended."""
    rows = table(found, names)
    done = [row for row in rows if row["state"] == TrialState.COMPLETE.name]
    old = [row for row in done if row["trial"] in before]
    told = []
    for name, direction in zip(names, found.directions, strict=True):
        sides = {"before": _best(old, name, direction), "after": _best(done, name, direction)}
        told.append({"name": name, "direction": direction.name.lower(), **sides})
    importance = {}
    if len(done) >= MIN_FOR_IMPORTANCE:
        for i, name in enumerate(names):
            shares = _importance(found, i)
            importance[name] = {key: float(share) for key, share in shares.items()}
    front = [trial.number for trial in found.best_trials] if done else []
    new = sorted(ended(found) - before)
    return Gains(found.study_name, told, rows, new, front, importance, seconds)


def plots(found: optuna.Study, names: Sequence[str]) -> dict[str, Figure]:
    """History, slices and parallel coordinates of every objective, and the front of two."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as drawn

    kinds: dict[str, Callable[..., Any]] = {
        "history": drawn.plot_optimization_history,
        "slice": drawn.plot_slice,
        "parallel_coordinates": drawn.plot_parallel_coordinate,
    }
    figures = {}
    for i, name in enumerate(names):
        for kind, draw in kinds.items():
            draw(found, target=_value(i), target_name=name)
            figures[f"{kind}_{name}"] = pyplot.gcf()
    if len(names) == 2:
        drawn.plot_pareto_front(found, target_names=list(names))
        figures["front"] = pyplot.gcf()
    pyplot.close("all")
    return figures


def _importance(found: optuna.Study, i: int) -> dict[str, float]:
    """Shares of the variance of the i-th objective, towards its better end."""
    sign = _sign(found.directions[i])
    with warnings.catch_warnings():
        # Optuna says that it looks at low values: these are
        warnings.filterwarnings("ignore", "PedAnovaImportanceEvaluator", UserWarning)
        return optuna.importance.get_param_importances(
            found, target=lambda trial: sign * float(trial.values[i])
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
