"""A search's trials as MLflow runs: a parent for an invocation, a child for each trial."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from narrows import tracking
from narrows.data.prepared import Prepared
from narrows.data.unit import to_unit
from narrows.models.autoencoder import Autoencoder, reconstruct_all
from narrows.rendering import figures
from narrows.search.summary import Gains
from narrows.search.trials import Job, Watch, Watching


@contextmanager
def invocation(job: Job, data: Prepared) -> Iterator[tuple[tracking.Run, Watching]]:
    """The parent's run, and what `search.add_trials` asks for the children's."""
    tags = {"stage": "search", "search": job.key, "study": job.name}
    name = f"{job.key} search"
    with tracking.start(name, uuid.uuid4().hex, _told(data), tags) as parent:
        yield parent, watching(job, data, parent.id)


def watching(job: Job, data: Prepared, parent: str | None) -> Watching:
    """A child's run for each trial; one that retries another goes on in the other's run."""

    def child(number: int, first: int) -> AbstractContextManager[Watch]:
        return _child(job, data, number, first, parent)

    return child


def _told(data: Prepared) -> tracking.Data:
    return tracking.Data(data.name, data.digest, data.x.shape)


@contextmanager
def _child(
    job: Job, data: Prepared, number: int, first: int, parent: str | None
) -> Iterator[Watch]:
    tags = {"stage": "trial", "search": job.key, "study": job.name, "trial": str(number)}
    name, fingerprint = f"{job.key}-{number}", f"{job.name}-{first}"
    resumes = first != number
    with tracking.start(name, fingerprint, _told(data), tags, resumes, parent) as run:
        yield _Logged(run, data, f"{job.key}: trial {number}")


class _Logged:
    def __init__(self, run: tracking.Run, data: Prepared, name: str):
        self.run, self.data, self.name = run, data, name

    def began(self, row: dict[str, Any]) -> None:
        self.run.log_params({k: v for k, v in row.items() if k != "name"} | {"kind": row["name"]})

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self.run.log_metrics(metrics, step=epoch)

    def pruned(self) -> None:
        self.run.set_tag("trial_state", "PRUNED")
        print(f"{self.name} pruned", flush=True)

    def judged(self, values: dict[str, float], model: Autoencoder) -> None:
        self.run.set_tag("trial_state", "COMPLETE")
        self.run.log_metrics({f"objective/{name}": value for name, value in values.items()})
        stored = self.data.shown()
        x = to_unit(stored).numpy()
        x_hat = reconstruct_all(model, stored).numpy()
        self.run.log_image("reconstructions", figures.reconstructions(x, x, x_hat), step=0)
        told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(f"{self.name}: {told}", flush=True)


def best(gained: Gains) -> dict[str, float]:
    """The best value of each objective and the speed, for the parent's run."""
    told = {
        f"best/{one['name']}": one["after"][one["name"]]
        for one in gained.objectives
        if one["after"] is not None
    }
    return told | {"trials_per_hour": gained.finished_per_hour, "trials": len(gained.new)}
