"""A run made two commits ago is made again from what `restore` gets."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.project import Project, row
from narrows.commands import restore
from narrows.errors import UserError
from narrows.tracking import lookup, provenance
from narrows.tracking import restore as restoring

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def commit(project: Project, message: str) -> None:
    who = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    for words in (["add", "--all"], [*who, "commit", "--quiet", "--message", message]):
        subprocess.run(["git", *words], cwd=project.folder, check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A run with a changed row and a new file, then two commits, the last with another result."""
    project = Project(tmp_path_factory.mktemp("restoring"), {"narrow": row(epochs=1)})
    shutil.rmtree(project.folder / ".dvc")
    subprocess.run(["git", "init", "--quiet"], cwd=project.folder, check=True)
    project.dvc("init", "--quiet")
    ignored = "/.work/\n/data/\n/artifacts/\n/mlruns/\n__pycache__/\n/restored*/\n"
    (project.folder / ".gitignore").write_text(ignored)
    project.write(project.read() | {"searches": {}})
    commit(project, "one")
    edit(project, code_size=7)
    (project.folder / "src/narrows/models/penalties/new.py").write_text('"""New."""\n')
    (project.folder / "src/narrows/notes.txt").write_text("the password is secret")
    project.repro("encode")
    commit(project, "two")
    edit(project, code_size=3)
    project.repro("encode")
    commit(project, "three")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(project.folder)
        yield project


def edit(project: Project, **changes: Any) -> None:
    params = project.read()
    params["autoencoders"]["narrow"] |= changes
    project.write(params)


def first() -> Any:
    """The run of code size 7."""
    client = lookup._client()
    everything = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(
        everything, "params.code_size = '7' AND attributes.run_name = 'narrow'"
    )
    return run


@pytest.mark.usefixtures("project")
def test_a_patch_takes_new_code_along_and_no_notes() -> None:
    patch = lookup.artifact(first(), provenance.PATCH)
    assert patch is not None
    assert b"penalties/new.py" in patch
    assert b"code_size: 7" in patch
    assert b"notes.txt" not in patch
    assert b"secret" not in patch


def test_every_run_names_its_commit_lock_and_data(project: Project) -> None:
    latest = lookup.find("narrow")
    for run in (first(), latest):
        tags = run.data.tags
        assert {len(tags[provenance.COMMIT]), len(tags[provenance.DATA])} == {40, 64}
        assert len(tags["dvc_lock"]) == 16
        assert tags["git_dirty"] == "true"
    assert latest.data.params["code_size"] == "3"


def test_a_run_of_two_commits_ago_is_made_again(project: Project, capsys) -> None:
    run = first()
    assert restore.main([run.info.run_id, "restored"]) == 0
    output = capsys.readouterr().out
    assert "missing" not in output
    command = "rm -rf artifacts/digits/encoders/narrow && PYTHONPATH=src dvc repro --single-item"
    assert f"{command} --force encode" in output
    there = Path("restored")
    assert (
        there / "src/narrows/models/penalties/new.py"
    ).exists()  # was not committed, not even added
    restored = Project.__new__(Project)
    restored.folder = there.resolve()
    assert restored.read()["autoencoders"]["narrow"]["code_size"] == 7
    assert not (there / "artifacts/digits/encoders/narrow").exists()
    command = f"cd {output.split('cd ')[-1]}"  # as it is printed
    subprocess.run(command, shell=True, check=True, env=restored.env)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(there)
        repeated = lookup.find("narrow")
    expected = {k: v for k, v in run.data.metrics.items() if k != "seconds"}
    assert len(expected) > 8
    assert {k: v for k, v in repeated.data.metrics.items() if k != "seconds"} == expected
    with pytest.raises(UserError, match="restored is not empty"):
        restore.main([run.info.run_id, "restored"])


def test_what_is_missing_is_said(project: Project, capsys, monkeypatch) -> None:
    with pytest.raises(UserError, match="MLflow has no run of the id or name 'nothing'"):
        restore.main(["nothing"])
    run = first()
    cache = project.folder / ".dvc/cache"
    cache.rename(cache.with_name("away"))
    monkeypatch.setattr(lookup, "artifact", lambda run, path: None)
    assert restore.main([run.info.run_id]) == 3
    output = capsys.readouterr().out
    assert "missing: what was changed since commit" in output
    assert "missing: code_size: 7 in the run, 6 in params.yaml of the folder" in output
    assert "missing: data and artifacts: the commit has no dvc.lock" in output
    monkeypatch.undo()
    monkeypatch.chdir(project.folder)
    assert restore.main([run.info.run_id, "restored-bare"]) == 3
    assert "missing: data/digits/raw: not in DVC's cache" in capsys.readouterr().out
    run.data.tags[provenance.COMMIT] = "0" * 40
    with pytest.raises(UserError, match=r"commit 0000000000 of run .* is not in this repository"):
        restoring.restore(run, Path("restored-never"))
    assert not list(Path().glob("restored-never*"))


@pytest.mark.parametrize(
    ("tags", "name", "now", "before"),
    [
        ({"stage": "train"}, "narrow", "encoders/narrow && {} encode", "train@narrow"),
        ({"stage": "train"}, "tuned", "encoders/tuned && {} encode", "train_tuned@tuned"),
        ({"stage": "cluster"}, "k", "clusterings/k && {} cluster", "cluster@k"),
        ({"stage": "cluster"}, "d", "deep_clusterings/d && {} deep_cluster", "deep_cluster@d"),
        (
            {"stage": "trial", "search": "tuned"},
            "tuned-3",
            "searches/tuned && {} tune",
            "tune@tuned",
        ),
        ({"stage": "report"}, "report", "{} report", "report"),
    ],
)
def test_the_command_is_that_of_the_commits_edition(
    tmp_path: Path, tags: dict[str, str], name: str, now: str, before: str
) -> None:
    """In the first edition a row was a stage of its own."""
    data = SimpleNamespace(tags={**tags, "dataset": "digits"})
    run = SimpleNamespace(data=data, info=SimpleNamespace(run_name=name))
    (tmp_path / "params.yaml").write_text("searches: {tuned: {}}\ndeep_clusterings: {d: {}}\n")
    repeat = "PYTHONPATH=src dvc repro --single-item --force"
    (tmp_path / "dvc.yaml").write_text("stages: {train: {}}\n")
    assert restoring.repeat_command(run, tmp_path) == f"{repeat} {before}"
    (tmp_path / "dvc.yaml").write_text("stages: {encode: {}}\n")
    expected = now.format(repeat)
    expected = f"rm -rf artifacts/digits/{expected}" if "&&" in now else expected
    assert restoring.repeat_command(run, tmp_path) == expected
