"""MLflow's tables in a new sqlite file, made once a process: each time takes seconds."""

import functools
import subprocess
import tempfile
from pathlib import Path

from helpers import warm

MAKE = """
import sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore(f"sqlite:///{sys.argv[1]}/mlflow.db", sys.argv[1])
"""


@functools.cache
def _database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([warm.python(), "-c", MAKE, folder], check=True, capture_output=True)
        return Path(folder, "mlflow.db").read_bytes()


def place(folder: Path) -> None:
    """An empty store where tracking looks for it below the folder."""
    (folder / "mlruns").mkdir()
    (folder / "mlruns/mlflow.db").write_bytes(_database())
