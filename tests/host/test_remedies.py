# SPDX-License-Identifier: Apache-2.0
"""The playbook of ``openstack vhard host fix``, and the checks afterwards.

Ansible runs it as it is. This machine stays what it was: /etc is a copy, and
libvirt is one of ours. What a remedy changes in the kernel is a file of ours,
and what counts from the next boot on is a tree of what is shown then.
"""

import contextlib
import re
import shutil
import subprocess
import sys
import threading

import pytest

from nova_vhard.host.libvirt import virconf
from nova_vhard.osc.host import fix
from tests import playbook
from tests.host import certificates, daemon
from tests.host.reporter import Reporter

#: On the real libvirt, which is restarted.
LIBVIRT = ("guest_cage", "libvirt_not_exposed", "migration_encrypted")
#: By the real sysctl and systemd-tmpfiles, into files of ours: the kernel's
#: are those of the whole machine.
KERNEL = {
    "kernel_aslr": ("/proc/sys/kernel/randomize_va_space", "", "0\n", "2"),
    "memory_sharing": ("/sys/kernel/mm/ksm", "run", "1\n", "2"),
}
#: Trees of before and after are in tests/unit/host/cases: each needs what is
#: not to be had here, another processor or a boot.
TREES = ("smt", "nested_off", "microcode", "iommu", "iommu_strict")
#: mac_confinement has a test of its own below, the guard in test_guard.py.
ALONE = ("mac_confinement", "guard_in_force")

QEMU_CONF = """\
# As deployers and people leave it: lists over lines, blank lines, and
# keys twice.
cgroup_device_acl = [
    "/dev/null", "/dev/full", "/dev/zero",

    "/dev/random", "/dev/urandom",
    "/dev/ptmx"
]

security_driver = [
    "none"

]

user = "root"
  group="root" # why
user = "root"
seccomp_sandbox = 0; clear_emulator_capabilities = 0

namespaces = [

]
max_core = "unlimited"
migrate_tls_force = 0

# namespaces = [ "mount" ]
vnc_password = "SECRET"
namespaces = [ ]"""
#: What guest_cage's remedy takes out of it.
OPEN = (
    'user = "root"',
    'group="root" ',
    "seccomp_sandbox = 0;",
    "clear_emulator_capabilities = 0",
    "namespaces = [\n\n]",
    "namespaces = [ ]",
)
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


class Weak:
    """A host whose libvirt has the wrong settings.

    :param place: folder for all that is written
    """

    def __init__(self, place):
        self.etc = place / "etc"
        shutil.copytree("/etc", self.etc, symlinks=True)
        self.file = self.etc / "libvirt" / "qemu.conf"
        self.file.write_text(QEMU_CONF)
        self.libvirt = daemon.Libvirt(
            place / "libvirt", {"/etc": self.etc}, tcp_port=16509
        )
        self._mounts = {
            "/etc": self.etc,
            "/etc/libvirt/libvirtd.conf": place / "libvirt" / "libvirtd.conf",
            "/run/libvirt": place / "libvirt" / "sock",
        }
        self._place = place
        self.playbook = place / "fix.yml"
        playbook.write(self.playbook)
        programs = place / "bin"
        programs.mkdir()
        (programs / "systemctl").write_text(SYSTEMCTL.format(folder=place))
        (programs / "systemctl").chmod(0o755)
        self.path = f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin"
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
        command = daemon.within(self._mounts)
        tags = ("--tags", check, *words)
        place = {"before": command, "path": self.path}
        return playbook.run(self.playbook, *tags, **place)

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
    folder = place / "weak"
    folder.mkdir()
    result = Weak(folder)
    with result.libvirt:
        yield result


@pytest.fixture(scope="module")
def checked(weak, place):
    reporter = Reporter(place / "weak" / "reporter", weak.libvirt.uri)

    def check(name):
        reporter.facts()
        return reporter.check()[name]

    return check


@pytest.mark.parametrize("check", LIBVIRT)
def test_a_setting_of_libvirts(weak, checked, check):
    assert checked(check)["status"] == "FAIL"
    before = weak.file.read_text()
    status, shown = weak.fix(check, "--check")
    assert status == 0 and re.search(r"changed=1 ", shown), shown
    assert weak.file.read_text() == before
    status, shown = weak.fix(check)
    assert status == 0, shown
    assert weak.runs()
    result = checked(check)
    assert result["status"] == "PASS", result
    assert "SECRET" not in shown
    status, shown = weak.fix(check)
    assert status == 0 and re.search(r"changed=0 ", shown), shown


def test_what_is_left_of_a_file(weak):
    weak.file.write_text(QEMU_CONF)
    assert weak.fix("guest_cage")[0] == 0
    expected = QEMU_CONF
    for text in OPEN:
        expected = expected.replace(text, "")
    assert weak.file.read_text() == expected


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
        assert checked("mac_confinement")["status"] == "PASS"


VNC = "<graphics type='vnc' listen='0.0.0.0' port='5978'/>"


def test_a_console_by_tls(weak, checked, place):
    """Follow the remediation: its first setting is not enough."""
    folder = place / "weak" / "pki"
    folder.mkdir()
    certificates.make(folder)
    where = f'vnc_tls_x509_cert_dir="{folder}"'
    for setting, status in (
        ("vnc_tls=1", "FAIL"),
        ("vnc_tls_x509_verify=1", "PASS"),
    ):
        assert weak.edit(where, "vnc_password=", setting).returncode == 0
        weak.libvirt.start("shown", devices=VNC)
        try:
            assert checked("console_encrypted")["status"] == status
        finally:
            weak.libvirt.end("shown")


@pytest.mark.parametrize("check", KERNEL)
def test_a_file_of_the_kernels(tmp_path, check):
    covered, name, before, after = KERNEL[check]
    etc, own = tmp_path / "etc", tmp_path / "kernel"
    shutil.copytree("/etc", etc, symlinks=True)
    for folder in ("sysctl.d", "tmpfiles.d"):
        (etc / folder).mkdir(exist_ok=True)
    if name:
        own.mkdir()
        (own / "pages_sharing").write_text("0\n")
    file = own / name if name else own
    file.write_text(before)
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    (tmp_path / "systemctl").chmod(0o755)
    mounts = {"/etc": etc, covered: own}
    uri = f"qemu+unix:///system?socket={tmp_path}/no"
    reporter = Reporter(tmp_path / "reporter", uri)
    assert reporter.check(mounts)[check]["status"] == "FAIL"
    playbook.write(tmp_path / "fix.yml")
    path = f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"
    tags = ("--tags", check)
    inside = daemon.within(mounts)
    status, shown = playbook.run(
        tmp_path / "fix.yml", *tags, before=inside, path=path
    )
    assert status == 0, shown
    assert file.read_text().strip() == after
    assert reporter.check(mounts)[check]["status"] == "PASS"
