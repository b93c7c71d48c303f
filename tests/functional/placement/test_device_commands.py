# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-cleaner and openstack vhard device, on the real Placement."""

import getpass
import io
import json
import types

import pytest
from osc_lib import exceptions

from nova_vhard.catalogue import device_words
from nova_vhard.cleaner.journal import State
from nova_vhard.cmd import cleaner as program
from nova_vhard.osc.device import requests, show
from nova_vhard.osc.report import data
from tests.functional.placement.used import CLASS, NVME
from tests.unit.docs import SOURCE, extension


@pytest.fixture
def ours(used, tmp_path, monkeypatch, capsys):
    """Run our program; return its status, output and errors."""
    monkeypatch.setattr(program, "connect", lambda *_: used.cloud.placement)
    monkeypatch.setattr(
        "nova_vhard.cleaner.rules.installed_steps",
        lambda: used.steps,
    )
    monkeypatch.setenv("SUDO_USER", "ada")
    conf = tmp_path / "cleaner.conf"
    names = ("root", "state_path", "run_dir", "rules_file")
    options = used.conf.vhard_cleaner
    lines = [f"{each} = {getattr(options, each)}" for each in names]
    conf.write_text("\n".join(["[vhard_cleaner]", *lines]))

    def run(*arguments):
        capsys.readouterr()
        status = program.main(["--config-file", str(conf), *arguments])
        out, err = capsys.readouterr()
        texts = [
            each for each in err.splitlines() if each.startswith("nova-vhard-")
        ]
        return status, out, "\n".join(texts)

    return run


def rows(result):
    return [dict(zip(result[0], row, strict=True)) for row in result[1]]


def test_the_report_has_what_waits_and_why(used):
    assert not list(data.device_rows(used.cloud.placement))
    used.use()
    (row,) = data.device_rows(used.cloud.placement)
    why = "no cleaner has reported on it"
    assert row == (used.host, NVME, CLASS, why)


def test_a_device_from_guest_to_guest(used, openstack, ours):
    (row,) = rows(openstack(show.ListDevices))
    assert row == {
        "Host": used.host,
        "Address": NVME,
        "Resource class": CLASS,
        "Status": "available",
        "Why": "",
    }
    used.boot()
    (row,) = rows(openstack(show.ListDevices, "--host", used.host))
    assert row["Status"] == "in use"
    used.delete()
    (row,) = rows(openstack(show.ListDevices, "--reserved"))
    assert row["Why"] == "no cleaner has reported on it"
    used.spoil()
    failed = f"{NVME} is failed: compare: it is good\n"
    assert ours("once") == (0, failed, "")
    (row,) = rows(openstack(show.ListDevices))
    assert row["Status"] == "reserved"
    assert row["Why"].startswith("COMPARE: cleaning step compare failed")
    used.repair()
    text = openstack(requests.CleanDevice, used.host, NVME)
    assert "in its next round" in text
    (row,) = rows(openstack(show.ListDevices))
    assert row["Why"].endswith("; REQUESTED: requested")
    assert ours("once") == (0, f"{NVME} is released\n", "")
    assert not rows(openstack(show.ListDevices, "--reserved"))


def test_the_evidence(used, openstack, tmp_path):
    def shown(*words):
        result = openstack(show.ShowDevice, used.host, NVME, *words)
        return dict(zip(*result, strict=True))

    assert "on the host" in shown()["evidence"]
    with pytest.raises(exceptions.CommandError, match="no evidence") as error:
        shown("--evidence", str(tmp_path))
    assert "json: cannot be read: No such file" in str(error.value)
    used.happens("boot, round, delete, round")
    for place in (used.journal.folder, used.journal.path(NVME)):
        fields = shown("--evidence", place)
        assert fields["status"] == "available"
        assert fields["state"] == "released"
        assert fields["had_last"] == used.consumer
        assert fields["steps"] == (
            "repair: clean, repaired\ncompare: clean, it is good\n  good"
        )
        assert f"in use by {used.consumer}" in fields["history"]
    used.renew()
    with pytest.raises(exceptions.CommandError, match="another provider"):
        shown("--evidence", used.journal.folder)


@pytest.mark.parametrize(
    ("arguments", "stated"),
    [
        ((), "0 one-time-use devices"),
        (("--reserved",), "0 reserved one-time-use devices"),
        (("--host", "a\x1b"), "0 one-time-use devices of host a"),
    ],
)
def test_a_cloud_without_such_a_device(cloud, arguments, stated):
    vhard = types.SimpleNamespace(placement=cloud.placement)
    app = types.SimpleNamespace(
        client_manager=types.SimpleNamespace(vhard=vhard),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
    command = show.ListDevices(app, None)
    options = command.get_parser("x").parse_args([*arguments, "-f", "json"])
    assert command.run(options) == 0
    assert app.stdout.getvalue() == "[]\n"
    assert app.stderr.getvalue() == f"{stated}\n"


def test_the_words_are_on_the_page_and_in_the_code():
    page = (SOURCE / "admin/cleaning.rst").read_text(encoding="utf-8")
    assert ".. include:: ../_generated/device-words.inc\n" in page
    text = extension().device_words().replace("\\", "")
    for word, meaning in device_words.WORDS.items():
        assert f"``{word}``\n     - {meaning}\n" in text


def test_released_by_force_from_the_desk(used, openstack, caplog):
    used.enable("trust_placement_requests")
    force = (requests.ReleaseDevice, used.host, NVME)
    with pytest.raises(exceptions.CommandError, match="is not reserved"):
        openstack(*force, "--force", "--reason", "x")
    used.happens("spoil, use, round")
    for wrong in (
        ["--force"],
        ["--reason", "x"],
        ["--force", "--reason", " "],
    ):
        with pytest.raises(exceptions.CommandError, match="used together"):
            openstack(*force, *wrong)
    assert not used.words() & {*device_words.REQUESTS}
    openstack(*force, "--force", "--reason", "case\n4711")
    for text in ("by force", "'case4711'", "not known to be clean"):
        assert text in caplog.text
    used.round()
    assert used.candidates()
    assert used.record.forced == "asked through Placement"


@pytest.mark.parametrize(
    "command", [requests.CleanDevice, requests.ReleaseDevice]
)
def test_nothing_is_asked_of_a_device_that_a_guest_has(
    used, openstack, command
):
    used.boot()
    with pytest.raises(exceptions.CommandError, match="is allocated to"):
        openstack(command, used.host, NVME)
    assert used.words() == set()


@pytest.mark.parametrize(
    ("host", "address"),
    [("nowhere", NVME), ("node", "0000:ff:00.0"), ("node", "x\x1b")],
)
def test_a_device_that_is_not_there(used, openstack, host, address):
    with pytest.raises(exceptions.CommandError, match="vhard device list"):
        openstack(requests.CleanDevice, host, address)


def test_released_by_force_on_the_host(used, ours, monkeypatch):
    used.happens("spoil, use, round")
    with monkeypatch.context() as patch:
        # Nobody's name is needed without force, as in a container.
        patch.delenv("SUDO_USER")
        patch.setattr(getpass, "getuser", None)
        assert ours("release", NVME)[0] == 1
    assert not used.candidates()
    assert ours("release", NVME, "--force", "--reason", "looked at")[0] == 0
    assert used.candidates()
    status, out, _ = ours("show", NVME)
    assert (status, json.loads(out)["forced"]) == (0, "ada: looked at")


def test_clean_on_the_host(used, ours):
    assert ours("clean", NVME) == (0, f"{NVME} is released\n", "")
    used.spoil()
    failed = f"{NVME} is failed: compare: it is good\n"
    assert ours("clean", NVME) == (1, failed, "")
    assert used.record.state is State.FAILED
    status, _, text = ours("clean", "0000:ff:00.0")
    assert status == 1
    assert "no provider of a one-time-use device" in text
    assert ours("show", "0000:ff:00.0")[0] == 1


def test_check_rules(ours, tmp_path):
    assert ours("check-rules")[:2] == (0, "everything: repair, compare\n")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: '1'\ndevices: [{name: x}]\n")
    status, _, text = ours("check-rules", str(wrong))
    assert status == 1
    assert "wrong.yaml" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["clean"],
        ["clean", "3b:00.0"],
        ["release", NVME, "--force"],
        ["release", NVME, "--force", "--reason", "\n"],
        ["release", NVME, "--reason", "x"],
    ],
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert ended.value.code == 2
    assert "nova-vhard-cleaner" in capsys.readouterr().err
