"""A user's mistake: one clear sentence on stderr and exit code 1, a traceback only on request."""

import contextlib
import errno
import inspect
import os
import re
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

REFUSING = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Permission denied, a read-only file system."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""No space left."""
ERASE = "\r\033[K"
"""Brings a terminal's cursor to the start of its line and empties that."""
SHELLS = ("sh", "dash", "ash", "busybox", "bash", "ksh", "zsh", "fish")


class UserError(Exception):
    """Says which file, which key, what was found and what is accepted."""


def mask_passwords(text: str) -> str:
    """A URL, or a message with URLs in it, without passwords; also of URLs that nobody can parse.

    What stands between the first colon behind the scheme and the last @ counts as a password,
    because passwords may hold any of /, : and @; so does a name without a colon in an address of
    the web, which is a token, and the value of `password=`, `token=` and the like.

    >>> mask_passwords("postgresql://anna:p@ss:word@host:5432/name?sslpassword=secret&a=b")
    'postgresql://anna:***@host:5432/name?sslpassword=***&a=b'
    >>> mask_passwords("postgresql:/anna:secret@host")
    'postgresql:/anna:***@host'
    """
    text = _OPTION.sub(r"\g<key>***", text)  # first, because its value may hold an @
    text = _TOKEN.sub(r"\g<scheme>***@", text)
    text = _AT_START.sub(r"\g<head>:***@", text)
    return _WITHIN.sub(r"\g<head>:***@", text)


def say(message: str, on_stderr: bool = False) -> None:
    """Prints a line in one piece: processes that print at once do not tear their lines, and on a
    terminal it takes the place of a progress bar, which is drawn anew below."""
    stream = sys.stderr if on_stderr else sys.stdout
    stream.write(f"{ERASE if stream.isatty() else ''}{message}\n")
    stream.flush()


_HEAD = r"(?P<head>(?>(?:[\w+.-]+:/+)?)[^\s:@]*):"  # scheme and user; the scheme is never a user
_AT_START = re.compile(rf"^{_HEAD}.*@")  # of a URL alone, whose password may hold spaces
_WITHIN = re.compile(rf"(?<![^\s'\"(\[<=,;]){_HEAD}\S*@")
_TOKEN = re.compile(r"(?P<scheme>https?://)[^\s/:@]+@", re.IGNORECASE)
_KEYS = r"\b\w*(?:passw(?:or)?d|pwd|passphrase|token|api_?key|secret\w*)(?:=|%3D|['\"]\s*:\s*)"
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|(?:(?!%3B)[^\s&'\";])*)"
_HEADER = r"\bauthorization['\"]?\s*:\s*['\"]?(?:bearer|basic)\s+"
_OPTION = re.compile(rf"(?P<key>{_KEYS}|{_HEADER}){_VALUE}", re.IGNORECASE)


def print_traceback(error: BaseException) -> None:
    """Prints where an error came from, without passwords: libraries say URLs as they are."""
    text = "".join(traceback.format_exception(error))
    sys.stderr.write("\n".join(map(mask_passwords, text.splitlines())) + "\n")


def run(stage: Callable[..., None]) -> None:
    """Runs a stage as a program, with the words of the command line as its arguments.

    `UserError` becomes a sentence, and so does a disk that takes no files or is full; with
    NARROWS_DEBUG=1 in the environment they are tracebacks. No traceback holds a password. SIGTERM
    is an orderly exit, and the end of the `dvc repro` that called is one. Where nobody reads what
    is printed any more, as behind `| head`, the process ends without a word, as by SIGPIPE. Where
    the stage's script is the program, its process ends here.
    """
    signature, caller = inspect.signature(stage), sys._getframe(1).f_globals["__name__"]
    try:
        signature.bind(*sys.argv[1:])
    except TypeError:
        accepted = "".join(f" <{name}>" for name in signature.parameters)
        sys.exit(f"narrows: usage: python {sys.argv[0]}{accepted}")
    exit_on_sigterm()
    _say_whose_code_runs()
    if sys.excepthook is sys.__excepthook__:  # a debugger has one of its own
        sys.excepthook = lambda _, error, __: print_traceback(error)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with, args=(_callers(),), daemon=True).start()
    try:
        try:
            stage(*sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _has_lost_its_reader():
            raise
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        if not is_users(error) or os.environ.get("NARROWS_DEBUG") == "1":
            raise
        sys.exit(f"narrows: {sentence(error, Path.cwd())}")
    except KeyboardInterrupt:
        if "DVC_STAGE" in os.environ:
            say("narrows: interrupted; the next `dvc repro` goes on from here", on_stderr=True)
        sys.exit(130)
    if caller == "__main__" and not _is_watched():
        os._exit(0)  # everything is written: taking torch and Lightning apart costs 2 s a stage


def is_users(error: BaseException) -> bool:
    """Whether its message is all that a user needs: a `UserError`, or files that cannot be written.

    >>> is_users(PermissionError(errno.EACCES, "denied", "x.npy")), is_users(OSError("odd"))
    (True, False)
    """
    is_refused = isinstance(error, OSError) and error.errno in REFUSING
    return isinstance(error, UserError) or is_refused or lacks_space(error)


def sentence(error: BaseException, place: Path) -> str:
    """What a user reads of an error; of a disk that takes no files, which file and why.

    Args:
        place: file or folder that was written, where the error does not name one.

    >>> sentence(PermissionError(errno.EACCES, "Permission denied", ".part-x.npy"), Path("data"))
    'x.npy: Permission denied'
    """
    if isinstance(error, OSError):  # of a copy the second is written
        place = next((_whole(Path(name)) for name in _names(error)), place)
    if lacks_space(error):
        return full(place)
    if isinstance(error, OSError) and error.errno in REFUSING:
        return f"{place}: {error.strerror}"
    return str(error) or type(error).__name__


def unreadable(file: Path, error: Exception, what: str) -> UserError:
    """What a user reads of a file that a parser refuses; where it is the system that refuses, or
    the disk, that alone.

    Args:
        what: what the file is not.

    >>> unreadable(Path("x.csv"), ValueError("a quote is open"), "not a table")
    UserError('x.csv: not a table: a quote is open')
    >>> unreadable(Path("x.csv"), PermissionError(errno.EACCES, "Permission denied"), "not a table")
    UserError('x.csv: Permission denied')
    """
    if is_users(error):
        return UserError(sentence(error, file))
    if isinstance(error, OSError) and error.strerror:
        return UserError(f"{file}: {error.strerror}")
    message = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{file}: {what}: {message}")


def lacks_space(error: BaseException) -> bool:
    """Whether a disk was full or a quota used up, as Python, numpy, torch or a database says it.

    >>> lacks_space(OSError(errno.ENOSPC, "No space left on device")), lacks_space(OSError("odd"))
    (True, False)
    """
    if isinstance(error, UserError):
        return False
    return getattr(error, "errno", None) in FULL or bool(_FULL.search(str(error)))


_FULL = re.compile(  # numpy and torch have no error of their own for it
    rf"\[Errno ({'|'.join(map(str, FULL))})\]"  # of several files that were copied
    r"|database or disk is full|not enough free space to write|\d+ requested and \d+ written"
    r"|PytorchStreamWriter failed writing|inline_container\.cc:\d+\] \. unexpected pos",
    re.IGNORECASE,
)


def lacks_driver(error: BaseException, url: str) -> str | None:
    """What a user does where Python has no driver for a PostgreSQL of this URL; None for other
    errors.

    >>> lacks_driver(ImportError("No module named 'psycopg2'"), "postgresql://host/name")
    'let the URL begin with postgresql+psycopg://'
    >>> lacks_driver(ImportError("No module named 'psycopg'"), "postgresql+psycopg://host/name")
    "pip install 'narrows[postgresql]'"
    """
    from sqlalchemy.exc import NoSuchModuleError

    scheme = url.partition(":")[0]
    if not (isinstance(error, ImportError | NoSuchModuleError) and scheme.startswith("postgres")):
        return None
    if scheme == "postgresql+psycopg":
        return "pip install 'narrows[postgresql]'"
    return "let the URL begin with postgresql+psycopg://"


def _names(error: OSError) -> list[str]:
    """Paths that an error of the system names, that of the file that was written first."""
    return [os.fsdecode(n) for n in (error.filename2, error.filename) if isinstance(n, str | bytes)]


def _whole(path: Path) -> Path:
    """What a file or folder is to become that has another name until it is whole, or lies in such
    a folder: `store` names them so, and nobody else knows these names.

    >>> _whole(Path("data/table/.part-x.npy")), _whole(Path("artifacts/.deep.4711.part/.part-a"))
    (PosixPath('data/table/x.npy'), PosixPath('artifacts/deep/a'))
    """
    matches = [(name, _PARTIAL.fullmatch(name)) for name in path.parts]
    return Path(*(match["file"] or match["folder"] if match else name for name, match in matches))


_PARTIAL = re.compile(r"\.(?:part-(?P<file>.+)|(?P<folder>.+?)(?:\.\d+)?\.part)")


def full(place: Path) -> str:
    """Says that the disk of a place, which may not be there yet, is full, and how much is free."""
    there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    return f"{place}: its disk is full, {shutil.disk_usage(there).free / 2**20:,.1f} MiB are free"


def _has_lost_its_reader() -> bool:
    """Whether nobody reads stdout or stderr any more; what is left to print goes nowhere then. A
    connection over a network breaks with the same error."""
    lost = [stream for stream in (sys.stdout, sys.stderr) if _is_unread(stream.fileno())]
    for stream in lost:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(lost)


def _is_unread(descriptor: int) -> bool:
    """Whether it is a pipe, or the like, that has no reader."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _say_whose_code_runs() -> None:
    """Says it where this folder has code of its own that does not run: its environment was copied
    with it, for instance."""
    here, own = Path("src/narrows").resolve(), Path(__file__).resolve().parent
    if here.is_dir() and here != own:
        sentence = f"the code that runs is {own}, not {here}; `make` sets up this folder's .venv"
        print(f"narrows: {sentence}", file=sys.stderr, flush=True)


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, numpy or torch ended for want of memory.

    >>> lacks_memory(MemoryError()), lacks_memory(RuntimeError("CUDA out of memory. Tried to"))
    (True, True)
    >>> lacks_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    words = ("can't allocate memory", "out of memory", "not enough memory")  # torch has no type
    is_torchs = isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    return is_torchs or isinstance(error, MemoryError)


def _callers() -> "list[tuple[psutil.Process, int]]":
    """This process and the shells that DVC calls it through, each with the pid of its parent, up to
    DVC's: some shells replace themselves by what they run, and some, dash 0.5.12 for one, wait."""
    import psutil

    process, callers = psutil.Process(), []
    while parent := process.parent():
        callers.append((process, parent.pid))
        if parent.name() not in SHELLS:
            break
        process = parent
    return callers


def _end_with(callers: "list[tuple[psutil.Process, int]]") -> None:
    """Ends this process in order when one of them has lost its parent: a killed `dvc repro` leaves
    no stage that the next one would have to wait for."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        while all(process.ppid() == parent for process, parent in callers):
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def exit_on_sigterm() -> None:
    """Makes SIGTERM an orderly exit of this process, in which `finally` blocks still run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.unraisablehook = _send_again


def _is_watched() -> bool:
    """Whether a person goes on in this process when the stage is done: in a debugger, a notebook or
    an interactive Python."""
    has_prompt = "ps1" in vars(sys)  # IPython sets it, too
    return bool(sys.flags.interactive) or has_prompt or sys.gettrace() is not None


def _send_again(ignored: "sys.UnraisableHookArgs") -> None:
    """A signal that comes while Python runs a destructor or the like ends nothing: what its handler
    raises there is ignored."""
    signals = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}
    if (sent := signals.get(ignored.exc_type)) is None:
        sys.__unraisablehook__(ignored)
    else:
        threading.Timer(0.1, os.kill, (os.getpid(), sent)).start()
