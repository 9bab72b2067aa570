"""What messages may not hold."""

import pytest

from narrows.errors import mask_passwords

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
    ],
)
@pytest.mark.parametrize(
    "sentence", ["{}", "cannot reach {}: no route", "{!r} is refused", "url={}"]
)
def test_no_password_is_said(url: str, sentence: str) -> None:
    message = mask_passwords(sentence.format(url.format(PASSWORD)))
    for part in ("pa/s", "w0rd", PASSWORD):
        assert part not in message
    assert "***" in message
    assert "localhost" in message


def test_a_password_may_hold_spaces() -> None:
    assert mask_passwords("postgresql://anna:my secret@host") == "postgresql://anna:***@host"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///studies/studies.db",
        "sqlite:////home/anna@work/studies.db",
        "postgresql://anna@localhost:5432/studies",
        "http://localhost:5000",
        "connection to server at 127.0.0.1, port 1 failed: Connection refused",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert mask_passwords(text) == text
