"""A search as Optuna's examples do it with Lightning: one process, an objective that builds a
module and fits it with DataLoaders and a logger."""

import dataclasses

import optuna

from contenders import _torch, lightning
from contenders.job import Job


def fit(job: Job) -> float:
    """Returns trials per hour, from the first one's start to the last one's end."""
    train, val = _torch.tensors(job)

    def objective(trial: optuna.Trial) -> float:
        code = trial.suggest_int("code_size", 8, 32, log=True)
        lr = trial.suggest_float("lr", 1e-3, 1e-2, log=True)
        chosen = dataclasses.replace(job, layers=(*job.layers[:-1], code))
        return lightning.trained(lightning.Module(chosen, lr), train, val)

    study = optuna.create_study(direction="minimize")
    study.optimize(objective, n_trials=job.repeats)
    return per_hour(study)


def per_hour(study: optuna.Study) -> float:
    trials = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    began = min(trial.datetime_start for trial in trials if trial.datetime_start)
    ended = max(trial.datetime_complete for trial in trials if trial.datetime_complete)
    return 3600 * len(trials) / (ended - began).total_seconds()
