# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server of one page and the functions that the page calls.

| request | answer |
|---|---|
| `GET /`, `/app.js`, ... | a file of the page; no other file can be named |
| `GET /api/facts` | the model's facts, as JSON |
| `POST /api/NAME` with JSON | the result of the explorer's method, as JSON |
| `POST /api/latent` with JSON | the latent vector, a `.npy` file |

Errors are JSON with a message, and the server goes on. Requests are bounded in
size and time. The server writes no files but temporary ones, and the page asks
for nothing from other hosts, which its content security policy also forbids.

Other pages that are open in the browser cannot use the server. A form of theirs
cannot send JSON, and scripts would need a permission that the server never gives.
On a loopback address, requests must name it as their host, so a foreign name that
resolves to it (DNS rebinding) does not help them either.
"""

import contextlib
import errno
import http
import http.server
import importlib.resources
import ipaddress
import json
import socket
import sys
import threading
import traceback

from tfp_glow import _checks
from tfp_glow.explorer import uploads

_FILES = {
    "index.html": "text/html",
    "style.css": "text/css",
    "app.js": "text/javascript",
    "picture.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_FUNCTIONS = frozenset(
    (
        "draw",
        "faces",
        "fill",
        "gallery",
        "interpolate",
        "latent",
        "open",
        "show",
        "start",
        "upload",
    )
)
_TIMEOUT = 60.0  # Seconds that a request may take to arrive.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; "
        "form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server(http.server.ThreadingHTTPServer):
    """Serves the page from `serve_forever` to `shutdown`.

    Attributes:
        explorer: `Explorer`, to be set before `serve_forever`.
        url: `str`, the address of the page.
        is_loopback: `bool`, whether only this machine reaches it.
    """

    daemon_threads = True

    def __init__(self, host="127.0.0.1", port=0):
        """Opens the port.

        Args:
            host: address or name to listen on.
            port: `int`, or 0 for any that is free.

        Raises:
            ValueError: if the host is unknown or the port is taken.
        """
        if port not in range(2**16):
            expected = "an integer from 0 to 65535"
            raise _checks.invalid_value("port", port, expected)
        self.explorer = None
        self.lock = threading.Lock()  # One computation at a time.
        package = importlib.resources.files("tfp_glow.explorer")
        self.files = {n: (package / "page" / n).read_bytes() for n in _FILES}
        try:
            family, *_, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )[0]
            self.address_family = family
            super().__init__(address, _Handler)
        except OSError as error:
            raise ValueError(_why(error, host, port)) from error
        address, port = self.server_address[:2]
        self.is_loopback = ipaddress.ip_address(address).is_loopback
        shown = f"[{address}]" if ":" in address else address
        names = {shown, host, "localhost"}
        self.hosts = {f"{name}:{port}" for name in names} | names
        self.url = f"http://{shown}:{port}/"

    @property
    def max_bytes(self):
        """The size of the largest request, an upload or two states."""
        return 2 * uploads.MAX_BYTES + 64 * self.explorer.event_size

    def handle_error(self, request, client_address):
        """Ignores browsers that go away, which is not an error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tfp_glow"
    sys_version = ""
    timeout = _TIMEOUT

    def do_GET(self):
        with self._errors():
            self._check_origin()
            if self.path == "/api/facts":
                self._send_json(self.server.explorer.facts())
                return
            name = self.path.split("?")[0].lstrip("/") or "index.html"
            if name not in self.server.files:
                raise _Refused(http.HTTPStatus.NOT_FOUND, "no such page")
            kind = f"{_FILES[name]}; charset=utf-8"
            self._send(self.server.files[name], kind)

    def do_POST(self):
        with self._errors():
            self._check_origin()
            request = self._read_json()
            name = self.path.removeprefix("/api/")
            if name not in _FUNCTIONS or name == self.path:
                raise _Refused(http.HTTPStatus.NOT_FOUND, "no such function")
            with self.server.lock:
                result = getattr(self.server.explorer, name)(request)
            if isinstance(result, bytes):
                self._send(result, "application/octet-stream")
            else:
                self._send_json(result)

    def log_message(self, *arguments):
        """Is quiet about requests."""

    def _check_origin(self):
        host = self.headers.get("Host", "")
        if self.server.is_loopback and host.lower() not in self.server.hosts:
            raise _Refused(
                http.HTTPStatus.FORBIDDEN,
                f"Expected a request to {self.server.url}. Received: one to "
                f"{host[:80]!r}. Open the page at its own address",
            )
        if self.headers.get("Sec-Fetch-Site", "none") not in (
            "none",
            "same-origin",
        ) and self.path.startswith("/api/"):
            raise _Refused(
                http.HTTPStatus.FORBIDDEN,
                "Expected a request of this page. Received: one of another site",
            )

    def _read_json(self):
        if self.headers.get_content_type() != "application/json":
            raise _Refused(
                http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Expected JSON. Received: " + self.headers.get_content_type(),
            )
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise _Refused(
                http.HTTPStatus.LENGTH_REQUIRED,
                "Expected a request with its length. Received: one without",
            )
        if int(length[:20]) > self.server.max_bytes:
            raise _Refused(
                http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"Expected at most {uploads.MAX_BYTES / 2**20:.0f} MiB. "
                f"Received: a request of {int(length[:20]) / 2**20:.0f} MiB",
            )
        body = self.rfile.read(int(length))
        try:
            request = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Expected JSON. Received: {error}") from error
        if not isinstance(request, dict):
            raise ValueError(
                "Expected a JSON object. Received: " + type(request).__name__
            )
        return request

    @contextlib.contextmanager
    def _errors(self):
        """Answers errors with a message, after which the connection closes."""
        try:
            yield
        except _Refused as error:
            self._send_error(error.status, str(error))
        except OSError:
            raise  # The browser has gone away.
        except (TypeError, ValueError) as error:
            self._send_error(http.HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:
            traceback.print_exc()
            self._send_error(
                http.HTTPStatus.INTERNAL_SERVER_ERROR,
                f"{type(error).__name__}: the program's terminal tells more",
            )

    def _send_error(self, status, message):
        self.close_connection = True
        self._send_json({"error": message}, status)

    def _send_json(self, values, status=http.HTTPStatus.OK):
        body = json.dumps(values, allow_nan=False).encode()
        self._send(body, "application/json", status)

    def _send(self, body, kind, status=http.HTTPStatus.OK):
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class _Refused(Exception):  # noqa: N818
    """A request that is answered with a status and a message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def _why(error, host, port):
    """Returns the message for a port that cannot be opened."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"Expected a port that is free. Received: {port}, which another "
            "program uses. Stop it, or choose another one, for example "
            f"--port={port + 1}"
        )
    if error.errno == errno.EACCES:
        return (
            f"Expected a port that you may open. Received: {port}. Ports from "
            "1024 need no permission"
        )
    return (
        "Expected an address of this machine, for example 127.0.0.1. Received: "
        f"--host={host} ({error.strerror or error})"
    )
