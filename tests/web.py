"""A web server for tests: files of a folder, byte ranges, and the moods of a network."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Moods:
    """What goes wrong, and how often it still will; and what was asked for."""

    def __init__(self) -> None:
        self.busy = self.cut = self.short = self.garbled = 0  # so many more answers are spoilt in this way
        self.ignores_ranges = self.says_no_ranges = False
        self.asked: list[tuple[str, str | None]] = []
        self._lock = threading.Lock()

    def strikes(self, name: str) -> bool:
        with self._lock:
            left = getattr(self, name)
            setattr(self, name, max(left - 1, 0))
            return left > 0


@contextmanager
def serve(folder: Path):
    """-> (URL, Moods) of a server that ends with the block."""
    moods = Moods()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            wanted = self.headers.get("Range")
            moods.asked.append((self.path, wanted))
            path = folder / self.path.lstrip("/")
            if body and moods.strikes("busy"):
                return self.reply(503, b"")
            if not path.is_file():
                return self.reply(404, b"")
            data, status = path.read_bytes(), 200
            if wanted and not moods.ignores_ranges:
                start, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
                data, status = data[int(start) : int(last) + 1 if last else None], 206
            if body and moods.strikes("garbled"):
                data = bytes(len(data))
            if body and moods.strikes("short"):
                data = data[: len(data) // 2]
            return self.reply(status, data, body, cut=body and moods.strikes("cut"))

        def reply(self, status, data, body=True, cut=False):
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if moods.says_no_ranges:
                self.send_header("Accept-Ranges", "none")
            self.end_headers()
            if body:
                self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True

    server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 128})(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", moods
    finally:
        server.shutdown()
        server.server_close()
