"""MLflow's scoring server as `narrows serve` guards it: hosts, large and deep bodies, no pages."""

import json
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types.schema import Schema, TensorSpec

from narrows.tracking import serving

ONE = json.dumps({"inputs": [[1.0, 2.0]]})


class Model:
    """What MLflow's server asks of a model: the sums of samples of two features."""

    signature = ModelSignature(inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, 2))]))

    @property
    def metadata(self) -> Any:
        return self

    def get_input_schema(self) -> Schema:
        return self.signature.inputs

    def get_params_schema(self) -> None:
        return None

    def predict(self, samples: Any, params: Any = None) -> pd.DataFrame:
        return pd.DataFrame({"sum": np.asarray(samples).sum(1)})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server that runs in a thread."""
    app = serving.guarded(scoring_server.init(Model()))  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def ask(port: int, body: Any = None, path: str = "/invocations", **headers: str) -> Any:
    """Status and JSON of an answer; the body may be in parts."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    method = "GET" if body is None else "POST"
    connection.request(method, path, body, {"content-type": "application/json"} | headers)
    answer: HTTPResponse = connection.getresponse()
    text = answer.read().decode().strip()
    connection.close()
    is_json = (answer.getheader("content-type") or "").startswith("application/json")
    return answer.status, json.loads(text) if is_json and text else text


def test_a_sample_is_answered_under_the_names_of_this_machine(port: int) -> None:
    for host in ("127.0.0.1:5001", "localhost:5001", "localhost"):
        assert ask(port, ONE, host=host) == (200, {"predictions": [{"sum": 3.0}]})
    assert ask(port, path="/ping")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.a:5001", ""])
def test_a_name_that_somebody_else_lets_point_here_is_refused(port: int, host: str) -> None:
    assert ask(port, ONE, host=host)[0] == 400


def test_a_large_body_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_BYTES", len(ONE))
    assert ask(port, ONE)[0] == 200
    sentence = f"the body is too large; at most {len(ONE)} bytes are accepted"
    assert ask(port, ONE + " ") == (413, {"error_code": "BAD_REQUEST", "message": sentence})
    assert ask(port, iter([b" "] * (len(ONE) + 1)))[0] == 413, "whose length nobody says"
    assert ask(port, iter([ONE[:5].encode(), ONE[5:].encode()]))[0] == 200


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_json_is_a_sentence(port: int, depth: int) -> None:
    status, answer = ask(port, '{"inputs": ' + "[" * depth + "]" * depth + "}")
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("page", serving.PAGES)
def test_no_page_whose_scripts_come_from_the_web(port: int, page: str) -> None:
    assert ask(port, path=page)[0] == 404
