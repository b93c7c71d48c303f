# SPDX-License-Identifier: Apache-2.0
"""Confinement, beside the cases in cases/mac.yaml: files and the pre-step."""

import json
import os

import pytest

from nova_vhard.host import report
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.running import Target
from nova_vhard.host.mac import apparmor
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.reporter import facts
from tests.trees import build
from tests.unit.host import mac_trees

TEMPLATE = "profile LIBVIRT_TEMPLATE flags=(complain) {\n}\n"
LABEL = "system_u:object_r:svirt_image_t:s0:c835,c966"


@pytest.mark.parametrize(
    ("left", "loose"),
    [
        ({"apparmor_template": ["attach_disconnected"]}, False),
        ({"apparmor_template": ["complain"]}, True),
        ({}, None),
        (None, None),
    ],
)
def test_the_template_in_a_container_comes_from_the_pre_step(
    tmp_path, left, loose
):
    content = (
        {"/run/nova-vhard/qemu.json": json.dumps(left)}
        if left is not None
        else {}
    )
    host = Host(HostRoot(build(tmp_path, content)))
    target = Target(host.root, apparmor.TEMPLATE, "", place=("0:9", "/x"))
    if loose is None:
        with pytest.raises(Unreadable):
            apparmor.template(host, target)
    else:
        flags = set(apparmor.template(host, target))
        assert bool(flags & apparmor.LOOSE) is loose


def test_the_pre_step_leaves_what_an_ordinary_user_needs(tmp_path):
    root = mac_trees.apparmor("require-confined", tmp_path)
    host, conf = HostRoot(str(root)), root / "etc/libvirt/qemu.conf"
    text = conf.read_text()
    conf.write_text(f'{text}\nvnc_password = "SECRET"\n')
    build(root, {apparmor.TEMPLATE: TEMPLATE})
    assert json.loads(facts.qemu(host)) == {
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
        "changed": int(conf.stat().st_mtime),
    }
    conf.write_text("security_driver\n")
    with pytest.raises(Unreadable, match="line 1 is not a setting"):
        facts.qemu(host)
    conf.unlink()
    (root / "etc/libvirt/qemu").mkdir()
    assert json.loads(facts.qemu(host))["security_default_confined"] is True


def test_this_machine_has_a_whole_process_table():
    """The live /proc, with whatever runs here."""
    (check,) = [each for each in report.load() if each.name == "mac_guests"]
    assert "check failed" not in check.run(Host()).reason


def test_labels_are_attributes_of_files(tmp_path):
    """On a live host: the kernel's own answer, through the root's links."""
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("/real")
    os.setxattr(tmp_path / "real", "user.selinux", f"{LABEL}\0".encode())
    root = HostRoot(str(tmp_path))
    assert root.attribute("/link", "user.selinux") == LABEL
    with pytest.raises(Unreadable, match="/link: No data available"):
        root.attribute("/link", "user.nothing")


def test_the_kernel_is_asked_in_its_own_files_only(tmp_path):
    (tmp_path / "access").write_text("precious")
    with pytest.raises(Unreadable, match="not a file of selinuxfs"):
        HostRoot(str(tmp_path)).ask("/access", "a question")
    assert (tmp_path / "access").read_text() == "precious"
