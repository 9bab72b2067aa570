"""Stage fetch sees when a study has a better trial, and opens no study that is as it was."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.project import EXPERIMENT
from narrows.config import params
from narrows.search import best
from narrows.stages import better_trials


class Study:
    """Stands in for the project's studies: a file, the trial that was taken, and the best one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.file, self.taken, self.best, self.n_looks = Path("studies/studies.db"), 1, 1, 0
        self.file.parent.mkdir()
        self.file.touch()
        winners = lambda _: {"key": SimpleNamespace(study="s", number=self.taken)}  # noqa: E731
        monkeypatch.setattr(better_trials, "_winners", winners)
        monkeypatch.setattr(best, "better_trial", self.look)
        monkeypatch.delenv("NARROWS_STUDIES", raising=False)

    def look(self, study: str, number: int) -> int | None:
        self.n_looks += 1
        return None if self.best == number else self.best

    def add_trial(self, is_best: bool) -> None:
        self.best += is_best
        self.file.write_bytes(self.file.read_bytes() + b"trial")


def test_a_better_trial_is_seen_once_and_stays_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study, p = Study(monkeypatch), params.load(EXPERIMENT)
    assert better_trials.better_trials(p) == {}
    assert better_trials.better_trials(p) == {}
    assert study.n_looks == 1
    study.add_trial(is_best=False)
    assert better_trials.better_trials(p) == {}
    study.add_trial(is_best=True)
    assert better_trials.better_trials(p) == {"key": 2}, "tune has something to take"
    study.taken = 2
    study.add_trial(is_best=False)
    assert better_trials.better_trials(p) == {"key": 2}, "what tune has taken runs it no more"
    assert better_trials.better_trials(p) == {"key": 2}
    assert study.n_looks == 4
    study.add_trial(is_best=True)
    assert better_trials.better_trials(p) == {"key": 3}


def test_studies_elsewhere_are_looked_at_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = Study(monkeypatch)
    monkeypatch.setenv("NARROWS_STUDIES", "postgresql://host/studies")
    for _ in range(2):
        assert better_trials.better_trials(params.load(EXPERIMENT)) == {}
    assert study.n_looks == 2
