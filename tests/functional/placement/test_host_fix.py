# SPDX-License-Identifier: Apache-2.0
"""Edits of libvirt's files by a playbook; sessions/fix.txt has others."""

import pathlib

import yaml

from nova_vhard.catalogue import traits
from nova_vhard.host.libvirt import virconf
from tests.functional.placement.reports import NOW


def test_what_edits_libvirts_files_comes_along_and_can_be_read(world):
    hour = traits.of_hour(NOW)
    world.host("a", "COMPUTE_NODE", hour, "migration_encrypted=FAIL")
    world.run("$ vhard host fix --ansible FOLDER/fix.yml")
    text = (world.folder / "fix.yml").read_text()
    (play,) = yaml.safe_load(text)
    source = pathlib.Path(virconf.__file__).read_text()
    assert play["vars"] == {"vhard_virconf": source}
    assert "\n      def edit(" in text
    assert "Nothing in here runs unless you choose it" in text
    (task,) = (each for each in play["tasks"] if "stdin" in str(each))
    command = task["ansible.builtin.command"]
    assert command["stdin"] == "{{ vhard_virconf }}"
    assert command["argv"][-2:] == [
        "/etc/libvirt/qemu.conf",
        "migrate_tls_force=1",
    ]
