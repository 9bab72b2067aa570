"""A training killed by `kill -9` resumes where it was, and never with changed params."""

import signal
from pathlib import Path

import pytest
from project import Project, row

LONG = row(epochs=60)  # killed while it trains: an epoch takes some 20 ms


@pytest.fixture
def killed(tmp_path: Path) -> Project:
    """A project whose training was killed after epoch 10."""
    project = Project(tmp_path / "killed", {"narrow": LONG})
    project.repro("prepare")
    with project.start("pipelines/train.py", "narrow") as training:
        assert training.stdout is not None
        for line in training.stdout:
            if "epoch 10," in line:
                training.send_signal(signal.SIGKILL)
                break
    assert training.returncode == -signal.SIGKILL
    assert not (project.folder / "artifacts/digits/encoders/narrow").exists()
    return project


def outcome(project: Project) -> list[bytes]:
    folder = project.folder / "artifacts/digits/encoders/narrow"
    return [(folder / name).read_bytes() for name in ("codes.npy", "history.csv")]


def test_a_killed_training_ends_as_an_uninterrupted_one(killed: Project, tmp_path: Path) -> None:
    told = killed.dvc("repro", "train@narrow")
    assert "epoch 1," not in told, "it began anew"
    assert "epoch 50," in told
    whole = Project(tmp_path / "whole", {"narrow": LONG})
    whole.repro("train@narrow")
    assert outcome(killed) == outcome(whole)
    assert not list((killed.folder / ".work/train").iterdir()), "finished work is cleared away"


def test_changed_params_never_resume_an_old_checkpoint(killed: Project) -> None:
    params = killed.read()
    params["autoencoders"]["narrow"]["train"]["optimizer"]["lr"] = 0.001
    killed.write(params)
    assert "epoch 1," in killed.dvc("repro", "train@narrow")


def test_changed_code_never_resumes_an_old_checkpoint(killed: Project) -> None:
    with (killed.folder / "src/narrows/networks/mlp.py").open("a") as file:
        file.write("\n# edited\n")
    assert "epoch 1," in killed.dvc("repro", "train@narrow")
