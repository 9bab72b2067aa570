"""Text of a user's files: what it was written in, and what is said of it."""

from pathlib import Path

import pytest

from narrows.data import decoding

TEXT = "Größe;Ort\r\n170;Köln €\n"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_text_is_read_as_it_was_written(written: str, read: str, tmp_path: Path) -> None:
    content, file = TEXT.encode(written), tmp_path / "rows.csv"
    assert decoding.decode(content) == (TEXT, read)
    file.write_bytes(content)
    with file.open("rb") as stream:
        text, encoding = decoding.open_text(stream)
        assert (text.read(), encoding) == (TEXT, read)
    assert bool(decoding.remark(encoding)) is (not read.startswith("utf-8"))


def test_big_endian_marks_count() -> None:
    assert decoding.decode(b"\xfe\xff" + "é".encode("utf-16-be")) == ("é", "utf-16")
    assert decoding.decode(b"\0\0\xfe\xff" + "é".encode("utf-32-be")) == ("é", "utf-32")


def test_a_letter_across_two_blocks_is_utf_8() -> None:
    """é is two bytes; one that the end cuts is none."""
    assert decoding.encoding_of([b"a\xc3", b"\xa9b"]) == "utf-8"
    assert decoding.decode("aé".encode()[:-1]) == ("aÃ", "cp1252")
    assert decoding.decode(b"") == ("", "utf-8")


def test_bytes_that_are_no_letters_are_replaced() -> None:
    assert decoding.decode(b"\xff\x81") == ("ÿ\N{REPLACEMENT CHARACTER}", "cp1252")
    assert decoding.decode(b"\xff\xfea\0b") == ("a\N{REPLACEMENT CHARACTER}", "utf-16")
