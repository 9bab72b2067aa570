"""Set-up for all tests: workers share two cores, longest files first; MLflow sends nothing out."""

import os
import signal

import pytest

pytest.register_assert_rewrite("helpers")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NARROWS_WORKERS", "1")  # of each test's stages; tests run side by side
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DVC_NO_ANALYTICS"] = "1"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as jobs in the background have it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes import the package

LONGEST = (
    *("test_pipeline.py", "test_schedule.py", "test_search_workers.py", "test_resume.py"),
    "test_kills.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: one more than there are cores, since tests of stages and servers often wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A worker that begins one of the longest files last would end alone."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
