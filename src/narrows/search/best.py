"""Whether a study has got a better trial since its winner was taken."""

from __future__ import annotations

import optuna

from narrows.errors import UserError, say
from narrows.search import database, studies


def is_beaten(study: str, number: int) -> bool:
    """Whether another trial of the study is its best one by now; a database that does not answer
    leaves the winner as it is, and so does one that has no such study.

    Args:
        study: name of the study.
        number: number of the trial that was taken.
    """
    url = database.url()
    file = database.sqlite_file(url)
    if file is not None and not file.exists():
        return False  # a clone, for instance: its winners came from elsewhere
    try:
        with database.explain_errors(url):
            storage = database.open_storage(url)
            trials = optuna.load_study(study_name=study, storage=storage)
            return bool(trials.best_trials) and studies.winner(trials).number != number
    except KeyError:  # Optuna's, of a study that is not there
        return False
    except UserError as error:
        say(f"tune: {error}; the winner stays")
        return False
