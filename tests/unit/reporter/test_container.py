# SPDX-License-Identifier: Apache-2.0
"""Hosts of a reporter: expected settings, and a host below another root."""

import json
import re
from unittest import mock

import pytest

from nova_vhard.cmd import reporter as command
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.daemon import identity
from nova_vhard.host.root import Unreadable
from nova_vhard.placement.client import ProviderNotFound
from nova_vhard.reporter import hosts
from tests.trees import build
from tests.unit import docs
from tests.unit.helpers import policy

UUID = "1c7f6f4a-5f0e-4b52-8a3c-0e9d2f6b7a81"
PAGE = docs.SOURCE / "admin" / "deployers.rst"


@pytest.mark.parametrize(
    ("kinds", "pointer_model", "cpu_mode"),
    [
        (["disk_bus"], None, None),
        (["pointer_model"], "ps2mouse", None),
        (["usb_model", "disk_bus"], "ps2mouse", None),
        (["input_bus"], "ps2mouse", None),
        (["pmu"], None, "host-passthrough"),
    ],
)
def test_settings_without_a_rule_are_not_expected(
    conf, kinds, pointer_model, cpu_mode
):
    rules = policy(
        guest_devices={kind: {"allow": []} for kind in kinds},
        assume={"pointer_model": "ps2mouse", "cpu_mode": "host-passthrough"},
    )
    expected = hosts.of_conf(conf, policy=rules).expected
    found = expected.pointer_model, expected.cpu_mode
    assert found == (pointer_model, cpu_mode)


def test_accepted_vulnerabilities_have_reasons(conf):
    accepted = ["mds: one customer", "tsa: a: b"]
    conf.set_override("accepted_vulnerabilities", accepted, "vhard_reporter")
    expected = hosts.of_conf(conf).expected
    assert expected.vulnerabilities == {"mds": "one customer", "tsa": "a: b"}


@pytest.fixture
def host(tmp_path):
    """Return the place at which a host is mounted."""
    path = tmp_path / "container" / "host"
    build(path, {"/var/lib/nova/compute_id": f"{UUID}\n"})
    return path


@pytest.fixture
def contained(conf, host):
    """Return the options of a reporter in a container."""
    conf.set_override("root", str(host), "vhard_reporter")
    return conf


def test_the_answers_are_the_hosts(host, tmp_path, capsys):
    """The argument and the option set the root."""
    build(host, {"/proc/sys/kernel/randomize_va_space": "2\n"})
    content = (
        f"[vhard_reporter]\nroot = {host}\nstate_path = {tmp_path}\n"
        "publishers = json\n"
    )
    build(tmp_path, {"/reporter.conf": content})
    configured = ["--config-file", f"{tmp_path}/reporter.conf"]
    by_root = ["check", "--root", str(host)]
    results = []
    for words in (by_root, [*configured, "check"]):
        command.main([*words, "--format", "json"])
        results.append(json.loads(capsys.readouterr().out)["results"])
    assert command.main([*configured, "run", "--once"]) == 0
    results.append(
        json.loads((tmp_path / "report.json").read_text())["results"]
    )
    for result in results:
        passed = [x["check"] for x in result if x["status"] == "PASS"]
        assert passed == ["kernel_aslr"]


def test_the_compute_node_is_the_one_below_the_root(
    contained, host, monkeypatch
):
    """Without its id nothing is reported for the container's name."""
    path = contained.vhard_reporter.compute_id_file
    assert path == "/var/lib/nova/compute_id"
    assert identity.compute_id(hosts.of_conf(contained).root, path) == UUID
    (host / path[1:]).unlink()
    monkeypatch.setattr("socket.getfqdn", lambda: "3f1c0b7a55ee")
    monkeypatch.setattr("socket.gethostname", lambda: "3f1c0b7a55ee")
    placement = mock.Mock()
    placement.provider.side_effect = ProviderNotFound("no")
    with pytest.raises(ProviderNotFound, match="name=3f1c0b7a55ee"):
        identity.find(placement, contained.vhard_reporter)


def test_the_containers_own_libvirt_is_not_asked(contained, tmp_path):
    with pytest.raises(Unreadable, match="no libvirt_uri is configured"):
        hosts.of_conf(contained).libvirt.capabilities()
    # A socket that is not mounted gives no answer.
    uri = f"qemu+unix:///system?socket={tmp_path}/nobody"
    contained.set_override("libvirt_uri", uri, "vhard_reporter")
    with pytest.raises(Unreadable):
        hosts.of_conf(contained).libvirt.capabilities()


def test_the_page_mounts_what_the_options_name():
    text = docs.words(PAGE)
    options = {each.dest: each.default for each in reporter_conf.OPTS}
    for name in ("compute_id_file", "run_dir"):
        assert f"{options[name]}:/host{options[name]}:ro" in text
    assert f":{options['state_path']}" in text
    samples = "".join(docs.blocks(PAGE, "ini"))
    assert {*re.findall(r"^(\w+) = ", samples, re.M)} <= options.keys()
