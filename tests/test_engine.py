"""Engines on toy tasks: outcomes, errors, dead workers, dead drivers, and what a slot is."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from narrows import engine
from narrows.engine import Files, Slot, processes
from narrows.engine.ray import environment
from narrows.errors import UserError
from narrows.stages import runner


def square(x: int) -> int:
    return x * x


def divide(x: int) -> float:
    if x == 0:
        raise UserError("params.yaml: x is 0")
    return 1 / x


def kill_once(folder: Path, x: int) -> int:
    """Dies like a process that runs out of memory, the first time for 2."""
    mark = folder / str(x)
    if x == 2 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def kill_always(x: int) -> int:
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def sleep(folder: Path, x: int) -> None:
    (folder / f"{os.getpid()}.pid").write_text("")
    time.sleep(300)


def threads(_: int) -> tuple[str, str]:
    return os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(autouse=True)
def _processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NARROWS_ENGINE", raising=False)
    monkeypatch.setenv("NARROWS_WORKERS", "2")


def test_every_row_has_its_outcome() -> None:
    outcomes = list(engine.each(square, [1, 2, 3]))
    assert sorted((o.row, o.value) for o in outcomes) == [(1, 1), (2, 4), (3, 9)]
    assert list(engine.each(square, [])) == []


def test_a_row_that_fails_leaves_the_others() -> None:
    outcomes = {outcome.row: outcome for outcome in engine.each(divide, [0, 1, 2])}
    assert (outcomes[1].value, outcomes[2].value) == (1.0, 0.5)
    assert isinstance(outcomes[0].error, UserError)
    assert str(outcomes[0].error) == "params.yaml: x is 0"


def test_a_row_whose_worker_dies_is_begun_again(tmp_path: Path) -> None:
    rows = [0, 1, 2, 3, 4]
    outcomes = list(engine.each(functools.partial(kill_once, tmp_path), rows))
    assert sorted(outcome.value for outcome in outcomes) == rows


def test_a_row_that_kills_every_worker_fails_alone() -> None:
    outcomes = {outcome.row: outcome for outcome in engine.each(kill_always, [0, 1, 2, 3, 4])}
    assert [outcomes[x].value for x in (0, 1, 3, 4)] == [0, 1, 3, 4]
    assert str(outcomes[2].error).startswith("the process that computed it was killed 3 times")


DRIVER = """
import functools, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from narrows import engine
from test_engine import sleep
list(engine.each(functools.partial(sleep, Path(sys.argv[1])), [1, 2]))
"""


@pytest.mark.parametrize("victim", ["driver", "forkserver", "interrupt", "terminate"])
def test_nothing_goes_on_when_what_drives_it_ends(tmp_path: Path, victim: str) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path), str(Path(__file__).parent)]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        workers = [psutil.Process(int(file.stem)) for file in tmp_path.glob("*.pid")]
        below = psutil.Process(driver.pid).children(recursive=True)
        if victim == "forkserver":
            workers[0].parent().kill()
            until(lambda: not any(map(runs, workers)))
            driver.kill()  # which has begun the rows again
        else:
            signals = {"driver": signal.SIGKILL, "interrupt": signal.SIGINT}
            driver.send_signal(signals.get(victim, signal.SIGTERM))
        driver.wait(20)
        until(lambda: not any(map(runs, below)))
    finally:
        driver.kill()


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def until(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_worker_has_the_threads_of_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (outcome,) = engine.each(threads, [0])
    assert outcome.value is not None
    assert outcome.value[0] == "1"


def test_workers_have_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    outcomes = engine.each(threads, list(range(8)), Slot(gpus=1.0))
    assert {outcome.value[1] for outcome in outcomes if outcome.value} <= {"5", "7"}


@pytest.mark.parametrize(
    ("name", "address", "elsewhere"),
    [
        ("processes", None, False),
        ("ray", None, False),
        ("ray", "127.0.0.1:1", True),
        ("slurm", None, True),
    ],
)
def test_where_tasks_run(
    name: str, address: str | None, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARROWS_ENGINE", name)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    assert engine.is_elsewhere() is elsewhere


@pytest.mark.parametrize(
    ("slot", "n_gpus", "cores", "n"),
    [
        (Slot(cores=1), 0, 8, 8),
        (Slot(cores=3), 0, 8, 2),
        (Slot(cores=16), 0, 8, 1),
        (Slot(cores=1, gpus=1.0), 2, 8, 2),
        (Slot(cores=1, gpus=0.25), 1, 8, 4),
        (Slot(cores=1, gpus=2.0), 2, 8, 1),
    ],
)
def test_slots_of_a_machine(
    slot: Slot, n_gpus: int, cores: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NARROWS_WORKERS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert processes.n_slots(slot, n_gpus) == n


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"NARROWS_ENGINE": "rya"}, "NARROWS_ENGINE is 'rya'; accepted are processes, ray, slurm"),
        ({"NARROWS_WORKERS": "two"}, "NARROWS_WORKERS is 'two'; accepted are whole numbers from 1"),
        ({"NARROWS_ENGINE": "slurm"}, "NARROWS_ENGINE is slurm, NARROWS_SLURM is {}: "),
        ({"NARROWS_ENGINE": "slurm", "NARROWS_SLURM": "gpu"}, "NARROWS_SLURM: 'gpu' is no option"),
    ],
)
def test_a_wrong_environment_is_a_sentence(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as error:
        list(engine.each(square, [1]))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_no_gpu_for_a_slot_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="device is cuda, but there is no NVIDIA GPU"):
        list(engine.each(square, [1], Slot(gpus=1.0)))


@pytest.mark.parametrize("name", ["ray", "submitit"])
def test_an_engine_that_is_not_installed_is_a_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("NARROWS_ENGINE", {"submitit": "slurm"}.get(name, name))
    with pytest.raises(UserError, match="pip install 'narrows"):
        list(engine.each(square, [1]))


def test_credentials_travel_and_a_machine_s_own_does_not() -> None:
    variables = {"MLFLOW_TRACKING_URI": "http://x", "AWS_SECRET_ACCESS_KEY": "s", "HOME": "/root"}
    variables |= {"PATH": "/bin", "RAY_ADDRESS": "y", "SLURM_JOB_ID": "1", "TMPDIR": "/tmp"}
    travelling = environment(variables, 2)
    assert travelling["MLFLOW_TRACKING_URI"] == "http://x"
    assert travelling["AWS_SECRET_ACCESS_KEY"] == "s"
    assert travelling["OMP_NUM_THREADS"] == "2"
    assert not {"HOME", "PATH", "RAY_ADDRESS", "SLURM_JOB_ID", "TMPDIR"} & set(travelling)


def write(x: int) -> int:
    Path("out").mkdir(exist_ok=True)
    Path(f"out/{x}").mkdir(exist_ok=True)
    Path(f"out/{x}/square").write_text(f"{int(Path('in').read_text()) * x}")
    return x


def test_rows_at_once_may_be_more_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """NARROWS_WORKERS is no bound of them either; GPUs are."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert processes.n_slots(Slot(cores=4), 0, n_at_once=5) == 5
    assert processes.n_slots(Slot(cores=4, gpus=0.5), 1, n_at_once=5) == 2
    with pytest.raises(UserError, match="no NVIDIA GPU"):
        processes.n_slots(Slot(gpus=0.5), 0, n_at_once=5)


def count_down(folder: Path, x: int) -> int:
    (folder / str(x)).write_text("")
    return x


@pytest.fixture(params=["processes", "slurm"])
def engine_folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of a project whose rows run on each engine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NARROWS_ENGINE", request.param)
    monkeypatch.setenv("NARROWS_SLURM", "cluster=local,timeout_min=5")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    return tmp_path


def test_a_row_is_taken_when_those_before_it_have_been_dealt_with(engine_folder: Path) -> None:
    ended: list[int] = []
    rows = (x for x in range(9) if x < 2 or len(ended) < 4)
    task = functools.partial(count_down, engine_folder)
    for outcome in engine.each(task, rows, n_at_once=2):
        ended.append(outcome.row)
    assert len(ended) in (4, 5)  # where the fourth ends alone, another has begun beside it
    assert sorted(ended) == list(range(len(ended)))


class TwoReleased:
    """0, and when it has ended 1 and 2."""

    def __init__(self) -> None:
        self.left = [0]

    def __iter__(self) -> "TwoReleased":
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        return self.left.pop()


def test_an_iterator_may_stop_and_go_on(engine_folder: Path) -> None:
    rows, ended = TwoReleased(), []
    for outcome in engine.each(functools.partial(count_down, engine_folder), rows):
        ended.append(outcome.row)
        rows.left += [1, 2] if outcome.row == 0 else []
    assert ended[0] == 0
    assert sorted(ended) == [0, 1, 2]


def files(x: int) -> Files:
    return Files((Path("in"),), Path(f"out/{x}"))


def test_slurm_runs_rows_as_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """submitit's own stand-in for a cluster: the same pickles, scripts' folder and requeue."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NARROWS_ENGINE", "slurm")
    monkeypatch.setenv("NARROWS_SLURM", "cluster=local,timeout_min=5")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    Path("in").write_text("7")
    outcomes = list(engine.each(write, [2, 3], files=files))
    assert sorted(outcome.value for outcome in outcomes) == [2, 3]
    assert (tmp_path / "out/3/square").read_text() == "21"
    failed = {o.row: o for o in engine.each(divide, [0, 1])}
    assert failed[1].value == 1.0
    assert "x is 0" in str(failed[0].error)


@pytest.mark.parametrize(
    ("device", "gpus", "name", "slot"),
    [
        ("cpu", "0,1", "processes", Slot()),
        ("auto", "0,1", "processes", Slot(gpus=1.0)),
        ("auto", "", "processes", Slot()),
        ("auto", "0,1", "ray", Slot()),
        ("cuda", "", "slurm", Slot(gpus=1.0)),
        ("mps", "", "processes", Slot(cores=os.cpu_count())),
    ],
)
def test_a_training_has_a_gpu_of_its_own(
    device: str, gpus: str, name: str, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    monkeypatch.setenv("NARROWS_ENGINE", name)
    assert runner.slot_on(device) == slot


IMPORTING = """
from narrows.engine import each

if __name__ == "__main__":
    list(each(print, [1], preload=["slow_to_import"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends after its imports")
def test_a_forkserver_that_still_imports_ends_with_its_driver(tmp_path: Path) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\nopen('begun', 'w')\ntime.sleep(60)\n")
    (tmp_path / "driver.py").write_text(IMPORTING)
    sources = (str(Path(engine.__file__).parents[2]), str(tmp_path))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}
    driver = subprocess.Popen([sys.executable, "driver.py"], cwd=tmp_path, env=env)
    while not (tmp_path / "begun").exists():
        assert driver.poll() is None
        time.sleep(0.01)
    children = psutil.Process(driver.pid).children()
    (server,) = (child for child in children if "forkserver" in " ".join(child.cmdline()))
    driver.kill()
    driver.wait()
    psutil.wait_procs([server], timeout=10)
    assert not server.is_running()
