"""Digests of large files are recorded, and a record never stands for other bytes."""

import hashlib
import json
import os
import time

import pytest

from narrows.store import digest_records, digests


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file that counts as large and settled, in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digest_records, "SMALLEST", 4)
    monkeypatch.setattr(digest_records, "SETTLED_S", 0.0)
    path = tmp_path / "x.npy"
    path.write_bytes(b"first")
    return path


def digest_in_new_process(file):
    digests._digest.cache_clear()
    return digests.digest_of(file)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def records():
    return list(digest_records.FOLDER.glob("*"))


def test_recorded_digest_is_taken_instead_of_the_bytes(file):
    assert digest_in_new_process(file) == sha256(b"first")
    (place,) = records()
    content = json.loads(place.read_text())
    place.write_text(json.dumps(content | {"sha256": "0" * 64}))
    assert digest_in_new_process(file) == "0" * 64


def test_same_size_and_time_do_not_pass_for_the_same_bytes(file):
    digest_in_new_process(file)
    before = file.stat()
    time.sleep(0.02)  # the clock of some systems' files moves every hundredth of a second
    file.write_bytes(b"other")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        *(before.st_ino, before.st_size),
        before.st_mtime_ns,
    )
    assert digest_in_new_process(file) == sha256(b"other")


def test_file_that_takes_the_place_of_another_is_read(file):
    digest_in_new_process(file)
    other = file.with_name("other")
    other.write_bytes(b"other")
    other.replace(file)
    assert digest_in_new_process(file) == sha256(b"other")


def test_file_written_a_moment_ago_leaves_no_record(file, monkeypatch):
    monkeypatch.setattr(digest_records, "SETTLED_S", 60.0)
    assert digest_in_new_process(file) == sha256(b"first")
    assert records() == []


def test_file_written_while_it_is_read_leaves_no_record(file):
    before = file.stat()
    file.write_bytes(b"other")
    digest_records.record(file, before, before.st_mtime + 9, sha256(b"first"))
    assert records() == []


def test_small_file_leaves_no_record(file, monkeypatch):
    monkeypatch.setattr(digest_records, "SMALLEST", 6)
    assert digest_in_new_process(file) == sha256(b"first")
    assert records() == []


def test_damaged_record_is_read_over(file):
    digest_in_new_process(file)
    (place,) = records()
    place.write_text("{")
    assert digest_in_new_process(file) == sha256(b"first")
    assert json.loads(place.read_text())["sha256"] == sha256(b"first")
