"""A proxy in front of an API server that misbehaves on demand: wrong answers, none, lost ones, and cut streams."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml

_RESET = struct.pack("ii", 1, 0)
_BLOCK = 64 * 1024
SECONDS = 30.0


@dataclass
class Fault:
    """What is done to requests whose `METHOD PATH` matches, to the first `times` of them.

    `answer`: this status in place of the server's. `hang`: no answer. `lose`: the request is carried out, but the
    connection breaks before its answer.
    """

    pattern: str
    how: Literal["answer", "hang", "lose"] = "answer"
    times: int = 1_000_000
    status: int = 503
    message: str = "the server is currently unable to handle the request"
    headers: dict[str, str] = field(default_factory=dict)
    met: int = 0

    def meets(self, request: str) -> bool:
        if self.met >= self.times or not re.search(self.pattern, request):
            return False
        self.met += 1
        return True

    def rendered(self) -> bytes:
        body = json.dumps(
            {"kind": "Status", "status": "Failure", "message": self.message, "code": self.status}
        ).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\ncontent-type: application/json\r\n{extra}"
        return f"{head}connection: close\r\n\r\n".encode() + body


class Misbehaving:
    """The proxy. `requests` are those that came, as `METHOD PATH`; `kubeconfig` leads to it with the same user."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        upstream = urlsplit(config["clusters"][0]["cluster"]["server"])
        self._upstream = (str(upstream.hostname), int(upstream.port or 443))
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self._streams: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.kubeconfig = folder / "kubeconfig-through-proxy"
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True, name="misbehaving").start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    @contextmanager
    def fault(self, pattern: str, **what: Any) -> Iterator[Fault]:
        """Misbehave in this way during a `with` block."""
        fault = Fault(pattern, **what)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    def down(self) -> None:
        """Listen no more, and cut what is open."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def up(self) -> None:
        """Listen again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def cut(self) -> int:
        """Break every open stream (port-forwards, watches); how many there were."""
        with self._lock:
            streams, self._streams = self._streams, set()
        for stream in streams:
            with suppress(OSError):
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        return len(streams)

    def close(self) -> None:
        self.down()

    def _handle(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(SECONDS)
            request = _request(client)
            if request is None:
                return
            line = request.partition(b" HTTP/")[0].decode()
            self.requests.append(line)
            fault = next((one for one in self.faults if one.meets(line)), None)
            if fault and fault.how == "answer":
                client.sendall(fault.rendered())
            elif fault and fault.how == "hang":
                client.recv(1)  # until the client has had enough
            else:
                self._pass(client, request, lose=fault is not None)

    def _pass(self, client: socket.socket, request: bytes, *, lose: bool) -> None:
        raw = socket.create_connection(self._upstream, timeout=SECONDS)
        with self._tls.wrap_socket(raw) as server:
            head, _, body = request.partition(b"\r\n\r\n")
            upgrade = b"upgrade: websocket" in head.lower()
            if not upgrade:
                head = re.sub(rb"\r\nconnection: [^\r]*", b"", head, flags=re.IGNORECASE) + b"\r\nconnection: close"
            server.sendall(head + b"\r\n\r\n" + body)
            if lose:
                server.recv(_BLOCK)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return
            with self._lock:
                self._streams.add(client)
            if upgrade:
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            _copy(server, client)
        with self._lock:
            self._streams.discard(client)


def _request(client: socket.socket) -> bytes | None:
    """One whole request, with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(_BLOCK)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    while found and len(body) < int(found[1]):
        body += client.recv(_BLOCK)
    return head + b"\r\n\r\n" + body


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError, ValueError):  # closed by the thread that copies the other way
        source.settimeout(None)
        while data := source.recv(_BLOCK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
