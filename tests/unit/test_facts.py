# SPDX-License-Identifier: Apache-2.0
"""``nova-vhard-reporter facts``: a few keys of nova.conf, and no other."""

import json
import os
import stat

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
        captured = capsys.readouterr()
        assert "SECRET" not in captured.out + captured.err
        assert not captured.out
        folder = (root / FACTS.lstrip("/")).parent
        left = list(folder.iterdir()) if folder.is_dir() else []
        assert {each.name for each in left} <= LEFT
        assert not any("SECRET" in each.read_text() for each in left)
        return status, captured.err

    call.root = root
    return call


def read(command):
    return nova_facts.read(Host(HostRoot(str(command.root))))


def test_the_keys_that_are_needed_and_no_other(command):
    assert command({NOVA: FULL}) == (0, "")
    result = read(command)
    assert result.device_spec == SPECS
    assert result.virt_type == "qemu"
    assert result.force_config_drive
    assert result.hw_machine_type == ("x86_64=q35", "aarch64=virt")
    # What is not set is as Nova has it.
    assert result.use_virtio_for_bridges
    assert result.rescue_image_id is None
    assert not result.report_in_placement
    assert result.time.endswith("+00:00")
    assert result.files == (str(command.root) + NOVA,)
    status = os.stat(result.files[0])
    assert result.changed == status.st_ctime_ns / 1e9
    content = json.loads((command.root / FACTS.lstrip("/")).read_text())
    del content["version"], content["time"], content["files"]
    del content["changed"]
    names = {
        group: {each.dest for each in options}
        for group, options in nova.OPTS.items()
    }
    assert {group: set(result) for group, result in content.items()} == names


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("qemu+tls://%s/system", "tls"),
        ("qemu+tls://%s/system?no_verify=1", ""),
        ("QEMU+TCP://%s/system", ""),
        ("qemu+libssh2://SECRET@%s/system", ""),
        ("SECRET", ""),
        ("tls", ""),
    ],
)
def test_a_uri_that_is_not_understood_wins_over_the_scheme_too(
    command, uri, transport
):
    text = f"live_migration_scheme = tls\nlive_migration_uri = {uri}\n"
    assert command({NOVA: f"[libvirt]\n{text}"}) == (0, "")
    assert read(command).channels.transport == transport


@pytest.mark.parametrize(
    ("name", "text", "address"),
    [
        ("my_ip", "my_ip = 192.0.2.7\n", "192.0.2.7"),
        ("my_block_storage_ip", "my_ip = 192.0.2.7\n", "192.0.2.7"),
        ("my_ip", "", netutils.get_my_ipv4()),
    ],
)
def test_an_address_by_its_name(command, name, text, address):
    """As Nova's installation guide has it."""
    listen = f"enabled = true\nserver_listen = ${name}\n"
    conf = f"[DEFAULT]\n{text}[vnc]\n{listen}[spice]\n{listen}"
    assert command({NOVA: conf}) == (0, "")
    consoles = read(command).channels.consoles
    assert consoles == {"vnc": address, "spice": address}


def test_whoever_runs_the_reporter_may_read_them(command):
    before = os.umask(0o077)
    try:
        assert command({NOVA: FULL, **LIBVIRT})[0] == 0
    finally:
        os.umask(before)
    folder = (command.root / FACTS.lstrip("/")).parent
    modes = {each.name: each.stat().st_mode for each in folder.iterdir()}
    assert modes == dict.fromkeys(LEFT, stat.S_IFREG | 0o644)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "option",
    [
        "[pci]\npassthrough_whitelist",
        "[pci]\ndevice_spec",
        "[DEFAULT]\npci_passthrough_whitelist",
    ],
)
def test_the_former_names(command, option):
    assert command({NOVA: f"{option} = {{}}\n"})[0] == 0
    assert read(command).device_spec == ("{}",)


def kind(value):
    return f"[libvirt]\nvirt_type = {value}\n"


COMPUTE = "/etc/nova/nova-compute.conf"
BOTH = {NOVA: kind("kvm"), COMPUTE: kind("qemu")}


@pytest.mark.parametrize(
    ("content", "virt_type"),
    [
        ({"/etc/nova.conf": kind("lxc")}, "lxc"),
        ({"/etc/nova.conf": kind("lxc"), NOVA: ""}, "kvm"),
        (BOTH, "qemu"),
        (BOTH | {"/etc/nova/nova.conf.d/a.conf": kind("lxc")}, "lxc"),
        (BOTH | {"/etc/nova/nova-compute.conf.d/a.conf": kind("lxc")}, "lxc"),
        (BOTH | {"/etc/nova/nova.conf.d/a.txt": kind("lxc")}, "qemu"),
        (
            {
                "/etc/nova/nova.conf.d/b.conf": kind("lxc"),
                "/etc/nova/nova.conf.d/a.conf": kind("qemu"),
            },
            "lxc",
        ),
    ],
)
def test_what_nova_compute_finds_by_itself(command, content, virt_type):
    assert command(content) == (0, "")
    assert read(command).virt_type == virt_type


def test_what_nova_compute_was_told(command, tmp_path):
    first, two = tmp_path / "one.conf", tmp_path / "two.d"
    first.write_text(kind("qemu"))
    two.mkdir()
    (two / "x.conf").write_text(kind("lxc"))
    file, folder = f"--nova-config-file={first}", f"--nova-config-dir={two}"
    # A later one wins; the file takes the place of those it would find.
    for arguments, virt_type in (
        ([file], "qemu"),
        ([file, folder], "lxc"),
        ([folder, file], "qemu"),
        ([folder], "lxc"),
    ):
        assert command({}, *arguments) == (0, "")
        assert read(command).virt_type == virt_type
    build(command.root, {"/etc/nova/nova.conf.d/a.conf": kind("lxc")})
    assert command({}, file) == (0, "")
    assert read(command).virt_type == "qemu"


def test_not_the_environment_of_this_process(command, monkeypatch):
    monkeypatch.setenv("OS_LIBVIRT__VIRT_TYPE", "lxc")
    assert command({NOVA: FULL}) == (0, "")
    assert read(command).virt_type == "qemu"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        # no other option by its name
        (
            f"{FULL}server_listen = ${{database.connection}}\n",
            "[vnc] server_listen",
        ),
        # bytes that are not text
        (b"[libvirt]\nx = \xff\n", "not UTF-8"),
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
    if isinstance(content, bytes):
        (command.root / NOVA.lstrip("/")).write_bytes(content)
    status, error = command(
        {} if isinstance(content, bytes) else {NOVA: content}
    )
    assert status == 1
    assert error.startswith("nova-vhard-reporter: ")
    assert text in error
    assert error.count("\n") == 1
    with pytest.raises(Unreadable) as caught:
        read(command)
    assert text in str(caught.value)


def test_a_line_of_a_list_that_is_none_of_it(command):
    content = "[libvirt]\nhw_machine_type = x86_64=q35,\n  password = SECRET\n"
    assert command({NOVA: content}) == (0, "")
    assert read(command).hw_machine_type == ("x86_64=q35",)


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
    status, error = command({}, *arguments)
    assert status == 1
    assert text in error
    assert error.count("\n") == 1
    with pytest.raises(Unreadable):
        read(command)


def test_a_folder_that_cannot_be_written(command):
    build(command.root, {"/run/nova-vhard": ""})
    status, error = command({NOVA: FULL})
    assert status == 1
    assert "Not a directory" in error or "File exists" in error


@pytest.mark.parametrize("fault", [OSError(28, "No space left"), KeyError()])
def test_nothing_old_is_left_where_nothing_new_can_be(
    command, monkeypatch, fault
):
    assert command({NOVA: FULL}) == (0, "")
    real = os.replace

    def fails(*paths):
        raise fault

    monkeypatch.setattr(os, "replace", fails)
    status, error = command({NOVA: FULL})
    assert status in (1, 255)
    assert error.count("\n") == 1
    with pytest.raises(Unreadable) as caught:
        read(command)
    assert caught.value.missing
    assert not os.listdir(command.root / "run/nova-vhard")
    monkeypatch.setattr(os, "replace", real)
    assert command({NOVA: FULL}) == (0, "")


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_a_pipe_in_place_of_nova_conf_does_not_hang(command, tmp_path, kind):
    place = tmp_path / "conf.d" / "pipe.conf"
    place.parent.mkdir()
    os.mkfifo(place)
    where = place if kind == "file" else place.parent
    status, error = command({}, f"--nova-config-{kind}", str(where))
    assert status == 1
    assert f"{place}: neither a file nor a folder" in error
