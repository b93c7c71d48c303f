# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Keylime's verifier: HTTPS that wants a client certificate.

It answers as Keylime 7.14.3 was seen to: a GET with a Content-Type and no body
is a 400, and ``?bulk=true`` has all agents in one answer.
"""

import contextlib
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Seconds until a server notices that it is to end.
_PAUSE = 0.01
NAME = "verifier.example"
_AUTHORITY = "keyUsage=critical,keyCertSign,cRLSign"
_EXTENSIONS = f"subjectAltName=DNS:{NAME},DNS:localhost,IP:127.0.0.1"


def make_certificates(folder: pathlib.Path) -> None:
    """Make an authority, ``other`` that is another, a server and a client."""
    made = ("req", "-x509", "-newkey", "ec", "-nodes", "-days", "2")
    curve = ("-pkeyopt", "ec_paramgen_curve:P-256")
    for name, authority in (
        ("ca", ""),
        ("other", ""),
        ("server", "ca"),
        ("client", "ca"),
        ("stranger", "other"),
    ):
        signed = (
            *("-addext", _EXTENSIONS, "-CA", f"{authority}.crt"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-CAkey", f"{authority}.key"),
        )
        subprocess.run(
            [
                *("openssl", *made, *curve, "-subj", f"/CN={name}"),
                *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
                *(signed if authority else ("-addext", _AUTHORITY)),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )


def agent(status: str = "PASS", ago: float = 2, **more: Any) -> dict[str, Any]:
    """Return an entry of the answer, as the verifier has it.

    :param ago: seconds since its last success; negative for one to come
    """
    return {
        "operational_state": 3,
        "v": None,
        "ip": "192.0.2.7",
        "port": 9002,
        "tpm_policy": '{"mask": "0x408000"}',
        "has_mb_refstate": 0,
        "has_runtime_policy": 0,
        "accept_tpm_hash_algs": ["sha256"],
        "hash_alg": "sha256",
        "attestation_count": 7,
        "last_received_quote": int(time.time()),
        "last_successful_attestation": int(time.time() - ago),
        "attestation_status": status,
        "severity_level": None,
        "last_event_id": None,
    } | more


#: As Keylime says it of an agent that was added and never asked.
NEVER = {"attestation_count": 0, "last_successful_attestation": 0}


@dataclass
class Verifier:
    """Serves what it is told.

    :ivar agents: id to entry
    :ivar body: sent in place of an answer that makes sense
    :ivar status: of the answer
    :ivar headers: of the answer, beside its length
    :ivar encodings: that each request takes
    :ivar requests: path of each request
    """

    agents: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    encodings: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        self.requests.append(request.path)
        self.encodings.append(request.headers.get("Accept-Encoding"))
        content = {"code": 200, "status": "Success", "results": self.agents}
        status, body = self.status, self.body
        if request.headers.get("Content-Type"):
            status, body = 400, b"{}"
        elif request.path != "/v2.5/agents/?bulk=true":
            status, body = 404, b"{}"
        elif body is None:
            body = json.dumps(content).encode()
        request.send_response(status)
        length = {"Content-Length": str(len(body))}
        for name, value in (length | self.headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


class _Handler(http.server.BaseHTTPRequestHandler):
    verifier: Verifier

    def do_GET(self) -> None:
        self.verifier.answer(self)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[Verifier]:
    """Serve on a free port of loopback.

    :param folder: with certificates
    """
    verifier = Verifier()
    handler = type("Handler", (_Handler,), {"verifier": verifier})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        # So that no thread of a request is left.
        server.daemon_threads = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        context.load_verify_locations(folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        verifier.url = f"https://localhost:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(_PAUSE,))
        thread.start()
        try:
            yield verifier
        finally:
            server.shutdown()
            thread.join()
