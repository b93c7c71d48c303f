# SPDX-License-Identifier: Apache-2.0
"""A machine for tests: swtpm, and an agent in Keylime's pull protocol.

The agent is no Keylime's: it has the two requests of version 2.2 that a
verifier makes, around tpm2-tools. It says what its TPM says, and lies on
demand.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.parse
from typing import Any

VERSION = "2.2"
#: The register that the agent's public key is bound to.
_DATA = 16
_LONG = 60


class Machine:
    """A TPM and the agent that queries it.

    :param folder: working directory of this machine
    :param authority: PEM file of the CA of the verifier's certificate
    :ivar replay: answer every request with the last quote
    :ivar forge: answer with a signature that the TPM did not make
    """

    def __init__(self, folder: pathlib.Path, authority: pathlib.Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.replay = self.forge = False
        self._authority = authority
        self._last: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._swtpm: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Switch the TPM on, make its attestation key, and serve."""
        socket = self.folder / "tpm"
        self._swtpm = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate"),
                f"dir={self.folder}",
                *("--server", f"type=unixio,path={socket}"),
                *("--ctrl", f"type=unixio,path={socket}.ctrl"),
                *("--flags", "not-need-init,startup-clear"),
            ],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _LONG
        while not os.path.exists(f"{socket}.ctrl"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.tpm("createek", "-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub")
        self.tpm(
            *("createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", "rsa"),
            *("-g", "sha256", "-s", "rsassa", "-u", "ak.pub", "-f", "tss"),
            *("-n", "ak.name"),
        )
        self._make_certificate()
        self.bind()
        self._serve()

    def stop(self) -> None:
        """Switch it off."""
        with contextlib.suppress(AttributeError):
            self._server.shutdown()
            self._server.server_close()
        if self._swtpm:
            self._swtpm.kill()
            self._swtpm.wait()

    def vanish(self) -> None:
        """End the agent; the TPM stays on."""
        self._server.shutdown()
        self._server.server_close()

    def tpm(self, tool: str, *arguments: str) -> str:
        """Run a tool, and flush what it has left in the TPM."""
        path = f"swtpm:path={self.folder / 'tpm'}"
        environment = os.environ | {"TPM2TOOLS_TCTI": path}
        output = ""
        # Nobody manages the TPM's three slots for it.
        for command in (["flushcontext", "-t"], [tool, *arguments]):
            output = subprocess.run(
                [f"tpm2_{command[0]}", *command[1:]],
                cwd=self.folder,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        return output

    def register(self, number: int) -> str:
        """Return what is in a register."""
        text = self.tpm("pcrread", f"sha256:{number}")
        return text.rpartition("0x")[2].strip().lower()

    def extend(self, register: int, text: str) -> None:
        """Measure something into a register."""
        digest = self.digest(text.encode())
        self.tpm("pcrextend", f"{register}:sha256={digest}")

    @staticmethod
    def digest(data: bytes) -> str:
        """Return a digest as the tools take it."""
        return hashlib.sha256(data).hexdigest()

    def bind(self) -> None:
        """Bind the agent's public key to its register."""
        self.tpm("pcrreset", str(_DATA))
        self.extend(_DATA, self.public_key)

    def _make_certificate(self) -> None:
        for command in (
            [
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days"),
                *("2", "-subj", "/CN=agent", "-keyout", "agent.key"),
                *("-out", "agent.crt", "-addext"),
                "basicConstraints=critical,CA:FALSE",
            ],
            [
                *("x509", "-in", "agent.crt", "-noout", "-pubkey"),
                *("-out", "agent.pub"),
            ],
        ):
            subprocess.run(
                ["openssl", *command],
                cwd=self.folder,
                check=True,
                capture_output=True,
            )
        self.public_key = (self.folder / "agent.pub").read_text()
        self.certificate = (self.folder / "agent.crt").read_text()

    @property
    def key(self) -> str:
        """The attestation key, as a registrar has it."""
        return self._written("ak.pub")

    def identity(self) -> dict[str, Any]:
        """Return what it registers by."""
        return {
            "ek_tpm": self._written("ek.pub"),
            "aik_tpm": self.key,
            "mtls_cert": self.certificate,
            "ip": "127.0.0.1",
            "port": self.port,
        }

    def activate(self, blob: str) -> bytes:
        """Return what is in a challenge that this TPM alone can open."""
        (self.folder / "blob").write_bytes(base64.b64decode(blob))
        self.tpm("startauthsession", "--policy-session", "-S", "session")
        try:
            self.tpm("policysecret", "-S", "session", "-c", "e")
            self.tpm(
                *("activatecredential", "-c", "ak.ctx", "-C", "ek.ctx"),
                *("-i", "blob", "-o", "opened", "-P", "session:session"),
            )
        finally:
            self.tpm("flushcontext", "session")
        return (self.folder / "opened").read_bytes()

    def _written(self, name: str) -> str:
        raw = (self.folder / name).read_bytes()
        return base64.b64encode(raw).decode()

    def quote(self, nonce: str, mask: int) -> dict[str, Any]:
        """Return what the TPM says of some registers."""
        registers = [str(bit) for bit in range(24) if mask >> bit & 1]
        self.tpm(
            *("quote", "-c", "ak.ctx", "-g", "sha256"),
            *("-l", f"sha256:{','.join(registers)}"),
            *("-q", nonce.encode().hex()),
            *("-m", "quote.msg", "-s", "quote.sig", "-o", "quote.pcr"),
        )
        if self.forge:
            raw = bytearray((self.folder / "quote.sig").read_bytes())
            raw[-1] ^= 1
            (self.folder / "quote.sig").write_bytes(raw)
        parts = [f"quote.{end}" for end in ("msg", "sig", "pcr")]
        return {
            "quote": f"r{':'.join(map(self._written, parts))}",
            "hash_alg": "sha256",
            "enc_alg": "rsa",
            "sign_alg": "rsassa",
            "pubkey": self.public_key,
        }

    def answer(self, path: str) -> dict[str, Any]:
        """Return the results of a request."""
        url = urllib.parse.urlsplit(path)
        if url.path == "/version":
            return {"supported_version": VERSION}
        if not url.path.endswith("/quotes/integrity"):
            return {}
        asked = dict(urllib.parse.parse_qsl(url.query))
        with self._lock:
            if not self.replay or self._last is None:
                self._last = self.quote(asked["nonce"], int(asked["mask"], 0))
            return self._last

    def _serve(self, port: int = 0) -> None:
        machine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                body = {"code": 200, "status": "Success"}
                content = body | {"results": machine.answer(self.path)}
                raw = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = _answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", port), Handler
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            self.folder / "agent.crt", self.folder / "agent.key"
        )
        context.load_verify_locations(self._authority)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True
        )
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, daemon=True
        ).start()
