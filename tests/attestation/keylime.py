# SPDX-License-Identifier: Apache-2.0
"""Keylime's own verifier and registrar, from PyPI, in processes."""

import base64
import hmac
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from tests.attestation.machine import VERSION, Machine

_LONG = 120
#: Options of ca.conf that have no default in the code.
_CA = """\
[ca]
version = 2.5
password = default
cert_country = US
cert_ca_name = Test
cert_state = -
cert_locality = -
cert_organization = -
cert_org_unit = -
cert_ca_lifetime = 3650
cert_lifetime = 365
cert_bits = 2048
cert_crl_dist = http://localhost:38080/crl
"""
_VERIFIER = """\
[verifier]
version = 2.5
uuid = default
ip = 127.0.0.1
port = {port}
mode = pull
registrar_ip = 127.0.0.1
registrar_port = {tls}
enable_agent_mtls = True
tls_dir = generate
server_key = default
server_key_password = default
server_cert = default
trusted_client_ca = default
client_key = default
client_key_password =
client_cert = default
trusted_server_ca = default
database_url = sqlite
database_pool_sz_ovfl = 5,10
auto_migrate_db = True
num_workers = 1
exponential_backoff = False
retry_interval = 1
max_retries = 3
request_timeout = 20
quote_interval = 1
max_upload_size = 104857600
measured_boot_policy_name = accept-all
measured_boot_imports = []
measured_boot_evaluate = once
severity_labels = ["info", "notice", "warning", "error", "critical", "alert", "emergency"]
severity_policy = [{{"event_id": ".*", "severity_label": "emergency"}}]
ignore_tomtou_errors = False
durable_attestation_import =
require_allow_list_signatures = False
verification_timeout = 0
[revocations]
enabled_revocation_notifications = []
zmq_ip = 127.0.0.1
zmq_port = 8992
webhook_url =
"""  # noqa: E501 - two lists in a line each


_REGISTRAR = """\
[registrar]
version = 2.5
ip = 127.0.0.1
port = {port}
tls_port = {tls}
tls_dir = default
server_key = default
server_key_password = default
server_cert = default
trusted_client_ca = default
database_url = sqlite
database_pool_sz_ovfl = 5,10
auto_migrate_db = True
durable_attestation_import =
tpm_identity = default
max_upload_size = 104857600
max_workers = 1
"""


def environment(folder: pathlib.Path, **more: object) -> dict[str, str]:
    """Return the environment of a process that imports Keylime.

    Keylime leaves out half of itself under tox.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOX_")
    }
    texts = {name: str(value) for name, value in more.items()}
    return kept | {"PYTHONPATH": str(debians_gpg(folder))} | texts


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Service:
    """A service of Keylime's that can be stopped and started again.

    :param folder: of all of them
    :ivar url: of its API with certificates
    """

    name = ""
    #: What it answers when it is there.
    probe = ""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        self.url = f"https://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def authority(self) -> pathlib.Path:
        """The folder with its certificates."""
        return self.state / "cv_ca"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        env = environment(
            self.folder,
            KEYLIME_DIR=self.state,
            KEYLIME_CA_CONFIG=self.folder / "ca.conf",
            **{
                f"KEYLIME_{self.name.upper()}_CONFIG": self.folder
                / f"{self.name}.conf"
            },
        )
        log_file = self.folder / f"{self.name}.log"
        program = pathlib.Path(sys.executable).with_name(
            f"keylime_{self.name}"
        )
        with open(log_file, "ab") as log:
            self._process = subprocess.Popen(
                [str(program)],
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _LONG
        while True:
            try:
                self.call("GET", self.probe)
                return
            except (OSError, ssl.SSLError):
                text = log_file.read_text()
                assert self._process.poll() is None, text[-4000:]
                assert time.monotonic() < deadline, text[-4000:]
                time.sleep(0.2)

    def stop(self) -> None:
        """End it with all its processes: it would hold its port for long."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request with the client's certificate.

        :raises OSError: without an answer
        """
        authority = self.authority / "cacert.crt"
        context = ssl.create_default_context(cafile=authority)
        context.check_hostname = False
        context.load_cert_chain(
            self.authority / "client-cert.crt",
            self.authority / "client-private.pem",
        )
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/v2.5/{path}", data, method=method
        )
        with urllib.request.urlopen(
            request, context=context, timeout=30
        ) as answer:
            return json.load(answer)["results"]


class Registrar(Service):
    """Keylime's own registrar: it knows which TPM an agent's key is in."""

    name = "registrar"
    probe = "agents/"

    def __init__(self, folder: pathlib.Path, port: int, tls: int) -> None:
        super().__init__(folder, tls)
        self.plain = f"http://127.0.0.1:{port}"
        text = _REGISTRAR.format(port=port, tls=tls)
        (folder / "registrar.conf").write_text(text)

    def register(self, agent: str, machine: Machine) -> Any:
        """Register a machine and prove where its key is.

        :returns: the registrar's record of the agent
        """
        blob = self._send("POST", agent, machine.identity())["blob"]
        key = base64.b64encode(machine.activate(blob))
        tag = hmac.new(key, agent.encode(), "sha384")
        self._send("PUT", agent, {"auth_tag": tag.hexdigest()})
        return self.call("GET", f"agents/{agent}")

    def _send(self, method: str, agent: str, body: Any) -> Any:
        """Send what an agent sends, without a certificate."""
        request = urllib.request.Request(
            f"{self.plain}/v2.2/agents/{agent}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["results"]


class Keylime(Service):
    """Keylime's own verifier.

    :ivar registrar: not started by itself
    """

    name = "verifier"
    probe = "agents/?bulk=true"

    def __init__(self, folder: pathlib.Path) -> None:
        port, plain, tls = _free(), _free(), _free()
        super().__init__(folder, port)
        text = _VERIFIER.format(port=port, tls=tls)
        (folder / "verifier.conf").write_text(text)
        (folder / "ca.conf").write_text(_CA)
        self.registrar = Registrar(folder, plain, tls)

    def add(
        self,
        agent: str,
        machine: Machine,
        policy: dict[str, Any],
        **more: Any,
    ) -> None:
        """Let the verifier watch a machine.

        :param more: keys of the request's body to add or replace
        """
        body: dict[str, Any] = {
            "v": None,
            "cloudagent_ip": "127.0.0.1",
            "cloudagent_port": machine.port,
            "tpm_policy": json.dumps(policy),
            "runtime_policy": "",
            "runtime_policy_name": "",
            "runtime_policy_key": "",
            "mb_policy": None,
            "mb_policy_name": "",
            "ima_sign_verification_keys": "",
            "metadata": "{}",
            "revocation_key": "",
            "accept_tpm_hash_algs": ["sha256"],
            "accept_tpm_encryption_algs": ["rsa"],
            "accept_tpm_signing_algs": ["rsassa"],
            "ak_tpm": machine.key,
            "mtls_cert": machine.certificate,
            "supported_version": VERSION,
        }
        self.call("POST", f"agents/{agent}", body | more)

    def again(self, agent: str) -> None:
        """Let the verifier watch an agent again after it refused it."""
        self.call("PUT", f"agents/{agent}/reactivate", {})

    def agent(self, agent: str) -> Any:
        """Return what it says of an agent."""
        return self.call("GET", f"agents/{agent}")


def debians_gpg(folder: pathlib.Path) -> pathlib.Path:
    """Return a folder with the one package that is not on PyPI."""
    place = folder / "python"
    place.mkdir(exist_ok=True)
    link = place / "gpg"
    if not link.is_symlink():
        packages = os.environ.get(
            "NOVA_VHARD_DIST_PACKAGES", "/usr/lib/python3/dist-packages"
        )
        link.symlink_to(pathlib.Path(packages, "gpg"))
    return place
