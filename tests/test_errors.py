"""What messages may not hold."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from narrows import errors
from narrows.errors import mask_passwords, print_traceback

PASSWORD = "pa/s:s@w0rd"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://anna:{}@localhost:5432/studies",
        "postgresql+psycopg://anna:{}@localhost:5432/studies?sslmode=require",
        "postgresql:/anna:{}@localhost/studies",
        "postgresql//anna:{}@localhost/studies",
        "postgresql:anna:{}@localhost",
        "anna:{}@localhost",
        ":{}@localhost",
        "http://anna:{}@localhost:5000",
        "postgresql://anna:{}@localhost:port/studies",
        "postgresql://localhost/studies?user=anna&password={}&sslmode=require",
        "postgresql://localhost/studies?sslpassword={}",
        "PostgreSQL://localhost/studies?PASSWORD={}",
        "mysql+pymysql://anna:{}@localhost/studies",
        "mssql+pyodbc://anna:{}@localhost/studies?driver=ODBC+Driver+18",
        "mssql+pyodbc:///?odbc_connect=SERVER%3Dlocalhost%3BUID%3Danna%3BPWD%3D{}%3B",
        "redis://:{}@localhost:6379/0",
        "https://anna:{}@localhost/mlflow?a=b#c",
        "HTTP://anna:{}@localhost",
        "http:/anna:{}@localhost:5000",
        "http//anna:{}@localhost:5000",
        "http://localhost:5000?access_token={}",
        "http://localhost:5000?api_key={}&a=b",
        "mysql://localhost/studies?passwd={}",
        "host=localhost user=anna password={} dbname=studies",
        "host=localhost user=anna password='{}' dbname=studies",
        "SERVER=localhost;UID=anna;PWD={};",
        "localhost {{'user': 'anna', 'password': '{}'}}",
        "MLFLOW_TRACKING_PASSWORD={} mlflow ui --host localhost",
        "localhost: Authorization: Bearer {}",
    ],
)
@pytest.mark.parametrize(
    "sentence",
    [
        *("{}", "cannot reach {}: no route", "{!r} is refused", "url={}"),
        "API request to {} failed with exception HTTPConnectionPool(host='localhost', port=1)",
        "Could not parse SQLAlchemy URL from given URL string {!r}",
    ],
)
def test_no_password_is_said(url: str, sentence: str) -> None:
    message = mask_passwords(sentence.format(url.format(PASSWORD)))
    for part in ("pa/s", "w0rd", PASSWORD):
        assert part not in message
    assert "***" in message
    assert "localhost" in message


def test_a_token_is_masked_that_stands_for_a_name_and_a_password() -> None:
    assert mask_passwords("at https://secret@host:5000/a: no") == "at https://***@host:5000/a: no"


def test_a_traceback_holds_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        try:
            raise OSError("no route to http://anna:secret@host")
        except OSError as error:
            raise ValueError("no\nlist of postgresql://anna:secret@host/a") from error
    except ValueError as error:
        print_traceback(error)
    text = capsys.readouterr().err
    assert "secret" not in text
    assert "list of postgresql://anna:***@host/a\n" in text


def test_a_password_may_hold_spaces() -> None:
    assert mask_passwords("postgresql://anna:my secret@host") == "postgresql://anna:***@host"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///studies/studies.db",
        "sqlite:////home/anna@work/studies.db",
        "postgresql://anna@localhost:5432/studies",
        "http://localhost:5000",
        "n_tokens=5, the secret of tokens: see https://localhost/docs",
        "connection to server at 127.0.0.1, port 1 failed: Connection refused",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert mask_passwords(text) == text


@pytest.mark.parametrize("words", [["--help"], ["doctor"]])
def test_a_reader_that_has_seen_enough_ends_it_without_a_word(words: list[str]) -> None:
    """128 and the number of SIGPIPE, 13."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "narrows", *words]
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (141, "")


FULL = "/dev/full"  # Linux's disk without any room


def full_database(folder: Path) -> None:
    connection = sqlite3.connect(folder / "studies.db")
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE words (word TEXT)")
    connection.execute("INSERT INTO words VALUES (?)", ("x" * 100_000,))


def copied(folder: Path) -> None:
    (folder / "from/a").mkdir(parents=True)
    (folder / "from/a/file").write_text("text")
    (folder / "to/a").mkdir(parents=True)
    (folder / "to/a/file").symlink_to(FULL)
    shutil.copytree(folder / "from", folder / "to", dirs_exist_ok=True)


@pytest.mark.skipif(not Path(FULL).exists(), reason="no such device")
@pytest.mark.parametrize(
    "write",
    [
        lambda _: Path(FULL).write_bytes(b"x"),
        lambda _: np.zeros(100_000).tofile(FULL),
        lambda _: torch.save({"weight": torch.zeros(100_000)}, FULL),
        full_database,
        copied,
    ],
)
def test_who_writes_to_a_full_disk_gets_a_sentence(
    write: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a library says of it; 1.5 MiB of 100 GiB are free."""
    usage = NamedTuple("Usage", [("free", int)])(3 * 2**19)
    monkeypatch.setattr(errors.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(Exception) as caught:  # noqa: PT011  each library has its own
        write(tmp_path)
    assert errors.is_users(caught.value)
    said = errors.sentence(caught.value, Path("artifacts/not/there"))
    assert said == "artifacts/not/there: its disk is full, 1.5 MiB are free"


def test_the_file_is_named_that_was_written(tmp_path: Path) -> None:
    refused = OSError(errno.ENOSPC, "No space left on device", "from.npy", None, "to.npy")
    assert errors.sentence(refused, tmp_path).startswith("to.npy: its disk is full, ")
    denied = PermissionError(errno.EACCES, "Permission denied", b"x.npy")
    assert errors.sentence(denied, tmp_path) == "x.npy: Permission denied"
    for part in (
        "a/.part-x.npy",
        "a/.x.npy.part",
        "a/.x.npy.4711.part",
        ".a.4711.part/.part-x.npy",
    ):
        refused = PermissionError(errno.EACCES, "Permission denied", part)
        assert errors.sentence(refused, tmp_path) == "a/x.npy: Permission denied"
    unnamed = OSError(errno.EROFS, "Read-only file system", 3)
    assert errors.sentence(unnamed, tmp_path) == f"{tmp_path}: Read-only file system"
    assert errors.sentence(ValueError(), tmp_path) == "ValueError"
