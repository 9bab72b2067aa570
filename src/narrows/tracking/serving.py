"""MLflow's scoring server for this machine: who may ask, how much at once, and no other pages.

    python -P serving.py models:/narrows-digits@champion 5001

It is a program of its own and imports nothing of this package: the model brings the package as it
was when the model was registered.
"""

from __future__ import annotations

import gc
import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mlflow.pyfunc import load_model, scoring_server
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["127.0.0.1", "localhost"]
"""Names under which a browser on this machine asks; a page that lets its own name point here asks
under that one."""
MAX_BYTES = 16 * 2**20
"""Bytes of a request's body: one of 50 MB would hold up all others for a minute."""
PAGES = ("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json")
"""FastAPI's own pages, whose scripts come from the web."""


class Limit:
    """Refuses bodies above `MAX_BYTES`, also those that do not say how long they are."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, with its body read, or answers 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        body, is_whole = bytearray(), False
        while not is_whole and len(body) <= MAX_BYTES and int(length) <= MAX_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
        if not is_whole or len(body) > MAX_BYTES:
            sentence = f"the body is too large; at most {MAX_BYTES} bytes are accepted"
            await _refusal(413, sentence)(scope, receive, send)
            return
        parts: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_again() -> Message:
            return parts.pop() if parts else await receive()

        await self.app(scope, receive_again, send)


def guarded(app: FastAPI) -> FastAPI:
    """The app with a limit, a list of hosts and without FastAPI's pages."""
    app.router.routes = [
        route for route in app.router.routes if getattr(route, "path", None) not in PAGES
    ]
    app.add_exception_handler(RecursionError, _too_deep)
    app.add_middleware(Limit)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)  # the first to look
    return app


async def _too_deep(request: Request, error: Exception) -> JSONResponse:
    return _refusal(400, "the JSON is nested too deeply")


def _refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error_code": "BAD_REQUEST", "message": sentence}, status)


if __name__ == "__main__":
    app = guarded(scoring_server.init(load_model(sys.argv[1])))
    gc.freeze()  # going through all that torch and MLflow have made would hold up answers for .5 s
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]))
    gc.unfreeze()  # or some libraries say at the end that they leak
