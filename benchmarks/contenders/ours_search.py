"""`make search WORKERS=2` on the same space, in a folder of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import optuna
from ruamel.yaml import YAML

from contenders.job import Job
from contenders.searched import Meter
from narrows.config import inheritance

ROOT = Path(__file__).parents[2]


def fit(job: Job) -> dict[str, float]:
    """What the search has cost."""
    yaml = YAML(typ="safe")
    raw = inheritance.written_out(yaml.load(ROOT / "params.yaml"))
    row = raw["autoencoders"]["undercomplete"]
    row["train"] |= {"epochs": job.epochs, "batch_size": job.batch_size, "patience": None}
    row["train"]["schedule"] = {"name": "none"}
    lr = {"low": 1e-3, "high": 1e-2, "log": True}
    raw["searches"]["small-codes"] |= {
        "space": {"code_size": {"low": 8, "high": 32, "log": True}, "train.optimizer.lr": lr},
        "objectives": [{"name": "reconstruction"}],
    }
    with tempfile.TemporaryDirectory() as folder:
        yaml.dump(raw, Path(folder, "params.yaml"))
        data = Path(folder, "data/mnist_5k")
        data.mkdir(parents=True)
        train, val = job.read()
        np.save(data / "x.npy", np.concatenate([train, val]))
        np.save(data / "split.npy", np.repeat([0, 1], [len(train), len(val)]).astype(np.uint8))
        words = ["small-codes", "--n-trials", str(job.repeats), "--workers", "2"]
        search = [sys.executable, str(ROOT / "pipelines/search.py"), *words]
        meter = Meter()
        meter.start()
        subprocess.run(search, cwd=folder, check=True)
        storage = f"sqlite:///{folder}/studies/studies.db"
        (name,) = optuna.get_all_study_names(storage)
        return meter.outcome(optuna.load_study(study_name=name, storage=storage))
