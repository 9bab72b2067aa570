"""A search as Optuna's examples do it with Lightning: one process, an objective that builds a
module and fits it with DataLoaders and a logger."""

import dataclasses

import optuna

from contenders import _torch, lightning
from contenders.job import Job
from contenders.searched import Meter


def fit(job: Job) -> dict[str, float]:
    """What the search has cost."""
    train, val = _torch.tensors(job)

    def objective(trial: optuna.Trial) -> float:
        code = trial.suggest_int("code_size", 8, 32, log=True)
        lr = trial.suggest_float("lr", 1e-3, 1e-2, log=True)
        chosen = dataclasses.replace(job, layers=(*job.layers[:-1], code))
        return lightning.trained(lightning.Module(chosen, lr), train, val)

    meter = Meter()
    meter.start()
    study = optuna.create_study(direction="minimize")
    study.optimize(objective, n_trials=job.repeats)
    return meter.outcome(study)
