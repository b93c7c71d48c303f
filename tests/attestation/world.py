# SPDX-License-Identifier: Apache-2.0
"""The cloud of tools/cloud.sh, two of whose hosts have a TPM.

The attestor logs in by Keystone, with its own role; schedulers, computes and
their reporters are the cloud's daemons.
"""

import pathlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from cloud import clients, users
from cloud.cloud import Cloud
from cloud.machines import MACHINES, Flavor
from nova_vhard.attestor.service import Attestor, Means
from nova_vhard.attestor.sources.loading import load
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.conf import placement as placement_conf
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import connect
from tests.attestation.keylime import Keylime
from tests.attestation.machine import Machine

#: The register that stands for the firmware's, and the data's.
REGISTER, MASK = 23, hex(1 << 23 | 1 << 16)
PATIENCE = 120
#: The smallest that there is, for tests wait for it.
MAX_AGE = 60
INTERVAL = 5
CONFIDENTIAL = Flavor("77", "confidential.tiny")
HONEST, LIAR = MACHINES[:2]


class World:
    """The cloud, verifier, machines and attestor that the tests share.

    :ivar agents: name of each mapped host to its agent
    :ivar machines: name of each mapped host to its machine
    :ivar attestor: attestor whose rounds the tests start
    """

    def __init__(
        self, cloud: Cloud, keylime: Keylime, folder: pathlib.Path
    ) -> None:
        self.cloud, self.keylime = cloud, keylime
        self.admin = clients.Client(cloud.facts, users.ADMIN)
        self.member = clients.Client(cloud.facts, users.MEMBER)
        self._folder = folder
        self.agents = {it.name: str(uuid.uuid4()) for it in (HONEST, LIAR)}
        self.machines: dict[str, Machine] = {}
        self.conf = self._configure()
        means = Means(load(self.conf), lambda: connect(self.conf))
        self.attestor = Attestor(self.conf, means, Runtime())
        self._make_flavor()

    def _make_flavor(self) -> None:
        for words in (
            ("create", "--id", CONFIDENTIAL.id, "--ram", "512", "--disk", "1"),
            ("set", "--property", "vhard:require=attested"),
        ):
            answer = self.admin.command(
                *("--os-compute-api-version", "2.86", "flavor"),
                *words,
                CONFIDENTIAL.name,
            )
            assert answer.success, answer.text

    def _configure(self) -> cfg.ConfigOpts:
        mapping = {
            host.node: self.agents[host.name] for host in (HONEST, LIAR)
        }
        facts = self.cloud.facts
        conf = configured(
            self._folder,
            self.keylime,
            mapping,
            f"interval = {INTERVAL}\nmax_age = {MAX_AGE}\n"
            f"key_file = {facts.attestation_key}\n"
            + login(facts, users.ATTESTOR.name),
        )
        attestor_conf.check(conf)
        return conf

    def switch_on(self) -> None:
        """Give both hosts a TPM, and have Keylime know and watch them."""
        for name, agent in self.agents.items():
            machine = Machine(
                self._folder / name, self.keylime.authority / "cacert.crt"
            )
            self.machines[name] = machine
            machine.start()
            known = self.keylime.registrar.register(agent, machine)
            self.keylime.add(
                agent,
                machine,
                {str(REGISTER): [machine.register(REGISTER)], "mask": MASK},
                ak_tpm=known["aik_tpm"],
                mtls_cert=known["mtls_cert"],
            )

    def switch_off(self) -> None:
        for machine in self.machines.values():
            machine.stop()

    def entry(self, host: str) -> Any:
        """Return what the verifier says of a host."""
        return self.keylime.agent(self.agents[host])

    def verified(self, host: str) -> int:
        return int(self.entry(host)["attestation_count"])

    def refused(self, host: str) -> bool:
        return bool(self.entry(host)["attestation_status"] == "FAIL")

    def recover(self) -> None:
        """Restore both machines and wait until both are attested."""
        before = {}
        for name, machine in self.machines.items():
            machine.forge = machine.replay = False
            machine.tpm("pcrreset", str(REGISTER))
            before[name] = self.verified(name)
            if self.refused(name):
                self.keylime.again(self.agents[name])
        for name, count in before.items():
            until(lambda name=name, count=count: self.verified(name) > count)
        until(self.attestor.once)
        # A scheduler keeps an answer for a second.
        time.sleep(1.5)

    def traits(self, host: str) -> set[str]:
        (node,) = (it.node for it in MACHINES if it.name == host)
        return set(self.admin.traits(node))

    def boot(self) -> tuple[Any, str, str]:
        """Ask for a guest that requires an attested host.

        :returns: the server, the host that it is on, and why it is on none
        """
        image = self.member.image.find_image("clean", ignore_missing=False)
        server = self.member.boot(
            "confidential", flavor=CONFIDENTIAL, image_id=image.id
        )
        if server.status == "ACTIVE":
            return server, self.admin.host(server), ""
        return server, "", server.fault["message"]

    def lands_on(self) -> str:
        """Boot such a guest and remove it; return its host or the refusal."""
        server, host, reason = self.boot()
        self.member.remove(server)
        return host or reason

    def list_hosts(self) -> str:
        """Return what an operator sees."""
        answer = self.admin.command(
            *("vhard", "host", "list"),
            *("-c", "Host", "-c", "attested", "-c", "iommu"),
        )
        assert answer.success, answer.text
        return answer.text


def configured(
    folder: pathlib.Path, keylime: Keylime, mapping: dict[str, str], more: str
) -> cfg.ConfigOpts:
    """Return the configuration of an attestor.

    :param mapping: uuid of a host to its agent
    :param more: other options, and other groups
    """
    folder.chmod(0o755)
    mapped = folder / "hosts.yaml"
    lines = [f"  {host}: {agent}\n" for host, agent in mapping.items()]
    mapped.write_text("hosts:\n" + "".join(lines))
    mapped.chmod(0o640)
    certificates = keylime.authority
    path = folder / "attestor.conf"
    path.write_text(
        "[vhard_attestor]\n"
        f"keylime_url = {keylime.url}\n"
        f"keylime_ca_file = {certificates}/cacert.crt\n"
        f"keylime_cert_file = {certificates}/client-cert.crt\n"
        f"keylime_key_file = {certificates}/client-private.pem\n"
        f"mapping_file = {mapped}\n{more}"
    )
    conf = cfg.ConfigOpts()
    attestor_conf.register(conf)
    placement_conf.register(conf)
    conf([], default_config_files=[str(path)])
    return conf


def login(facts: Any, user: str) -> str:
    """Return a group ``placement`` by which a user logs in."""
    return (
        "[placement]\nauth_type = password\n"
        f"auth_url = {facts.url('keystone')}/v3\n"
        f"username = {user}\npassword = {facts.password}\n"
        "project_name = service\nuser_domain_id = default\n"
        f"project_domain_id = default\nregion_name = {users.REGION}\n"
    )


def connected(folder: pathlib.Path, text: str) -> Placement:
    """Return a client of Placement by a group ``placement``."""
    path = folder / f"{uuid.uuid4()}.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(path)])
    return connect(conf)


def until(holds: Callable[[], Any], every: float = 0.2) -> float:
    """Wait; return the seconds that it took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < PATIENCE
        time.sleep(every)
    return time.monotonic() - start
