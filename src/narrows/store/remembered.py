"""Features of originals that were seen before, in .work/features, by encoder and by original.

Those that were used longest ago go when all of them are larger than what `.work/finished` may hold.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from narrows.errors import UserError
from narrows.store import finished
from narrows.store.outputs import WORK

FILE = WORK / "features" / "features.db"
TABLE = """CREATE TABLE IF NOT EXISTS features (
    encoder TEXT, key TEXT, used REAL, value BLOB, PRIMARY KEY (encoder, key)
)"""
DROP = """DELETE FROM features WHERE rowid IN (
    SELECT rowid FROM (
        SELECT rowid, sum(length(value)) OVER (ORDER BY used DESC, rowid DESC) AS total
        FROM features
    ) WHERE total > ?
)"""


class Memory:
    """What is remembered of one encoder's features.

    Args:
        database: a connection that has the table.
        encoder: name of the encoder with all that its features depend on.
    """

    def __init__(self, database: sqlite3.Connection, encoder: str):
        self._database, self._encoder = database, encoder
        self._used: list[str] = []

    def recall(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Features (D,), float32, of those of the originals that are known, by key."""
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, value FROM features WHERE encoder = ? AND key IN ({marks})"
        rows = self._database.execute(query, [self._encoder, *keys])
        known = {key: np.frombuffer(value, np.float32) for key, value in rows}
        self._used += known
        return known

    def remember(self, features: Mapping[str, np.ndarray]) -> None:
        """Writes features (D,) by the key of their original, for good."""
        if finished.limit() == 0:
            return
        now = time.time()
        rows = [
            (self._encoder, key, now, value.astype(np.float32).tobytes())
            for key, value in features.items()
        ]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)

    def bound(self) -> None:
        """Notes what was used, and deletes what lies beyond the limit."""
        now = time.time()
        rows = [(now, self._encoder, key) for key in self._used]
        with self._database:
            self._database.executemany(
                "UPDATE features SET used = ? WHERE encoder = ? AND key = ?", rows
            )
            self._database.execute(DROP, [finished.limit()])


@contextlib.contextmanager
def open_memory(encoder: str) -> Iterator[Memory]:
    """What is remembered of this encoder's features; it is bounded when it is closed.

    Raises:
        UserError: the file was damaged, and has been deleted.
    """
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(FILE, timeout=60)) as database:
        try:
            database.execute("PRAGMA auto_vacuum = FULL")  # of a new file: what is deleted is free
            database.execute(TABLE)
        except sqlite3.DatabaseError:  # a damaged file holds nothing that cannot be made again
            FILE.unlink()
            raise UserError(f"{FILE} was damaged and is removed; run the command again") from None
        memory = Memory(database, encoder)
        yield memory
        memory.bound()
