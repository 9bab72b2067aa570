"""The benchmark's arithmetic, and one contender that really runs."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from helpers import warm

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_ratios_are_taken_round_by_round() -> None:
    """3 / 1 and 4 / 4, not 7 / 5: a slow round slows both."""
    from racing import figures

    ours, theirs = figures("race", {"ours": [1.0, 4.0], "theirs": [3.0, 4.0]})
    assert ours["ratio"] == {"min": 1.0, "median": 1.0, "max": 1.0}
    assert theirs["ratio"] == {"min": 1.0, "median": 2.0, "max": 3.0}
    assert theirs["seconds"]["median"] == 3.5


def test_the_table_has_a_part_for_each_kind_and_only_its_columns() -> None:
    from benched import table

    spread = {"min": 1.0, "median": 1.5, "max": 2.0}
    about = {"cpu": "a processor", "cores": 2, "threads": 1, "python": "3.11", "seconds": 120}
    records = [
        {"figure": "race", "of": "ours", "seconds": spread, "ratio": spread, "samples_per_s": 1e4},
        {"figure": "race", "of": "theirs", "seconds": spread, "ratio": spread},
        {"figure": "no-op", "of": "ours", "seconds": spread},
    ]
    lines = table(about | {"versions": {"torch": "2"}}, records).splitlines()
    assert lines[0] == "a processor, 2 cores, 1 threads, Python 3.11, torch 2. The run took 2 min."
    assert "| race | seconds | times the first | samples/s |" in lines
    assert "| ours | 1.50 (1.00-2.00) | 1.50 (1.00-2.00) | 10,000 |" in lines
    assert lines[-1] == "| ours | 1.50 (1.00-2.00) |  |"


def test_growth_is_a_slope_on_logarithmic_axes() -> None:
    """Ten times the samples, a hundred times the seconds: quadratic."""
    from growth import slope

    assert slope([10, 100, 1000], [1.0, 100.0, 10_000.0]) == 2.0


def test_a_contender_answers_each_job(tmp_path: Path) -> None:
    """64 samples of 784-3 and back in 2 steps: 2 x 32 x 784 x 3 operations a product, of which the
    first layer needs two and the second three."""
    for name in ("x", "val"):
        np.save(tmp_path / f"{name}.npy", np.zeros((64, 1, 28, 28), dtype=np.uint8))
    job = {"layers": [784, 3], "loss": "mse", "batch_size": 32, "epochs": 1, "threads": 1}
    line = json.dumps(job | {"samples": str(tmp_path)}) + "\n"
    done = subprocess.run(
        [warm.python(), str(ROOT / "benchmarks/contend.py"), "gemm"],
        input=line * 2,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert [answer["outcome"] for answer in answers] == [2 * 5 * 2 * 32 * 784 * 3] * 2
    assert all(answer["seconds"] > 0 for answer in answers)
