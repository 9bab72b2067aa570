"""Python's garbage collector, tuned for processes with many objects that live to their end."""

import gc


def tune_collector() -> None:
    """Lets the garbage collector run more rarely; may be called any number of times.

    torch and mlflow make a million objects at their import, which live as long as the process. At
    Python's threshold of 700 new objects the collector goes through them for 2 of 9 seconds.
    """
    gc.set_threshold(100_000, 20, 100)
