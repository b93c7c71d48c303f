# SPDX-License-Identifier: Apache-2.0
"""The playbook of ``openstack vhard host fix``, and the checks afterwards.

Ansible runs it as it is. This machine stays what it was: /etc is a copy, and
libvirt is one of ours. What a remedy changes in the kernel is a file of ours,
and what counts from the next boot on is a tree of what is shown then.
"""

import contextlib
import shutil
import subprocess
import sys
import threading

import pytest

from nova_vhard.host.libvirt import virconf
from nova_vhard.osc.host import fix
from tests import playbook
from tests.host import daemon
from tests.host.reporter import Reporter
from tests.trees import build
from tests.unit.host.test_virconf import QEMU_CONF

#: On the real libvirt, which is restarted.
LIBVIRT = ("guest_cage", "libvirt_not_exposed", "migration_encrypted")
#: By the real sysctl and systemd-tmpfiles, into files of ours: the kernel's
#: are those of the whole machine.
KERNEL = {
    "kernel_aslr": ("/proc/sys/kernel/randomize_va_space", "", "0\n", "2"),
    "memory_sharing": ("/sys/kernel/mm/ksm", "/run", "1\n", "2"),
}
#: Trees of before and after are in tests/unit/host/cases: each needs what is
#: not to be had here, another processor or a boot.
TREES = ("smt", "nested_off", "microcode", "iommu", "iommu_strict")
#: mac_confinement has a test of its own below, the guard in test_guard.py.
ALONE = ("mac_confinement", "guard_in_force")

SYSTEMCTL = """\
#!/bin/sh
case $* in
"is-active libvirtd.service libvirtd.socket") exit 0 ;;
is-active*) exit 3 ;;
"restart libvirtd.service") echo >{folder}/asked; read -r _ <{folder}/done ;;
esac
"""


def test_every_remedy_is_in_the_table():
    assert {*LIBVIRT, *KERNEL, *TREES, *ALONE} == set(fix._known())


def program(folder, text):
    """Write a stub of systemctl into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "systemctl").write_text(text)
    (folder / "systemctl").chmod(0o755)


def fixed(place, check, *words, mounts, path):
    """Run the tasks of a check; return Ansible's exit status and output."""
    playbook.write(place / "fix.yml")
    inside = {"before": daemon.within(mounts), "path": path}
    return playbook.run(place / "fix.yml", "--tags", check, *words, **inside)


class Weak:
    """A host whose libvirt has the wrong settings.

    :param place: folder for all that is written
    """

    def __init__(self, place):
        etc = place / "etc"
        shutil.copytree("/etc", etc, symlinks=True)
        self.file = etc / "libvirt" / "qemu.conf"
        self.file.write_text(QEMU_CONF)
        self.libvirt = daemon.Libvirt(
            place / "libvirt", {"/etc": etc}, tcp_port=16509
        )
        self._mounts = {
            "/etc": etc,
            "/etc/libvirt/libvirtd.conf": place / "libvirt" / "libvirtd.conf",
            "/run/libvirt": place / "libvirt" / "sock",
        }
        self._place = place
        program(place / "bin", SYSTEMCTL.format(folder=place))
        self.path = f"{place}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        subprocess.run(["mkfifo", place / "asked", place / "done"], check=True)
        threading.Thread(target=self._restart, daemon=True).start()

    def _restart(self):
        """Restart libvirtd whenever systemctl is told to."""
        # Until the folder is removed.
        with contextlib.suppress(FileNotFoundError):
            while True:
                (self._place / "asked").read_text()
                self.libvirt.restart()
                (self._place / "done").write_text("\n")

    def fix(self, check, *words):
        """Run the tasks of a check."""
        where = {"mounts": self._mounts, "path": self.path}
        return fixed(self._place, check, *words, **where)

    def edit(self, *settings):
        """Run the editor itself."""
        path = "/etc/libvirt/qemu.conf"
        words = (sys.executable, virconf.__file__, path, *settings)
        return subprocess.run(
            daemon.within(self._mounts, *words),
            env={"PATH": self.path},
            capture_output=True,
            text=True,
        )

    def runs(self):
        """Return libvirt's version, by a new connection."""
        with contextlib.closing(self.libvirt.connect()) as connection:
            return connection.getLibVersion()


@pytest.fixture(scope="module")
def weak(place):
    (place / "weak").mkdir()
    result = Weak(place / "weak")
    with result.libvirt:
        yield result


@pytest.fixture(scope="module")
def checked(weak, place):
    reporter = Reporter(place / "weak" / "reporter", weak.libvirt.uri)

    def check(name):
        reporter.facts()
        return reporter.check()[name]["status"]

    return check


@pytest.mark.parametrize("check", LIBVIRT)
def test_a_setting_of_libvirts(weak, checked, check):
    assert checked(check) == "FAIL"
    before = weak.file.read_text()
    for words, changed in ((("--check",), 1), ((), 1), ((), 0)):
        status, shown = weak.fix(check, *words)
        assert status == 0 and f"changed={changed} " in shown, shown
        assert "SECRET" not in shown
        if words:
            assert weak.file.read_text() == before
    assert weak.runs()
    assert checked(check) == "PASS"


def test_a_setting_with_which_libvirt_does_not_start(weak):
    """It says that it is ready, and ends: nobody but a client notices."""
    before = weak.file.read_text()
    done = weak.edit('security_driver="nonsense"', "migrate_tls_force=1")
    assert done.returncode == 1
    assert "every file is as it was before" in done.stderr
    assert weak.file.read_text() == before
    assert weak.runs()


def test_confinement_is_demanded_where_it_can_be(weak, checked):
    """libvirt does not start if it is to demand what the kernel has not."""
    before = weak.file.read_text()
    status, shown = weak.fix("mac_confinement")
    assert weak.runs()
    if status:
        assert "every file is as it was before" in shown
        assert weak.file.read_text() == before
    else:
        assert checked("mac_confinement") == "PASS"


#: Create a CA and a server certificate, with a key that QEMU's user can read.
CERTIFICATES = """
new="openssl req -x509 -days 2 -nodes -newkey ec"
new="$new -pkeyopt ec_paramgen_curve:P-256 -addext basicConstraints=critical"
$new,CA:TRUE -addext keyUsage=critical,keyCertSign -subj /CN=ca \\
    -keyout ca-key.pem -out ca-cert.pem
$new,CA:FALSE -addext keyUsage=critical,digitalSignature,keyEncipherment \\
    -addext subjectAltName=IP:127.0.0.1,DNS:localhost -subj /CN=server \\
    -CA ca-cert.pem -CAkey ca-key.pem \\
    -keyout server-key.pem -out server-cert.pem
chmod 644 server-key.pem
"""
VNC = "<graphics type='vnc' listen='0.0.0.0' port='5978'/>"


def test_a_console_by_tls(weak, checked, place):
    """Follow the remediation: its first setting is not enough."""
    folder = place / "weak" / "pki"
    folder.mkdir()
    subprocess.run(["sh", "-ec", CERTIFICATES], cwd=folder, check=True)
    where = f'vnc_tls_x509_cert_dir="{folder}"'
    for setting, status in (
        ("vnc_tls=1", "FAIL"),
        ("vnc_tls_x509_verify=1", "PASS"),
    ):
        assert weak.edit(where, "vnc_password=", setting).returncode == 0
        weak.libvirt.start("shown", devices=VNC)
        try:
            assert checked("console_encrypted") == status
        finally:
            weak.libvirt.end("shown")


@pytest.mark.parametrize("check", KERNEL)
def test_a_file_of_the_kernels(tmp_path, check):
    covered, name, before, after = KERNEL[check]
    etc, own = tmp_path / "etc", tmp_path / "kernel"
    shutil.copytree("/etc", etc, symlinks=True)
    build(etc, {"/sysctl.d": None, "/tmpfiles.d": None})
    pages = {"/kernel/pages_sharing": "0\n"} if name else {}
    build(tmp_path, {f"/kernel{name}": before, **pages})
    program(tmp_path / "bin", "#!/bin/sh\n")
    mounts = {"/etc": etc, covered: own}
    uri = f"qemu+unix:///system?socket={tmp_path}/no"
    reporter = Reporter(tmp_path / "reporter", uri)
    assert reporter.check(mounts)[check]["status"] == "FAIL"
    path = f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    status, shown = fixed(tmp_path, check, mounts=mounts, path=path)
    left = (tmp_path / f"kernel{name}").read_text().strip()
    assert (status, left) == (0, after), shown
    assert reporter.check(mounts)[check]["status"] == "PASS"
