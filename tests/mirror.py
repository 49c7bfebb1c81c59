"""A local HTTP server that does to a download what the internet does."""

import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import panns.weights.transfer as download_module
from panns.weights import catalog
from panns.weights.catalog import ReleasedFile

CONTENT = np.random.default_rng(0).bytes(3_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers with the server's content, unless something is planned for this request."""

    server: "Server"

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        plan = self.server.plans.pop(0) if self.server.plans else None
        (plan or Handler.serve)(self)

    def serve(self, cut=None, ranges=True, body=None, shift=0, headers=()):
        """The content or the range of it; `cut` closes the connection after so many bytes."""
        body = self.server.content if body is None else body
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "") if ranges else None
        start = int(asked[1]) + shift if asked else 0
        if asked and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[start : None if cut is None else start + cut])

    def say(self, status, **headers):
        """A status without the content."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Serves `content`; `plans` are taken one a request, and `requests` remembers (path, Range)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.requests = CONTENT, []
        self.plans: list[Callable | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


def serve(**how):
    return lambda handler: handler.serve(**how)


def say(status, **headers):
    return lambda handler: handler.say(status, **headers)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The server, as the mirror that released files come from; the cache is an empty folder."""
    monkeypatch.setenv("PANNS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download_module, "WAITS", (0.01, 0.01, 0.01))
    with Server() as running:
        monkeypatch.setenv("PANNS_DOWNLOAD_URL", f"{running.url}/mirror")
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def released(server, monkeypatch):
    """A function that makes bytes the released file of a preset, as the server has it."""

    def release(preset: str, content: bytes = CONTENT) -> ReleasedFile:
        server.content = content
        file = ReleasedFile(preset, f"{preset}_mAP=0.5.pth", "1", hashlib.md5(content).hexdigest(), len(content))
        table = {**catalog.released_files(), preset: file}
        monkeypatch.setattr(catalog, "released_files", lambda: table)
        return file

    return release
