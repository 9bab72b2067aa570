"""Whether a study has got a better trial since its winner was taken."""

from __future__ import annotations

import optuna

from narrows.errors import UserError, say
from narrows.search import database, studies


def better_trial(study: str, number: int) -> int | None:
    """Number of the study's best trial where that is another one by now; None where it is not. A
    database that does not answer leaves the winner as it is, and so does one without the study.

    Args:
        study: name of the study.
        number: number of the trial that was taken.
    """
    url = database.url()
    file = database.sqlite_file(url)
    if file is not None and not file.exists():
        return None  # a clone, for instance: its winners came from elsewhere
    try:
        with database.explain_errors(url):
            storage = database.open_storage(url)
            trials = optuna.load_study(study_name=study, storage=storage)
            winner = studies.winner(trials).number if trials.best_trials else number
            return None if winner == number else winner
    except KeyError:  # Optuna's, of a study that is not there
        return None
    except UserError as error:
        say(f"tune: {error}; the winner stays")
        return None
