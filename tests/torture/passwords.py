"""Addresses with passwords: in messages that name them, in what commands print, and in the files
that they leave."""

from __future__ import annotations

import json
import random
import shutil
import string
from pathlib import Path

from hypothesis import strategies as st

from helpers import finished
from narrows.errors import mask_passwords
from torture._base import Campaign, Lost, answered, examples, output, python, stages
from torture.artifacts import CALL, whole

SECRETS = ("hunter2", "hu/nter2", "hu:nter2", "hu@nter2")
SECRET = "nter2"
"""What is in each of them."""
SCHEMES = "postgresql postgresql+psycopg mysql http https s3 sqlite redis ray".split()
USERS = st.text(string.ascii_letters + string.digits + "-._", min_size=1, max_size=8)
FORMS = (
    "{scheme}://{user}:{secret}@{host}/db",
    "{scheme}://{user}:{secret}@{host}/db?sslmode=require",
    "{scheme}:/{user}:{secret}@{host}/db",
    "{user}:{secret}@{host}/db",
    "{scheme}://{host}/db?user={user}&password={secret}",
    "{scheme}://{host}/db?sslpassword={secret}&x=1",
    "host={host} user={user} password={secret}",
)
PLACES = st.sampled_from(["{}", "cannot open {}", "'{}' is no address", "a ({}), b", "url={}"])
NOBODY = "127.0.0.1:9"
"""An address at which nothing listens."""
COMMANDS = (
    ("doctor",),
    ("ui",),
    ("serve",),
    ("promote", "pca-kmeans"),
    ("restore", "narrow"),
    ("search", "tuned", "--n-trials", "1"),
    ("compare", "pca-kmeans", "0" * 32),
    ("apply", "data/digits/x.npy", "--run", "champion"),
)
SEARCH = {"row": "narrow", "space": {"code_size": [2, 3]}, "n_trials": 1}
SEARCH |= {"objectives": [{"name": "reconstruction"}]}


def check(parts: tuple[str, str, str, str, str, str]) -> None:
    form, scheme, user, secret, host, place = parts
    message = place.format(form.format(scheme=scheme, user=user, secret=secret, host=host))
    if SECRET in mask_passwords(message):
        raise Lost(f"{message} -> {mask_passwords(message)}")


def messages(draw: random.Random, folder: Path) -> int:
    """Two hundred messages."""
    choices = (FORMS, SCHEMES, USERS, SECRETS, ("host", "host:5432"), PLACES)
    strategies = (c if isinstance(c, st.SearchStrategy) else st.sampled_from(c) for c in choices)
    return examples(st.tuples(*strategies), check, 200, draw)


def commands(draw: random.Random, folder: Path) -> int:
    """All commands that ask a store, and a stage, with an address at which nobody answers."""
    place = folder / "project"
    shutil.copytree(whole(), place)
    finished.change(place, searches={"tuned": SEARCH}, seed=1)
    address = draw.choice(FORMS).format(
        scheme=draw.choice(SCHEMES), user="anna", secret=draw.choice(SECRETS), host=NOBODY
    )
    variables = {"MLFLOW_TRACKING_URI": address, "NARROWS_STUDIES": address}
    try:
        printed = answered(python(place, "-c", CALL, json.dumps(COMMANDS), **variables))
    except Lost as error:
        raise Lost(f"{address}: {error}") from None
    printed += output(stages(place, "encode", **variables))
    if SECRET in printed:
        lines = [line for line in printed.splitlines() if SECRET in line]
        raise Lost(f"{address} is printed: {lines[:3]}")
    if files := [f for f in place.rglob("*") if f.is_file() and SECRET.encode() in f.read_bytes()]:
        raise Lost(f"{address} is in {files}")
    return len(COMMANDS) + 1


CAMPAIGNS = (
    Campaign("messages with a password", messages, n_sample=1),
    Campaign("commands with a password", commands, n_sample=0),
)
