"""Artifacts of a project that was copied or moved: its own store names them where they were."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from narrows.errors import say

if TYPE_CHECKING:
    from sqlalchemy import Connection

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow that hold addresses of artifacts."""
FORM = re.compile("(file://.*/mlruns/artifacts/).+")


def bring_home(connection: Connection, here: str) -> None:
    """Turns addresses in another folder's mlruns/artifacts into addresses in this one.

    Without that a copy would write its pictures into the project that it was copied from, and a
    project that was moved into a folder that is gone.

    Args:
        connection: of the project's own sqlite store, in a transaction.
        here: address of the project's mlruns/artifacts, with a slash at its end.
    """
    from sqlalchemy import text

    locations = connection.execute(text("SELECT artifact_location FROM experiments")).scalars()
    forms = [FORM.fullmatch(str(location)) for location in locations]
    for old in sorted({form[1] for form in forms if form} - {here}):
        for table, column in PLACES:
            tail = f"substr({column}, length(:old) + 1)"
            starts = f"substr({column}, 1, length(:old)) = :old"
            command = f"UPDATE {table} SET {column} = :here || {tail} WHERE {starts}"
            connection.execute(text(command), {"old": old, "here": here})
        say(f"MLflow: artifacts of {old} are looked for in {here} now, where this project is")
