"""Set-up for all tests: workers share two cores, longest files first; MLflow sends nothing out, and
shapes in annotations are checked."""

import gc
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import execnet
import pytest
from jaxtyping import install_import_hook

pytest.register_assert_rewrite("helpers")
from helpers import warm  # noqa: E402

gc.set_threshold(100_000, 20, 100)  # as narrows.engine.collector, which is not to be imported here
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NARROWS_WORKERS", "1")  # of each test's stages; tests run side by side
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DVC_NO_ANALYTICS"] = "1"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as jobs in the background have it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes import the package

SOURCES = Path(__file__).parents[1] / "src"
WITH_SHAPES = [
    ".".join(file.relative_to(SOURCES).with_suffix("").parts)
    for file in SOURCES.rglob("*.py")
    if "from jaxtyping" in file.read_text(encoding="utf-8")
]
"""Modules whose annotations say shapes. A check of all others would take a tenth of all time, to no
end: mypy has checked them."""
install_import_hook(WITH_SHAPES, "beartype.beartype")

LONGEST = (
    *("test_readme_commands.py", "test_team_server.py", "test_own_data.py"),
    *("test_other_experiment.py", "test_experiments.py"),
    *("test_pipeline.py", "test_kills.py", "test_search_draws.py", "test_search_workers.py"),
    *("test_search.py", "test_schedule.py", "test_report.py", "test_promotion.py"),
    *("test_restoring.py", "test_tracking.py", "test_resume.py", "test_pretrained.py"),
    *("test_apply.py", "test_api.py", "test_training.py", "test_trials_side_by_side.py"),
)


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: one more than there are cores, since tests of stages and servers often wait."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_setupnodes(config: pytest.Config, specs: list[execnet.XSpec]) -> None:
    """Workers that run folders are forks of a process that has the libraries, and so are the stages
    and commands that they start; some files may need none of it."""
    if any(map(os.path.isdir, config.args)):
        specs[:] = [execnet.XSpec(f"popen//python={warm.share()}")] * len(specs)


def pytest_configure(config: pytest.Config) -> None:
    """A worker that is a fork starts the real Python, where a test does not ask for a fork; its own
    forkserver is a fork."""
    if hasattr(config, "workerinput") and warm.SHARED in os.environ:
        sys.executable = sys.orig_argv[0]
        multiprocessing.set_executable(warm.python())


def pytest_collection_finish() -> None:
    """What is there by now stays: no collection of garbage goes through it again."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Libraries that count their objects at the end find them gone."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A worker that begins one of the longest files last would end alone. Whole projects run in
    tests/commands, where a test has longer than elsewhere."""
    for item in items:
        if item.path.parent.name == "commands":
            item.add_marker(pytest.mark.timeout(1200))
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
