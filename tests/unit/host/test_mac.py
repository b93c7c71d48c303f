# SPDX-License-Identifier: Apache-2.0
"""Confinement of guests, over captured guests and each misleading signal."""

import errno
import json
import os
import re

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Expected, Host
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.libvirt.running import Target
from nova_vhard.host.mac import apparmor
from nova_vhard.host.qemu import qemu_conf
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.reporter import facts
from tests.trees import build, capture
from tests.unit.host import mac_trees

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
NOT_APPLICABLE = Status.NOT_APPLICABLE
CHECKS = {each.name: each for each in report.load()}

SVIRT = "system_u:system_r:svirt_t:s0:c835,c966"


def run(name, root, **more):
    place = HostRoot(str(root))
    more.setdefault("libvirt", libvirt.of_tree(place, None))
    result = CHECKS[name].run(Host(place, **more))
    assert "check failed" not in result.reason
    assert bool(result.remediation) == (result.status in (FAIL, UNKNOWN))
    return result


@pytest.mark.parametrize(
    ("state", "confinement", "guests", "why"),
    [
        ("enforce", PASS, FAIL, "dom-none is unconfined"),
        ("complain-b", PASS, FAIL, "dom-b is not enforced"),
        ("unloaded-a", PASS, FAIL, "dom-a is unconfined"),
        ("driver-none", FAIL, FAIL, "dom-a is unconfined"),
        ("require-confined", PASS, PASS, "all 1 guests have their own"),
    ],
)
def test_captured_apparmor(tmp_path, state, confinement, guests, why):
    root = mac_trees.apparmor(state, tmp_path)
    assert run("mac_confinement", root).status is confinement
    result = run("mac_guests", root)
    assert result.status is guests
    if state == "complain-b":
        mac_trees.drop(root, "dom-none", "dom-allnone")
        result = run("mac_guests", root)
    assert why in result.reason
    result = run("selinux_booleans", root)
    assert result.status is NOT_APPLICABLE
    assert "active in the kernel: apparmor" in result.evidence
    images = FAIL if state == "driver-none" else NOT_APPLICABLE
    assert run("mac_images", root).status is images


def test_the_xml_is_not_believed(tmp_path):
    root = mac_trees.apparmor("unloaded-a", tmp_path)
    mac_trees.drop(root, "dom-b", "dom-none", "dom-allnone")
    (domain,) = libvirt.of_tree(HostRoot(str(root)), None).running()
    assert domain.labels["apparmor"] == f"libvirt-{domain.uuid}"
    result = run("mac_guests", root)
    assert result.status is FAIL
    assert any(
        each.endswith(": unconfined (dom-a)") for each in result.evidence
    )


def test_confined_guests_of_a_host_with_apparmor(tmp_path):
    root = mac_trees.apparmor("enforce", tmp_path)
    mac_trees.drop(root, "dom-none", "dom-allnone")
    result = run("mac_guests", root)
    assert result.status is PASS
    assert (
        "/proc/714/attr/apparmor/current: libvirt-a979368e-e466-4c94-8d47-"
        "9c6b625d612c (enforce) (dom-a)" in result.evidence
    )


ALL_BUT_GOOD = ("dom-none", "dom-static", "dom-static2")


@pytest.mark.parametrize(
    ("enforce", "permissive", "gone", "confinement", "guests", "why"),
    [
        (False, False, (), FAIL, FAIL, "virtd_t"),
        (False, False, ALL_BUT_GOOD, FAIL, FAIL, "SELinux is permissive"),
        (True, False, (), PASS, FAIL, "virtd_t"),
        (True, False, ("dom-none",), PASS, FAIL, "dom-static, dom-static2"),
        (True, False, ("dom-none", "dom-static"), PASS, PASS, "all 3"),
        # getenforce says Enforcing all the same.
        (True, True, ALL_BUT_GOOD, FAIL, FAIL, "is permissive"),
    ],
)
def test_captured_selinux(
    tmp_path, enforce, permissive, gone, confinement, guests, why
):
    root = mac_trees.selinux(tmp_path, enforce, permissive)
    mac_trees.drop(root, *gone)
    assert run("mac_confinement", root).status is confinement
    result = run("mac_guests", root)
    assert result.status is guests
    assert why in result.reason
    # Labels that nothing enforces keep nobody out.
    assert run("mac_images", root).status is confinement


@pytest.mark.parametrize(
    ("label", "status"),
    [
        (SVIRT, PASS),
        (SVIRT.replace("svirt_t", "svirt_tcg_t"), UNKNOWN),  # not asked for
        # The same pair as dom-b's c246,c295, in whatever spelling.
        ("system_u:system_r:svirt_t:s0:c295,c246", FAIL),
        ("system_u:system_r:svirt_tcg_t:s0:c246,c295", FAIL),
        ("system_u:system_r:svirt_t:s1:c246,c295", FAIL),
        ("system_u:system_r:svirt_t:s0:c1.c2", PASS),
        ("system_u:system_r:svirt_t:s0:c0.c1023", FAIL),
        ("system_u:system_r:svirt_t:s0-s0:c1,c2", FAIL),
        ("system_u:system_r:svirt_t:s0:c5", FAIL),
        ("system_u:system_r:svirt_t:s0", FAIL),
        ("system_u:system_r:unconfined_t:s0:c1,c2", FAIL),
        ("system_u:system_r:virtd_t:s0", FAIL),
        ("system_u:system_r:svirt_lxc_net_t:s0:c1,c2", UNKNOWN),
        # More than any policy has, as numbers and as digits.
        ("system_u:system_r:svirt_t:s0:c1.c999999999999", UNKNOWN),
        ("system_u:system_r:svirt_t:s0:c1,c" + "9" * 5000, UNKNOWN),
        ("system_u:system_r:svirt_t:s0" + ":c0.c65535" * 50, UNKNOWN),
        ("system_u:system_r:svirt_t:s0:" + "c0.c65535," * 99, UNKNOWN),
        ("system_u:system_r:svirt_t:s0:c1,c٣", UNKNOWN),
        ("unconfined", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_label_of_selinux(tmp_path, label, status):
    root = mac_trees.selinux(tmp_path)
    mac_trees.drop(root, *ALL_BUT_GOOD)
    current = mac_trees.process(root, "dom-a") / "attr/current"
    if label is None:
        current.unlink()
    else:
        current.write_text(f"{label}\0")
    assert run("mac_guests", root).status is status


UUID = "a979368e-e466-4c94-8d47-9c6b625d612c"
OTHER = "bdbc3384-6ed4-424c-bf76-de5ded7648fd"


@pytest.mark.parametrize(
    ("label", "status"),
    [
        (f"libvirt-{UUID} (enforce)", PASS),
        # It denies as well, and ends the process.
        (f"libvirt-{UUID} (kill)", PASS),
        (f"libvirt-{UUID} (complain)", FAIL),
        (f"libvirt-{UUID} (novel)", FAIL),
        (f"libvirt-{UUID}", FAIL),
        (f"libvirt-{OTHER} (enforce)", FAIL),
        (f"libvirt-{UUID}//&unconfined (enforce)", FAIL),
        ("docker-default (enforce)", FAIL),
        ("unconfined", FAIL),
    ],
)
def test_label_of_apparmor(tmp_path, label, status):
    root = mac_trees.apparmor("require-confined", tmp_path)
    attr = mac_trees.process(root, "dom-a") / "attr"
    (attr / "apparmor/current").write_text(f"{label}\n")
    assert run("mac_guests", root).status is status
    # Older kernels have one file only.
    (attr / "apparmor/current").unlink()
    (attr / "current").write_text(f"{label}\n")
    assert run("mac_guests", root).status is status


def unreadable(root, *paths):
    file = root / "ERRORS.json"
    listed = json.loads(file.read_text()) if file.exists() else []
    file.write_text(json.dumps(listed + [[each, "EACCES"] for each in paths]))


def test_a_label_that_cannot_be_read_is_unknown(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    unreadable(root, "/proc/1348/attr")
    result = run("mac_guests", root)
    assert result.status is UNKNOWN
    assert "dom-a cannot be read" in result.reason


def test_what_is_certainly_wrong_wins_over_what_is_unknown(tmp_path):
    root = mac_trees.apparmor("enforce", tmp_path)
    unreadable(root, "/proc/714/attr", "/proc/751/cmdline", "/proc/751/exe")
    assert run("mac_guests", root).status is FAIL


def test_a_process_that_cannot_be_told_from_a_guest_is_unknown(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    (root / "proc/4000").mkdir()
    unreadable(root, "/proc/4000/cmdline")
    result = run("mac_guests", root)
    assert result.status is UNKNOWN
    assert "/proc/4000/cmdline: Permission denied" in result.reason


def test_a_guest_that_procfs_does_not_show_is_unknown(tmp_path):
    root = mac_trees.apparmor("enforce", tmp_path)
    mac_trees.drop(root, "dom-none", "dom-allnone")
    folder = mac_trees.process(root, "dom-b")
    folder.rename(tmp_path / "hidden")
    result = run("mac_guests", root)
    assert result.status is UNKNOWN
    assert "does not show: dom-b" in result.reason


@pytest.mark.parametrize(
    ("path", "text"),
    [
        # AppArmor goes on to show (enforce) behind each label.
        ("/sys/module/apparmor/parameters/mode", "complain\n"),
        ("/sys/module/apparmor/parameters/enabled", "N\n"),
    ],
)
def test_apparmor_that_is_not_enforced(tmp_path, path, text):
    root = mac_trees.apparmor("require-confined", tmp_path)
    (root / path[1:]).write_text(text)
    assert run("mac_confinement", root).status is FAIL
    assert run("mac_guests", root).status is FAIL


TEMPLATE = """\
# profile LIBVIRT_TEMPLATE flags=(complain) {{
#include <tunables/global>

profile LIBVIRT_TEMPLATE {} {{
  #include <abstractions/libvirt-qemu>
  # flags=(unconfined)
}}
"""


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ("", PASS),
        ("flags=(attach_disconnected)", PASS),
        ("flags=(enforce)", PASS),
        ("flags=(kill, attach_disconnected)", PASS),
        ("flags=(complain)", FAIL),
        ("flags=(attach_disconnected,complain)", FAIL),
        ("flags = ( attach_disconnected, complain )", FAIL),
        ("(complain)", FAIL),
        ("\n    flags=(unconfined)", FAIL),
        ("flags=(default_allow)", FAIL),
        ("flags=(prompt)", FAIL),
        ("} x {", UNKNOWN),
    ],
)
def test_what_profiles_of_guests_are_made_from(tmp_path, flags, status):
    root = mac_trees.apparmor("require-confined", tmp_path)
    build(root, {apparmor.TEMPLATE: TEMPLATE.format(flags)})
    assert run("mac_confinement", root).status is status
    # The guest that runs has its own.
    assert run("mac_guests", root).status is PASS


@pytest.mark.parametrize(
    ("left", "status"),
    [
        ({"apparmor_template": ["attach_disconnected"]}, PASS),
        ({"apparmor_template": ["complain"]}, FAIL),
        ({}, UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_template_in_a_container_comes_from_the_pre_step(
    tmp_path, left, status
):
    content = {} if left is None else {"/run/nova-vhard/qemu.json": left}
    texts = {path: json.dumps(text) for path, text in content.items()}
    host = Host(HostRoot(build(tmp_path, texts)))
    target = Target(host.root, apparmor.TEMPLATE, "", place=("0:9", "/x"))
    if status is UNKNOWN:
        with pytest.raises(Unreadable):
            apparmor.template(host, target)
    else:
        flags = set(apparmor.template(host, target))
        assert bool(flags & apparmor.LOOSE) is (status is FAIL)


MODE = "/sys/module/apparmor/parameters/mode"


@pytest.mark.parametrize(
    ("left", "status"),
    [
        ('{"apparmor_mode": "enforce"}', PASS),
        ('{"apparmor_mode": "kill"}', PASS),
        ('{"apparmor_mode": "complain"}', FAIL),
        ("{}", UNKNOWN),
        ("[]", UNKNOWN),
        ("no json", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_what_only_root_reads_comes_from_the_pre_step(tmp_path, left, status):
    root = mac_trees.apparmor("require-confined", tmp_path)
    unreadable(root, MODE)
    if left is not None:
        build(root, {"/run/nova-vhard/kernel.json": left})
    result = run("mac_guests", root)
    assert result.status is status
    if left is None:
        assert "run nova-vhard-reporter facts as root" in result.reason


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", PASS),
        ("security_default_confined = 1\n", PASS),
        ("security_default_confined = 0\n", FAIL),
        ("security_default_confined=0 # why\n", FAIL),
        ("# security_default_confined = 0\n", PASS),
        ('security_driver = "none"\n', FAIL),
        ("security_driver = 'none'\n", FAIL),
        ('security_driver = [ "selinux", "apparmor" ]\n', PASS),
        ('security_driver = [\n  "apparmor", # one\n]\n', PASS),
        ('a = """\nsecurity_default_confined = 0\n"""\n', PASS),
        ("security_default_confined = 2\n", UNKNOWN),
        ('security_default_confined = "1"\n', UNKNOWN),
        ("security_driver = 1\n", UNKNOWN),
        ("security_default_confined\n", UNKNOWN),
        (
            "security_default_confined = 1\nsecurity_default_confined = 0\n",
            UNKNOWN,
        ),
        # What follows libvirt 11.3 takes, or refuses, likewise.
        ('a = "x"\r\nsecurity_default_confined = 0\r\n', FAIL),
        ("# a\rsecurity_default_confined = 0\r", FAIL),
        ("a = 1; security_default_confined = 0;\n", FAIL),
        ('security_driver = [ "none" , ]\n', FAIL),
        ('security_driver = [ "selinux" "none" ]\n', UNKNOWN),
        ('security_driver = [ , "selinux" ]\n', UNKNOWN),
        ('security_driver = [ "selinux",, "apparmor" ]\n', UNKNOWN),
        ("a = 1;; b = 2\n", UNKNOWN),
        ("_a = 1\n", UNKNOWN),
        ("a.b = 1\n", UNKNOWN),
        ("a = 99999999999999999999\n", UNKNOWN),
        ('a = """"""\n', UNKNOWN),
        ('a = """"""\nsecurity_default_confined = 0\nb = """a"""\n', FAIL),
        ("a = 1\n\vb = 1\n", UNKNOWN),
        ('include "/etc/libvirt/more.conf"\n', UNKNOWN),
    ],
)
def test_qemu_conf(tmp_path, text, status):
    root = mac_trees.apparmor("require-confined", tmp_path)
    mac_trees.qemu_conf(root, text)
    result = run("mac_confinement", root)
    assert result.status is status
    # The pre-step would say no more of the file than this.
    step = "use the first value" in (result.remediation or "")
    assert step == (status is UNKNOWN)


class Closed(HostRoot):
    """A host whose qemu.conf has mode 0600."""

    def peek(self, path):
        if path == qemu_conf.PATH:
            raise Unreadable(path, PermissionError(errno.EACCES, "closed"))
        return super().peek(path)


LEFT = {
    "security_driver": [],
    "security_default_confined": True,
    "security_require_confined": False,
    "seccomp_sandbox": True,
    "clear_emulator_capabilities": True,
    "namespaces": ["mount"],
    "migrate_tls_force": False,
    "vnc_tls": False,
    "changed": 1000,
}


@pytest.mark.parametrize(
    ("left", "status"),
    [
        (LEFT, PASS),
        ({**LEFT, "security_default_confined": False}, FAIL),
        ({**LEFT, "security_driver": ["none"]}, FAIL),
        ({**LEFT, "security_driver": 7}, UNKNOWN),
        # An older pre-step left three keys.
        ({**LEFT, "namespaces": None}, UNKNOWN),
        ({**LEFT, "security_default_confined": "yes"}, UNKNOWN),
        # The file is another one by now.
        ({**LEFT, "changed": 999}, UNKNOWN),
        ({"changed": 1000}, UNKNOWN),
        ({}, UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_qemu_conf_that_only_root_reads(tmp_path, left, status):
    root = mac_trees.apparmor("require-confined", tmp_path)
    os.utime(root / "etc/libvirt/qemu.conf", (1000, 1000))
    if left is not None:
        build(root, {"/run/nova-vhard/qemu.json": json.dumps(left)})
    place = Closed(str(root))
    host = Host(place, libvirt.of_tree(place, None))
    assert CHECKS["mac_confinement"].run(host).status is status


def test_qemu_conf_in_a_folder_that_is_closed(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    unreadable(root, "/etc/libvirt")
    build(root, {"/run/nova-vhard/qemu.json": json.dumps(LEFT)})
    assert run("mac_confinement", root).status is PASS


def test_a_host_without_qemu_conf_has_the_defaults(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    (root / "etc/libvirt/qemu.conf").unlink()
    # libvirt's clients have the folder too.
    assert run("mac_confinement", root).status is UNKNOWN
    (root / "etc/libvirt/qemu").mkdir()
    assert run("mac_confinement", root).status is PASS
    result = json.loads(facts.qemu(HostRoot(str(root))))
    assert result["security_default_confined"] is True


def test_the_pre_step_leaves_what_an_ordinary_user_needs(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    text = (root / "etc/libvirt/qemu.conf").read_text()
    mac_trees.qemu_conf(root, f'{text}\nvnc_password = "SECRET"\n')
    build(root, {apparmor.TEMPLATE: TEMPLATE.format("flags=(complain)")})
    left = facts.qemu(HostRoot(str(root)))
    assert json.loads(left) == {
        "security_driver": ["apparmor"],
        "security_default_confined": True,
        "security_require_confined": True,
        "seccomp_sandbox": True,
        "clear_emulator_capabilities": True,
        "namespaces": ["mount"],
        "migrate_tls_force": False,
        "vnc_tls": False,
        "vnc_tls_x509_verify": False,
        "vnc_sasl": False,
        "vnc_password": True,
        "apparmor_template": ["complain", "flags"],
        "changed": int((root / "etc/libvirt/qemu.conf").stat().st_mtime),
    }
    mac_trees.qemu_conf(root, "security_driver\n")
    with pytest.raises(Unreadable, match="line 1 is not a setting"):
        facts.qemu(HostRoot(str(root)))


def test_without_libvirt(tmp_path):
    root = mac_trees.selinux(tmp_path)
    mac_trees.drop(root, *ALL_BUT_GOOD)
    gone = {"libvirt": libvirt.NoLibvirt("it is not there")}
    assert run("mac_confinement", root, **gone).status is UNKNOWN
    assert run("mac_images", root, **gone).status is UNKNOWN
    result = run("mac_guests", root, **gone)
    assert result.status is PASS  # procfs and the kernel are enough
    assert "libvirt: it is not there" in result.evidence
    mac_trees.qemu_conf(root, "security_default_confined = 0\n")
    assert run("mac_confinement", root, **gone).status is FAIL


@pytest.mark.parametrize(
    ("kind", "status"),
    [("svirt_t", PASS), ("svirt_x_t", UNKNOWN), ("unconfined_t", FAIL)],
)
def test_the_domain_that_libvirt_starts_guests_in(tmp_path, kind, status):
    root = mac_trees.selinux(tmp_path)
    file = root / "CMD/virsh-capabilities"
    file.write_text(file.read_text().replace(":svirt_t:", f":{kind}:"))
    answers = root / "CMD/selinux-access"
    answers.write_text(answers.read_text().replace(":svirt_t:", f":{kind}:"))
    assert run("mac_confinement", root).status is status


def test_nobody_who_says_which_domains_are_permissive(tmp_path):
    root = mac_trees.selinux(tmp_path)
    mac_trees.drop(root, *ALL_BUT_GOOD)
    (root / "CMD/selinux-access").unlink()
    assert run("mac_confinement", root).status is UNKNOWN
    assert run("mac_guests", root).status is UNKNOWN


GONE = {"libvirt": libvirt.NoLibvirt()}
QEMU = "/usr/bin/qemu-system-x86_64\0-name\0guest={},x\0-uuid\0{}\0"
KERNEL = {
    "/sys/kernel/security/lsm": "capability,apparmor",
    "/sys/module/apparmor/parameters/enabled": "Y\n",
    "/proc/2/comm": "kthreadd\n",
}


def of(number, name, uuid, label):
    return {
        f"/proc/{number}/cmdline": QEMU.format(name, uuid),
        f"/proc/{number}/attr/current": label,
    }


GOOD = KERNEL | of(7, "a", UUID, f"libvirt-{UUID} (enforce)\n")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (GOOD, PASS),
        # QEMU probes that libvirt starts are not guests.
        (
            {
                **GOOD,
                "/proc/8/cmdline": "/usr/bin/qemu-system-x86_64\0-S\0"
                "-machine\0none,accel=kvm:tcg\0",
                "/proc/8/attr/current": "unconfined\n",
            },
            PASS,
        ),
        # A guest that libvirt did not start is one too.
        (
            {
                **GOOD,
                "/proc/8/cmdline": "kvm\0-m\0512\0",
                "/proc/8/attr/current": "unconfined\n",
            },
            FAIL,
        ),
        # The emulator was upgraded while the guest ran.
        (
            {
                **GOOD,
                "/proc/8/exe": "-> /usr/libexec/qemu-kvm (deleted)",
                "/proc/8/cmdline": "x",
                "/proc/8/attr/current": "unconfined\n",
            },
            FAIL,
        ),
        # Only root may see its file; it goes by another name.
        (
            {
                **GOOD,
                "/proc/8/cmdline": "wrapped\0",
                "/proc/8/comm": "qemu-system-x86\n",
                "/proc/8/attr/current": "unconfined\n",
            },
            FAIL,
        ),
        # Neither a kernel thread nor one that only names an emulator.
        (
            {
                **GOOD,
                "/proc/8/cmdline": "",
                "/proc/8/comm": "kvm\n",
                "/proc/9/cmdline": "less\0qemu-system-x86_64\0",
                "/proc/10/attr/current": "unconfined\n",
            },
            PASS,
        ),
        # No module that confines anything.
        ({**GOOD, "/sys/kernel/security/lsm": "capability,yama"}, FAIL),
        # A kernel without any of them, which has no labels to read.
        (
            {
                **GOOD,
                "/sys/kernel/security/lsm": "capability,yama",
                "/proc/7/attr/current": None,
            },
            FAIL,
        ),
        # SELinux and AppArmor are both on, and it is unknown which one counts.
        ({**GOOD, "/sys/kernel/security/lsm": "selinux,apparmor"}, UNKNOWN),
        # The kernel does not say, but the guest does.
        (of(7, "a", UUID, "unconfined"), FAIL),
        (of(7, "a", UUID, f"libvirt-{UUID} (enforce)"), UNKNOWN),
        (of(7, "a", UUID, "system_u:system_r:virtd_t:s0"), FAIL),
        # Half a tree.
        ({**GOOD, "/proc/7/attr/current": None}, UNKNOWN),
        ({}, UNKNOWN),
        # No guest, and not every process is seen.
        ({**KERNEL, "/proc/2/comm": "sh\n"}, UNKNOWN),
        # No guest, and nobody knows of the next one.
        (KERNEL, UNKNOWN),
    ],
)
def test_processes(tmp_path, content, status):
    root = build(tmp_path / "tree", content)
    assert run("mac_guests", root, **GONE).status is status


def test_two_guests_with_one_profile(tmp_path):
    label = f"libvirt-{UUID} (enforce)\n"
    root = build(tmp_path, GOOD | of(8, "b", UUID, label))
    result = run("mac_guests", root, **GONE)
    assert result.status is FAIL
    assert result.reason == "guests share one label: a, b"


def test_names_of_guests_are_cleaned(tmp_path):
    name = "a\x1b[31m\u202e" + "x" * 500
    root = build(tmp_path, KERNEL | of(7, name, UUID, "unconfined\n"))
    result = run("mac_guests", root, **GONE)
    assert result.status is FAIL
    text = "".join((result.reason, *result.evidence))
    assert text.isprintable()
    assert len(result.reason) < 100


@pytest.mark.parametrize(
    ("state", "status"),
    [("require-confined", PASS), ("driver-none", FAIL)],
)
def test_without_guests_the_next_one_counts(tmp_path, state, status):
    root = mac_trees.apparmor(state, tmp_path)
    mac_trees.drop(root, "dom-a")
    # An incomplete process table proves no absence.
    assert run("mac_guests", root).status is UNKNOWN
    mac_trees.whole(root)
    result = run("mac_guests", root)
    assert result.status is status
    assert result.reason.startswith("no guest is running; ")


def test_without_guests_and_libvirt(tmp_path):
    root = build(tmp_path, KERNEL)
    gone = libvirt.NoLibvirt("it is not there")
    result = run("mac_guests", root, libvirt=gone)
    assert result.status is UNKNOWN
    assert result.reason == (
        "no guest process is visible, and libvirt cannot be asked: it is "
        "not there"
    )
    assert result.evidence == (
        "libvirt: it is not there",
        "not compared with libvirt: libvirt: it is not there",
    )
    assert "libvirt_uri" in result.remediation


def test_with_guests_and_no_libvirt(tmp_path):
    result = run("mac_guests", build(tmp_path, GOOD), **GONE)
    assert result.status is PASS
    assert result.evidence[:2] == (
        "libvirt: no libvirt is configured",
        "not compared with libvirt: libvirt: no libvirt is configured",
    )


def test_an_answer_that_is_no_xml_is_another_thing(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    (root / "CMD/virsh-capabilities").write_text("<")
    result = run("mac_confinement", root)
    assert result.status is UNKNOWN
    assert result.reason.startswith("cannot be read: libvirt's answer: ")


def test_this_machine_has_a_whole_process_table():
    """The live /proc, with whatever runs here."""
    result = CHECKS["mac_guests"].run(Host(**GONE))
    assert "check failed" not in result.reason


A = "system_u:object_r:svirt_image_t:s0:c835,c966"
B = "system_u:object_r:svirt_image_t:s0:c246,c295"


@pytest.mark.parametrize(
    ("image", "label", "status"),
    [
        ("a.qcow2", A, PASS),
        ("a.qcow2", A.replace("c835,c966", "c966,c835"), PASS),
        ("a.qcow2", "system_u:object_r:virt_image_t:s0", PASS),
        ("a.qcow2", B, FAIL),
        ("a.qcow2", "system_u:object_r:svirt_image_t:s0", FAIL),
        ("a.qcow2", "system_u:object_r:virt_content_t:s0", FAIL),
        ("a.qcow2", "system_u:object_r:nfs_t:s0", FAIL),
        ("a.qcow2", "system_u:object_r:unlabeled_t:s0", FAIL),
        ("a.qcow2", "nonsense", UNKNOWN),
        ("a.qcow2", None, UNKNOWN),
        ("ro.raw", "system_u:object_r:virt_content_t:s0", PASS),
        ("ro.raw", "system_u:object_r:svirt_image_t:s0", FAIL),
        ("ro.raw", B, PASS),
        ("shared.raw", "system_u:object_r:svirt_image_t:s0", PASS),
        ("shared.raw", A, FAIL),
    ],
)
def test_label_of_an_image(tmp_path, image, label, status):
    root = mac_trees.selinux(tmp_path)
    file = root / "CMD/getfattr-selinux"
    text = f"# file: /var/lib/libvirt/images/{image}\n"
    text += f'security.selinux="{label}"\n' if label else ""
    old = file.read_text().split("\n\n")
    kept = [each for each in old if f"/{image}\n" not in each]
    file.write_text("\n\n".join([text, *kept]))
    result = run("mac_images", root)
    assert result.status is status
    if status is FAIL:
        assert image in result.reason
        assert image in result.evidence[0]


WRITE = "{} {} file write -> {}\n"


@pytest.mark.parametrize(("word", "status"), [("yes", FAIL), ("no", PASS)])
def test_the_kernel_says_whether_another_guest_may_write(
    tmp_path, word, status
):
    root = mac_trees.selinux(tmp_path)
    mac_trees.drop(root, *ALL_BUT_GOOD)
    file = root / "CMD/selinux-access"
    # dom-b, of dom-a's image.
    process = "system_u:system_r:svirt_t:s0:c246,c295"
    text = file.read_text() + "\n" + WRITE.format(process, A, word)
    file.write_text(text)
    result = run("mac_images", root)
    assert result.status is status
    assert ("another guest may write" in result.reason) == (status is FAIL)


def test_guests_without_an_image_here(tmp_path):
    root = mac_trees.selinux(tmp_path)
    mac_trees.drop(root, *ALL_BUT_GOOD)
    for file in (root / "CMD").glob("virsh-dumpxml-*"):
        text = re.sub("(?s)<disk .*?</disk>", "", file.read_text())
        text = re.sub("(?s)<nvram.*?</nvram>", "", text)
        file.write_text(text)
    assert run("mac_images", root).status is NOT_APPLICABLE


def test_an_image_whose_guest_is_not_seen_is_unknown(tmp_path):
    root = mac_trees.selinux(tmp_path)
    mac_trees.process(root, "dom-a").rename(tmp_path / "hidden")
    assert run("mac_images", root).status is UNKNOWN


def test_no_guest_has_no_image(tmp_path):
    root = mac_trees.selinux(tmp_path)
    mac_trees.drop(root, "dom-a", "dom-b", *ALL_BUT_GOOD)
    assert run("mac_images", root).status is PASS
    (root / "sys/fs/selinux/enforce").write_text("0")
    assert run("mac_images", root).status is FAIL


def test_labels_are_attributes_of_files(tmp_path):
    """On a live host: the kernel's own answer, through the root's links."""
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("/real")
    label = f"{A}\0".encode()
    os.setxattr(tmp_path / "real", "user.selinux", label)
    root = HostRoot(str(tmp_path))
    assert root.attribute("/link", "user.selinux") == A
    with pytest.raises(Exception, match="/link: No data available"):
        root.attribute("/link", "user.nothing")


def test_the_kernel_is_asked_in_its_own_files_only(tmp_path):
    (tmp_path / "access").write_text("precious")
    with pytest.raises(Exception, match="not a file of selinuxfs"):
        HostRoot(str(tmp_path)).ask("/access", "a question")
    assert (tmp_path / "access").read_text() == "precious"


def test_booleans_of_a_captured_policy(tmp_path):
    root = mac_trees.selinux(tmp_path)
    result = run("selinux_booleans", root)
    assert result.status is PASS
    folder = "/sys/fs/selinux/booleans"
    assert f"{folder}: no virt_use_sanlock" in result.evidence
    assert any("virt_use_comm: 0 0" in each for each in result.evidence)


NFS = "sys/fs/selinux/booleans/virt_use_nfs"


@pytest.mark.parametrize(
    ("text", "wanted", "status"),
    [
        ("1 1", {}, FAIL),
        ("1 0", {}, FAIL),
        ("0 1", {}, PASS),
        ("1 1", {"virt_use_nfs"}, PASS),
        ("0 0", {"virt_use_nfs"}, PASS),
        ("1 1", {"virt_use_usb", "virt_use_nsf"}, FAIL),
        ("2 2", {}, UNKNOWN),
        ("", {}, UNKNOWN),
    ],
)
def test_booleans(tmp_path, text, wanted, status):
    root = mac_trees.selinux(tmp_path)
    (root / NFS).write_text(text)
    expected = Expected(booleans=frozenset(wanted))
    result = run("selinux_booleans", root, expected=expected)
    assert result.status is status
    if status is FAIL:
        assert (
            result.reason
            == "on, but not listed in selinux_booleans: virt_use_nfs"
        )
    if text in ("0 1", "1 0"):
        assert any("pending: o" in each for each in result.evidence)
    if "virt_use_nsf" in wanted:
        assert any(
            "booleans: virt_use_nsf" in each for each in result.evidence
        )


def test_booleans_as_they_were_changed(tmp_path):
    """The captured host after setsebool of two booleans."""
    root = mac_trees.selinux(tmp_path)
    taken = tmp_path / "selinux-domains-permissive/se2/booleans-raw.txt"
    for line in taken.read_text().splitlines():
        name, _, state = line.partition(" ")
        (root / "sys/fs/selinux/booleans" / name).write_text(state)
    result = run("selinux_booleans", root)
    assert result.status is FAIL
    assert (
        result.reason
        == "on, but not listed in selinux_booleans: virt_use_nfs, virt_use_usb"
    )
    expected = Expected(booleans=frozenset({"virt_use_nfs", "virt_use_usb"}))
    result = run("selinux_booleans", root, expected=expected)
    assert result.status is PASS


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({}, UNKNOWN),
        ({"/sys/fs/selinux/booleans": None}, UNKNOWN),
        ({"/sys/fs/selinux/booleans/httpd_enable_cgi": "1 1"}, UNKNOWN),
        ({"/sys/fs/selinux/booleans/virt_use_common": "1 1"}, FAIL),
        ({"/sys/kernel/security/lsm": "capability,apparmor"}, NOT_APPLICABLE),
        ({"/sys/kernel/security/lsm": "capability,selinux"}, UNKNOWN),
        # A container that has no selinuxfs of the host.
        (
            {
                "/proc/filesystems": "nodev\tselinuxfs\n",
                "/sys/module/apparmor/parameters/enabled": "N",
            },
            UNKNOWN,
        ),
    ],
)
def test_booleans_of_half_a_tree(tmp_path, content, status):
    root = build(tmp_path / "tree", content)
    assert run("selinux_booleans", root).status is status


@pytest.mark.parametrize(
    ("tree", "tpm"), [("none", FAIL), ("apparmor-host", UNKNOWN)]
)
def test_captured_hosts(tmp_path, tree, tpm):
    root = capture(tree, tmp_path)
    assert run("mac_confinement", root).status is PASS
    assert run("mac_guests", root).status is UNKNOWN
    assert run("tpm_measured_boot", root).status is tpm
