"""deploy/: no secret has a default, every image has a version. commands/ has a test that starts
it."""

import re

from ruamel.yaml import YAML

from helpers.project import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
EXAMPLE = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.M))
CHOSEN = {"MLFLOW_BIND": ":-", "MLFLOW_HOSTS": ":?"}
"""What is no secret, and whether Compose goes on without it (:-) or stops (:?)."""


def test_nothing_starts_with_a_password_that_nobody_chose() -> None:
    used = dict(re.findall(r"\$\{(\w+)(:[?-])", COMPOSE))
    assert COMPOSE.count("$") == len(re.findall(r"\$\{\w+:[?-]", COMPOSE))
    assert used.keys() == EXAMPLE.keys()
    assert {name: how for name, how in used.items() if name in CHOSEN} == CHOSEN
    secrets = used.keys() - CHOSEN
    assert secrets >= {"POSTGRES_PASSWORD", "S3_SECRET_KEY", "MLFLOW_ADMIN_PASSWORD"}
    assert {used[name] for name in secrets} == {":?"}
    assert {EXAMPLE[name] for name in secrets} == {""}
    own = (DEPLOY / "basic_auth.ini").read_text()
    account = re.findall(r"^\w*(?:admin|password)\w* *=", own, re.M)
    assert account == []


def test_only_the_server_is_reached_and_from_this_machine_alone() -> None:
    services = YAML(typ="safe").load(COMPOSE)["services"]
    published = {name: s["ports"] for name, s in services.items() if "ports" in s}
    assert published == {"mlflow": ["${MLFLOW_BIND:-127.0.0.1}:5000:5000"]}
    assert EXAMPLE["MLFLOW_BIND"] == "127.0.0.1"


def test_versions_are_said() -> None:
    services = YAML(typ="safe").load(COMPOSE)["services"]
    for name in services.keys() - {"mlflow"}:  # which is built
        assert re.fullmatch(r"[\w/-]+:\d[\w.]*", services[name]["image"]), name
    file = (DEPLOY / "Dockerfile").read_text()
    assert "--constraint /tmp/constraints.txt" in file
    pinned = {
        line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().split()
    }
    assert pinned >= {"mlflow", "flask-wtf", "psycopg", "psycopg-binary", "boto3"}
