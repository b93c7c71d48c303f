# SPDX-License-Identifier: Apache-2.0
"""A guest that moves, and somebody who listens on the way.

What ``migration_encrypted`` says of Nova's and libvirt's settings is held
against what goes by when a guest moves as Nova would move it by them.
"""

import contextlib
import os

import libvirt
import pytest

from tests.host import certificates, daemon
from tests.host.guard import wait
from tests.host.listener import listening
from tests.host.reporter import Reporter

_FLAGS = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_UNSAFE
)
_SECTOR, _BOOT_ADDRESS = 512, 0x7C00
# hlt, and a jump back to it.
_IDLE = b"\xf4\xeb\xfd"


@pytest.fixture(scope="module")
def hosts(place):
    """Two hosts whose QEMU has certificates."""
    folder = place / "pki"
    folder.mkdir()
    certificates.make(folder)
    config = folder / "qemu.conf"
    config.write_text(f'migrate_tls_x509_cert_dir = "{folder}"\n')
    mounts = {"/etc/libvirt/qemu.conf": config}
    with (
        daemon.Libvirt(place / "leaves", mounts, host="leaves") as first,
        daemon.Libvirt(place / "arrives", mounts, host="arrives") as other,
    ):
        yield first, other


#: Random bytes that only the guest's memory contains.
SECRET = os.urandom(16)
SECTOR = (_IDLE + SECRET * 31).ljust(_SECTOR - 2, b"\0") + b"\x55\xaa"


@pytest.fixture
def guest(hosts, place):
    """A guest whose boot sector, once read, is the secret over and over."""
    text = hosts[0].describe("carries")
    text = text.replace("</disk>", "<shareable/></disk>")
    with open(place / "leaves" / "carries.img", "r+b") as file:
        file.write(SECTOR)
    with contextlib.closing(hosts[0].connect()) as connection:
        started = connection.createXML(text)
        where = _BOOT_ADDRESS, _SECTOR, libvirt.VIR_MEMORY_PHYSICAL
        wait(lambda: started.memoryPeek(*where) == SECTOR)
        yield started
        with contextlib.suppress(libvirt.libvirtError):
            started.destroy()


@pytest.mark.parametrize(
    ("native_tls", "status"), [(False, "FAIL"), (True, "PASS")]
)
def test_what_goes_by(hosts, guest, tmp_path, native_tls, status):
    reporter = Reporter(tmp_path / "reporter", hosts[0].uri)
    setting = f"live_migration_with_native_tls = {str(native_tls).lower()}"
    reporter.facts(libvirt=setting)
    flags = _FLAGS | (libvirt.VIR_MIGRATE_TLS if native_tls else 0)
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1"}
    with listening() as packets:
        guest.migrateToURI3(hosts[1].own_uri, parameters, flags)
    hosts[1].end("carries")
    assert reporter.check()["migration_encrypted"]["status"] == status
    # Pages of a few zeros, and those of the firmware, went by either way.
    assert sum(map(len, packets)) > 1 << 16
    assert any(SECRET in each for each in packets) is not native_tls
