# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard host fix`` by what hosts have in the real Placement."""

import datetime
import pathlib

import pytest
import yaml
from osc_lib import exceptions

from nova_vhard.catalogue import results, traits
from nova_vhard.host.libvirt import virconf
from nova_vhard.osc.host import fix

COMPUTE = "COMPUTE_NODE"


def failed(**statuses):
    """Return the traits of a host that has just reported."""
    now = datetime.datetime.now(datetime.UTC)
    return {COMPUTE, traits.of_hour(now), *results.encode(statuses)}


@pytest.fixture
def write(openstack, tmp_path):
    """Write the playbook; return its text, its plays and what is said."""

    def command(*hosts, path=tmp_path / "fix.yml"):
        said = openstack(fix.FixHosts, "--ansible", str(path), *hosts)
        text = path.read_text()
        return text, yaml.safe_load(text), said

    return command


def test_tasks_for_what_has_failed_and_nothing_else(cloud, write):
    cloud.host(
        "a", failed(kernel_aslr="FAIL", smt="UNKNOWN", nested_off="PASS")
    )
    cloud.host("b", failed(qemu_minimal="FAIL", memory_sharing="FAIL"))
    cloud.host("c", failed(kernel_aslr="PASS"))
    cloud.host("d", {COMPUTE, *results.encode({"kernel_aslr": "FAIL"})})

    text, (first, other), words = write()

    assert "Nothing in here runs unless you choose it" in text
    assert [first["hosts"], other["hosts"]] == ["a", "b"]
    assert {task["tags"][1] for task in first["tasks"]} == {"kernel_aslr"}
    by_check = {task["tags"][1]: task for task in other["tasks"]}
    assert by_check.keys() == {"qemu_minimal", "memory_sharing"}
    person = by_check["qemu_minimal"]
    assert person["name"] == "qemu_minimal (Check-Virt-16) - needs a person"
    assert "build-config" in person["ansible.builtin.debug"]["msg"]
    every = [*first["tasks"], *other["tasks"]]
    assert all(task["tags"][0] == "never" for task in every)
    assert f"{len(every)} tasks for 2 hosts" in words
    assert first["vars"] == other["vars"] == {}


def test_what_edits_libvirts_files_comes_along_and_can_be_read(cloud, write):
    cloud.host("a", failed(migration_encrypted="FAIL", kernel_aslr="FAIL"))
    text, (play,), _ = write()
    source = pathlib.Path(virconf.__file__).read_text()
    assert play["vars"] == {"vhard_virconf": source}
    assert "\n      def edit(" in text
    (task,) = (each for each in play["tasks"] if "stdin" in str(each))
    command = task["ansible.builtin.command"]
    assert command["stdin"] == "{{ vhard_virconf }}"
    assert command["argv"][-2:] == [
        "/etc/libvirt/qemu.conf",
        "migrate_tls_force=1",
    ]


def test_hosts_by_name(cloud, write):
    for name in ("a", "b"):
        cloud.host(name, failed(smt="FAIL"))
    assert [play["hosts"] for play in write("b", "b")[1]] == ["b"]
    with pytest.raises(exceptions.CommandError, match="no host gone"):
        write("a", "gone")


@pytest.mark.parametrize(
    "name", ["all", "a:b", "{{ x }}", "web*", "a,b", "-a"]
)
def test_a_name_that_ansible_would_misread(cloud, write, tmp_path, name):
    cloud.host(name, failed(smt="FAIL"))
    with pytest.raises(exceptions.CommandError, match="not a host name"):
        write()
    assert not (tmp_path / "fix.yml").exists()


def test_a_file_that_cannot_be_written(cloud, write, tmp_path):
    with pytest.raises(
        exceptions.CommandError, match=r"yml: cannot be written: No such"
    ):
        write(path=tmp_path / "gone" / "fix.yml")
