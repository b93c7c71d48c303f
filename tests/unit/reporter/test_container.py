# SPDX-License-Identifier: Apache-2.0
"""A reporter in a container sees the host below another root, or says so."""

import json
import re
import shutil
from unittest import mock

import pytest

from nova_vhard.cmd import reporter as command
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon import identity
from nova_vhard.host.root import Unreadable
from nova_vhard.placement.client import ProviderNotFound
from nova_vhard.reporter import hosts
from tests.trees import build, capture
from tests.unit import docs

UUID = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"
PAGE = docs.SOURCE / "admin" / "deployers.rst"


@pytest.fixture
def host(tmp_path):
    """Return the place at which a captured host is mounted."""
    taken = capture("vtd-on", tmp_path / "captures")
    mounted = tmp_path / "container" / "host"
    # What only a capture has is not there.
    shutil.copytree(taken, mounted, symlinks=True)
    shutil.rmtree(mounted / "CMD", ignore_errors=True)
    (mounted / "ERRORS.json").unlink(missing_ok=True)
    build(mounted, {"/var/lib/nova/compute_id": f"{UUID}\n"})
    return mounted


@pytest.fixture
def conf(conf, host):
    conf.set_override("root", str(host), "vhard_reporter")
    return conf


def statuses(capsys, *words):
    command.main([*words, "--format", "json"])
    result = json.loads(capsys.readouterr().out)["results"]
    return {each["check"]: each["status"] for each in result}


def test_the_answers_are_the_hosts(host, tmp_path, capsys):
    """By the argument, and by the option."""
    result = statuses(capsys, "check", "--root", str(host))
    expected = {
        "iommu": "PASS",
        "interrupt_remapping": "PASS",
        "iommu_strict": "FAIL",
        "kernel_aslr": "PASS",
    }
    assert result.items() >= expected.items()
    config = tmp_path / "reporter.conf"
    config.write_text(
        f"[vhard_reporter]\nroot = {host}\nstate_path = {tmp_path}\n"
        "publishers = json\n"
    )
    words = ["--config-file", str(config)]
    assert statuses(capsys, *words, "check") == result
    assert command.main([*words, "run", "--once"]) == 0
    reported = json.loads((tmp_path / "report.json").read_text())["results"]
    assert len(reported) == len(result)


@pytest.mark.parametrize(
    ("mount", "lost"),
    [
        ("sys", {"iommu", "interrupt_remapping", "iommu_strict"}),
        ("proc", {"interrupt_remapping", "kernel_aslr"}),
    ],
)
def test_what_is_not_mounted_is_unknown(host, capsys, mount, lost):
    shutil.rmtree(host / mount)
    result = statuses(capsys, "check", "--root", str(host))
    assert {result[name] for name in lost} == {"UNKNOWN"}


def test_nothing_mounted_proves_nothing(host, capsys):
    shutil.rmtree(host)
    host.mkdir()
    result = statuses(capsys, "check", "--root", str(host))
    assert not {"PASS", "FAIL"} & {*result.values()}


def test_links_of_the_host_stay_below_the_root(host, capsys):
    path = host / "proc/sys/kernel/randomize_va_space"
    path.unlink()
    path.symlink_to("/srv/settings/aslr")
    # The container has no such file, the host has.
    build(host, {"/srv/settings/aslr": "0\n"})
    result = statuses(capsys, "check", "--root", str(host))
    assert result["kernel_aslr"] == "FAIL"


def test_the_compute_node_is_the_one_below_the_root(conf, host, monkeypatch):
    """Without its id nothing is reported for the container's name."""
    path = conf.vhard_reporter.compute_id_file
    assert path == "/var/lib/nova/compute_id"
    assert identity.compute_id(hosts.of_conf(conf).root, path) == UUID
    (host / path[1:]).unlink()
    monkeypatch.setattr("socket.getfqdn", lambda: "3f1c0b7a55ee")
    monkeypatch.setattr("socket.gethostname", lambda: "3f1c0b7a55ee")
    placement = mock.Mock()
    placement.provider.side_effect = ProviderNotFound("no")
    with pytest.raises(ProviderNotFound, match="name=3f1c0b7a55ee"):
        identity.find(placement, conf.vhard_reporter)


def test_the_containers_own_libvirt_is_not_asked(conf, tmp_path):
    with pytest.raises(Unreadable, match="no libvirt_uri is configured"):
        hosts.of_conf(conf).libvirt.capabilities()
    # A socket that is not mounted gives no answer.
    uri = f"qemu+unix:///system?socket={tmp_path}/nobody"
    conf.set_override("libvirt_uri", uri, "vhard_reporter")
    with pytest.raises(Unreadable):
        hosts.of_conf(conf).libvirt.capabilities()


def test_the_page_mounts_what_the_options_name():
    text = docs.words(PAGE)
    options = {each.dest: each.default for each in reporter_conf.OPTS}
    for name in ("compute_id_file", "run_dir"):
        assert f"{options[name]}:/host{options[name]}:ro" in text
    assert f":{options['state_path']}" in text
    samples = "".join(docs.blocks(PAGE, "ini"))
    assert {*re.findall(r"^(\w+) = ", samples, re.M)} <= options.keys()
