"""A page in the browser that follows a sweep: it reads the store, answers on this machine, and needs a token."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from subtx_toy.errors import InputError, shortened
from subtx_toy.files.json_text import json_text

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def parse_address(text: str) -> tuple[str, int]:
    """Read ``127.0.0.1:8000`` or ``8000``; port 0 is a free one.

    Raises:
        InputError: if it is no such text, or another machine could reach it.

    >>> parse_address("8000")
    ('127.0.0.1', 8000)
    """
    host, _, port = text.rpartition(":")
    host = host or "127.0.0.1"
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise InputError(f"serve: expected an address such as 127.0.0.1:8000, got {shortened(text, 60)!r}")
    if host not in _LOOPBACK:
        raise InputError(
            f"serve: expected an address of this machine, 127.0.0.1:{port}, got {shortened(text, 60)!r}; "
            f"from elsewhere: ssh -L {port}:127.0.0.1:{port} HOST"
        )
    return host, int(port)


class LivePage:
    """A server of one page and its data; use it in a ``with`` statement.

    Args:
        document: returns what the page shows.
        address: host and port.

    Raises:
        InputError: if the port is taken.
    """

    def __init__(self, document: Callable[[], dict[str, Any]], address: tuple[str, int]) -> None:
        self.token = secrets.token_urlsafe(16)
        page = resources.files("subtx_toy.sweep").joinpath("live_page.html").read_bytes()
        token, hosts = self.token, {f"{host}:{{port}}" for host in ("127.0.0.1", "localhost", "[::1]")}

        class Handler(BaseHTTPRequestHandler):
            """Answers for two paths below the token, and for nothing else."""

            server: ThreadingHTTPServer

            def do_GET(self) -> None:
                port = self.server.server_port
                is_ours = self.headers.get("Host", "") in {host.format(port=port) for host in hosts}
                given, _, rest = self.path.removeprefix("/").partition("/")
                if not is_ours or not hmac.compare_digest(given.encode(), token.encode()):
                    self._send(HTTPStatus.FORBIDDEN, b"the address needs its token", "text/plain")
                elif rest == "":
                    self._send(HTTPStatus.OK, page, "text/html; charset=utf-8")
                elif rest == "data.json":
                    self._data()
                else:
                    self._send(HTTPStatus.NOT_FOUND, b"there is no such page", "text/plain")

            def _data(self) -> None:
                try:
                    content = json_text(document(), indent=None).encode()
                except InputError as error:
                    content = json_text({"error": str(error)}, indent=None).encode()
                self._send(HTTPStatus.OK, content, "application/json")

            def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
                self.send_response(status)
                for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the terminal has the address only."""

        try:
            self._server = ThreadingHTTPServer(address, Handler)
        except OSError as error:
            raise InputError(f"serve: cannot use {address[0]}:{address[1]}: {error.strerror or error}") from None
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The address with its token."""
        return f"http://127.0.0.1:{self._server.server_port}/{self.token}/"

    def serve(self) -> None:
        """Answer until ``stop``, or an interrupt."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """End ``serve``, from another thread."""
        self._server.shutdown()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.server_close()
