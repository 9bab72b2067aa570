"""Which process of this machine something belongs to, as text, and whether that one has ended."""

import re

import psutil

FORM = re.compile(r"(\d{1,9})@(\d{1,15})")  # id, and seconds since 1970 when it began
SECONDS = 2.0  # by which a start seems to move while the clock of the machine is being set


def this_process() -> str:
    """The text for this process: its id, and when it began, since ids are used again."""
    process = psutil.Process()
    return f"{process.pid}@{process.create_time():.0f}"


def has_ended(owner: str) -> bool:
    """Whether the process of this text is gone for sure; text that cannot be read is nobody's.

    >>> has_ended("1@1"), has_ended("x"), has_ended("-1@1"), has_ended(this_process())
    (True, False, False, False)
    """
    parts = FORM.fullmatch(owner)
    if parts is None:
        return False
    try:
        running = psutil.Process(int(parts[1]))
        is_another = abs(running.create_time() - int(parts[2])) > SECONDS
        return is_another or running.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:  # it is there, and another user's
        return False
