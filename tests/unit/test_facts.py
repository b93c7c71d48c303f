# SPDX-License-Identifier: Apache-2.0
"""``nova-vhard-reporter facts``: a few keys of nova.conf, and no other."""

import json
import operator
import os
import stat
from unittest import mock

import pytest
from oslo_utils import netutils

from nova_vhard.cmd import reporter
from nova_vhard.conf import nova
from nova_vhard.host.host import Host
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.root import HostRoot, Unreadable
from tests.trees import FACTS, build

NOVA = "/etc/nova/nova.conf"
FULL = """
[DEFAULT]
transport_url = rabbit://openstack:SECRET@controller
force_config_drive = yes
metadata_proxy_shared_secret = SECRET
[api_database]
connection = mysql+pymysql://nova:SECRET@controller/nova_api
[database]
connection = mysql+pymysql://nova:SECRET@controller/nova
[keystone_authtoken]
password = SECRET
[libvirt]
virt_type = qemu
live_migration_uri = qemu+ssh://SECRET@%s/system
hw_machine_type = x86_64=q35,aarch64=virt
[neutron]
metadata_proxy_shared_secret = SECRET
password = SECRET
[pci]
alias = {"name": "SECRET"}
device_spec = {"address": "*:0a:00.*",
               "physical_network": "physnet1"}
device_spec = [{"vendor_id": "8086"}, {"vendor_id": "10de"}]
[placement]
password = SECRET
[vnc]
vencrypt_client_key = SECRET
"""
LIBVIRT = {"/etc/libvirt/qemu.conf": 'vnc_password = "SECRET"\n'}
LEFT = {"nova.json", "qemu.json", "kernel.json", "binaries.json"}
SPECS = (
    '{"address": "*:0a:00.*",\n"physical_network": "physnet1"}',
    '[{"vendor_id": "8086"}, {"vendor_id": "10de"}]',
)


@pytest.fixture
def command(tmp_path, capsys):
    """Return a call of the command on a tree; its status and its error."""
    root = tmp_path / "root"

    def call(content, *arguments):
        build(root, {"/etc": None, "/CMD": None, **content})
        conf = tmp_path / "reporter.conf"
        conf.write_text(f"[vhard_reporter]\nroot = {root}\n")
        status = reporter.main(
            ["--config-file", str(conf), "facts", *arguments]
        )
        out, error = capsys.readouterr()
        folder = (root / FACTS.lstrip("/")).parent
        left = list(folder.iterdir()) if folder.is_dir() else []
        assert not any(
            "SECRET" in text
            for text in (error, *[each.read_text() for each in left])
        )
        assert out == "" and {each.name for each in left} <= LEFT
        return status, error

    call.root = root
    return call


def read(command):
    return nova_facts.read(Host(HostRoot(str(command.root))))


def test_the_keys_that_are_needed_and_no_other(command):
    assert command({NOVA: FULL}) == (0, "")
    result = read(command)
    expected = {
        "device_spec": SPECS,
        "virt_type": "qemu",
        "force_config_drive": True,
        "hw_machine_type": ("x86_64=q35", "aarch64=virt"),
        # Options that are not set have Nova's defaults.
        "use_virtio_for_bridges": True,
        "rescue_image_id": None,
        "report_in_placement": False,
        "files": (str(command.root) + NOVA,),
        "changed": os.stat(result.files[0]).st_ctime_ns / 1e9,
    }
    assert {name: getattr(result, name) for name in expected} == expected
    assert result.time.endswith("+00:00")
    content = json.loads((command.root / FACTS.lstrip("/")).read_text())
    assert {
        group: content[group].keys()
        for group in content.keys()
        - {"version", "time", "files", "changed", "user"}
    } == {
        group: {each.dest for each in options}
        for group, options in nova.OPTS.items()
    }


def test_whoever_runs_the_reporter_may_read_them(command):
    before = os.umask(0o077)
    try:
        assert command({NOVA: FULL, **LIBVIRT})[0] == 0
    finally:
        os.umask(before)
    folder = (command.root / FACTS.lstrip("/")).parent
    assert {
        each.name: each.stat().st_mode for each in folder.iterdir()
    } == dict.fromkeys(LEFT, stat.S_IFREG | 0o644)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def kind(value):
    return f"[libvirt]\nvirt_type = {value}\n"


BOTH = {NOVA: kind("kvm"), "/etc/nova/nova-compute.conf": kind("qemu")}


URI = """\
[libvirt]
live_migration_scheme = tls
live_migration_uri = {}
""".format
LISTEN = """\
[DEFAULT]
{1}
[vnc]
enabled = true
server_listen = ${0}
[spice]
enabled = true
server_listen = ${0}
""".format
MY_IP = "my_ip = 192.0.2.7"


@pytest.mark.parametrize(
    ("content", "name", "value"),
    [
        # the default files of nova-compute
        *(
            (content, "virt_type", virt_type)
            for content, virt_type in (
                ({"/etc/nova.conf": kind("lxc")}, "lxc"),
                ({"/etc/nova.conf": kind("lxc"), NOVA: ""}, "kvm"),
                (BOTH, "qemu"),
                (BOTH | {"/etc/nova/nova.conf.d/a.conf": kind("lxc")}, "lxc"),
                (
                    BOTH
                    | {"/etc/nova/nova-compute.conf.d/a.conf": kind("lxc")},
                    "lxc",
                ),
                (BOTH | {"/etc/nova/nova.conf.d/a.txt": kind("lxc")}, "qemu"),
                (
                    {
                        "/etc/nova/nova.conf.d/b.conf": kind("lxc"),
                        "/etc/nova/nova.conf.d/a.conf": kind("qemu"),
                    },
                    "lxc",
                ),
            )
        ),
        # a URI overrides the scheme, even if it is not understood
        *(
            ({NOVA: URI(uri)}, "channels.transport", transport)
            for uri, transport in (
                ("qemu+tls://%s/system", "tls"),
                ("qemu://%s/system", "tls"),
                ("xen://%s/system", ""),
                ("qemu+tls://%s/system?no_verify=1", ""),
                ("QEMU+TCP://%s/system", ""),
                ("qemu+libssh2://SECRET@%s/system", ""),
                ("SECRET", ""),
                ("tls", ""),
            )
        ),
        # a reference to an address, as in Nova's installation guide
        *(
            (
                {NOVA: LISTEN(option, text)},
                "channels.consoles",
                {"vnc": address, "spice": address},
            )
            for option, text, address in (
                ("my_ip", MY_IP, "192.0.2.7"),
                ("my_block_storage_ip", MY_IP, "192.0.2.7"),
                ("my_ip", "", netutils.get_my_ipv4()),
            )
        ),
        # not the environment of this process
        ({NOVA: FULL}, "virt_type", "qemu"),
        # a continuation line that is not part of the list
        (
            {
                NOVA: "[libvirt]\nhw_machine_type = x86_64=q35,\n"
                "  password = SECRET\n"
            },
            "hw_machine_type",
            ("x86_64=q35",),
        ),
        # deprecated names
        *(
            ({NOVA: f"{option} = {{}}\n"}, "device_spec", ("{}",))
            for option in (
                "[pci]\npassthrough_whitelist",
                "[pci]\ndevice_spec",
                "[DEFAULT]\npci_passthrough_whitelist",
            )
        ),
    ],
)
def test_what_is_read(command, monkeypatch, content, name, value):
    monkeypatch.setenv("OS_LIBVIRT__VIRT_TYPE", "lxc")
    assert command(content)[0] == 0
    assert operator.attrgetter(name)(read(command)) == value


@pytest.mark.parametrize(
    ("content", "options", "virt_type"),
    [
        # The last option wins, and a given file replaces the default files.
        ({}, ["file"], "qemu"),
        ({}, ["file", "dir"], "lxc"),
        ({}, ["dir", "file"], "qemu"),
        ({}, ["dir"], "lxc"),
        ({"/etc/nova/nova.conf.d/a.conf": kind("lxc")}, ["file"], "qemu"),
    ],
)
def test_what_nova_compute_was_told(
    command, tmp_path, content, options, virt_type
):
    places = {"file": tmp_path / "one.conf", "dir": tmp_path / "two.d"}
    build(tmp_path, {"one.conf": kind("qemu"), "two.d/x.conf": kind("lxc")})
    assert command(
        {NOVA: kind("kvm"), **content},
        *[f"--nova-config-{each}={places[each]}" for each in options],
    ) == (0, "")
    assert read(command).virt_type == virt_type
    # A default file is read only if none is named.
    assert (f"{command.root}{NOVA}" in read(command).files) == (
        "file" not in options
    )


def test_whose_program_nova_compute_is(command):
    """Root may have written this file before nova-compute started."""
    command({NOVA: FULL, "/var/lib/nova/compute_id": "x"})
    assert read(command).user == (os.getuid() or None)


def refused(command, content, arguments, text):
    """Check that a call fails with one line of output, and stores no facts."""
    status, error = command(content, *arguments)
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith("nova-vhard-reporter: ") and text in error
    with pytest.raises(Unreadable) as caught:
        read(command)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        # no other option by its name
        (
            f"{FULL}server_listen = ${{database.connection}}\n",
            "[vnc] server_listen",
        ),
        # bytes that are not text
        ("[libvirt]\nx = \xff\n", "not UTF-8"),
        ("[libvirt\npassword SECRET\n", "nova.conf: line 1: Invalid section"),
        ("[libvirt]\nSECRET\n", "line 2: No ':' or '='"),
        ("[libvirt]\n= SECRET\n", "line 2: Key cannot be empty"),
        ("  SECRET\n", "line 1: Unexpected continuation"),
        (kind("SECRET"), "[libvirt] virt_type has no valid value"),
        (
            "[DEFAULT]\nforce_config_drive = SECRET\n",
            "[DEFAULT] force_config_drive has no valid value",
        ),
        # An indented line belongs to the value above it.
        (
            "[libvirt]\nrescue_image_id = 5\n  password = SECRET\n",
            "[libvirt] rescue_image_id has more than one line",
        ),
        (
            "[pci]\ndevice_spec = {}\n  password = SECRET\n",
            "[pci] device_spec: an entry is no JSON",
        ),
        ("[pci]\ndevice_spec =\n", "an entry is no JSON"),
        (
            "[libvirt]\nrescue_image_id = ${database.connection}\n"
            "[database]\nconnection = SECRET\n",
            "[libvirt] rescue_image_id has no valid value",
        ),
    ],
)
def test_what_cannot_be_read_voids_what_was_there(command, content, text):
    assert command({NOVA: FULL}) == (0, "")
    (command.root / NOVA.lstrip("/")).write_bytes(content.encode("latin-1"))
    assert text in refused(command, {}, [], text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "no nova.conf in /etc/nova or /etc; name what nova-compute"),
        (
            ["--nova-config-file=/lost.conf"],
            "--nova-config-file /lost.conf: cannot be read: No such file or "
            "directory: name a file of nova-compute's",
        ),
        (
            ["--nova-config-file", "/proc"],
            "--nova-config-file /proc: cannot be read: it is a directory: ",
        ),
        (
            ["--nova-config-dir=/lost.d"],
            "--nova-config-dir /lost.d: cannot be read: No such file or "
            "directory: name a folder of nova-compute's",
        ),
        (
            ["--nova-config-dir=/proc/version"],
            "--nova-config-dir /proc/version: cannot be read: Not a ",
        ),
    ],
)
def test_what_is_not_there(command, arguments, text):
    refused(command, {}, arguments, text)


@pytest.mark.parametrize("fault", [OSError(28, "No space left"), KeyError()])
def test_nothing_old_is_left_where_nothing_new_can_be(
    command, monkeypatch, fault
):
    assert command({NOVA: FULL}) == (0, "")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", mock.Mock(side_effect=fault))
        status, error = command({NOVA: FULL})
    assert status in (1, 255) and error.count("\n") == 1
    with pytest.raises(Unreadable) as caught:
        read(command)
    assert caught.value.missing
    assert not os.listdir(command.root / "run/nova-vhard")
    assert command({NOVA: FULL}) == (0, "")


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_a_pipe_in_place_of_nova_conf_does_not_hang(command, tmp_path, kind):
    place = tmp_path / "conf.d" / "pipe.conf"
    place.parent.mkdir()
    os.mkfifo(place)
    refused(
        command,
        {},
        (
            f"--nova-config-{kind}",
            str(place if kind == "file" else place.parent),
        ),
        f"{place}: neither a file nor a folder",
    )
