"""Addresses with passwords, in every message that names an address."""

from __future__ import annotations

import random
import string
from pathlib import Path

from hypothesis import strategies as st

from narrows.errors import mask_passwords
from torture._base import Campaign, Lost, examples

SECRET = "hunter2"
SCHEMES = "postgresql postgresql+psycopg mysql http https s3 sqlite redis ray".split()
USERS = st.text(string.ascii_letters + string.digits + "-._", min_size=1, max_size=8)
FORMS = st.sampled_from(
    [
        "{scheme}://{user}:{secret}@host/db",
        "{scheme}://{user}:{secret}@host:5432/db?sslmode=require",
        "{scheme}:/{user}:{secret}@host/db",
        "{user}:{secret}@host/db",
        "{scheme}://host/db?user={user}&password={secret}",
        "{scheme}://host/db?sslpassword={secret}&x=1",
        "host=localhost user={user} password={secret}",
    ]
)
PLACES = st.sampled_from(["{}", "cannot open {}", "'{}' is no address", "a ({}), b", "url={}"])


def check(parts: tuple[str, str, str, str]) -> None:
    scheme, user, form, place = parts
    message = place.format(form.format(scheme=scheme, user=user, secret=SECRET))
    if SECRET in mask_passwords(message):
        raise Lost(f"{message} -> {mask_passwords(message)}")


def attempt(draw: random.Random, folder: Path) -> int:
    """Two hundred messages."""
    parts = st.tuples(st.sampled_from(SCHEMES), USERS, FORMS, PLACES)
    return examples(parts, check, 200, draw)


CAMPAIGN = Campaign("messages with a password", attempt, n_sample=1)
