# SPDX-License-Identifier: Apache-2.0
"""``openstack vhard policy check``."""

import datetime

import pytest

from nova_vhard.osc.policy.show import CheckPolicy
from nova_vhard.policy import document, watch
from tests.unit.cli.desk import rows, run
from tests.unit.helpers import write

GOOD = 'version: "1"\nextends: baseline\n'
TODAY = datetime.date(2026, 6, 15)

PROJECT = "0123456789abcdef" * 2

EXEMPTIONS = """\
    version: "1"
    extends: {base}
    exemptions:
      - id: {name}
        reason: r
        projects: [{PROJECT}]
        rules: {{guest_devices.disk_bus: [ide]}}
        until: {until}
    """


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr("nova_vhard.osc.policy.show.today", lambda: TODAY)


def exempting(path, until, name="a", base="baseline"):
    text = EXEMPTIONS.format(
        until=until, name=name, base=base, PROJECT=PROJECT
    )
    return write(path, text)


MACHINE, POINTER = "assume.machine_type.x86_64", "assume.pointer_model"


def told(path):
    """Return the rows except notes, and the places of the notes."""
    result = rows(CheckPolicy, path)
    notes = [row["Path"] for row in result if row["Severity"] == "note"]
    return [row for row in result if row["Severity"] != "note"], notes


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("baseline", [MACHINE]),
        ("scs", [POINTER, MACHINE]),
        ("strict", [POINTER, MACHINE, "guest_devices.firmware_type.allow"]),
    ],
)
def test_shipped_policies_are_good(name, notes):
    done = run(CheckPolicy, document.shipped(name), "--fail-on-warn")
    assert done.status == 0
    assert done.err.startswith("0 errors, 0 warnings; policy ")
    assert document.load(document.shipped(name)).digest in done.err
    faults, noted = told(document.shipped(name))
    assert (faults, sorted(noted)) == ([], sorted(notes))


@pytest.mark.parametrize(
    ("assume", "notes"),
    [
        # Nova's own defaults: what strict then refuses in a silent image
        (
            "{pointer_model: usbtablet, machine_type: {x86_64: pc}}",
            {
                *("cdrom_bus", "firmware_type", "input_bus", "machine_type"),
                *("pointer_model", "usb_model"),
            },
        ),
        ("{pointer_model: none}", {POINTER, MACHINE, "firmware_type"}),
        (
            "{cpu_mode: host-passthrough, force_config_drive: true}",
            {
                *(POINTER, MACHINE, "assume.cpu_mode", "firmware_type"),
                "assume.force_config_drive",
            },
        ),
    ],
)
def test_what_hosts_and_images_must_say_is_noted(tmp_path, assume, notes):
    text = f'version: "1"\nextends: strict\nassume: {assume}\n'
    faults, noted = told(write(tmp_path / "policy.yaml", text))
    assert faults == []
    assert {
        note.removeprefix("guest_devices.").removesuffix(".allow")
        for note in noted
    } == notes


def test_every_error_of_every_file_at_once(tmp_path):
    # given
    base = write(
        tmp_path / "base.yaml",
        'version: "1"\nguest_devices:\n  disk_bus: {allow: [virtoi]}\n',
    )
    top = write(
        tmp_path / "top.yaml",
        'version: "1"\nextends: base.yaml\nmode: enforc\nmods: x\n',
    )
    # when
    done = run(CheckPolicy, top, "-f", "json")
    # then
    assert done.status == 1
    assert done.err == "3 errors, 0 warnings\n"
    assert [
        (each["Severity"], each["File"], each["Line"], each["Path"])
        for each in done.json
    ] == [
        ("error", base, 3, "guest_devices.disk_bus.allow[0]"),
        ("error", top, 3, "mode"),
        ("error", top, 4, "mods"),
    ]


def test_what_only_shows_in_all_files_has_its_own_place(tmp_path):
    base = exempting(tmp_path / "base.yaml", "2027-01-01")
    top = exempting(tmp_path / "top.yaml", "2027-01-01", base="base.yaml")
    (row,) = rows(CheckPolicy, top)
    assert (row["File"], row["Line"]) == (base, 4)
    assert row["Path"] == "exemptions[1].id"


@pytest.mark.parametrize("text", ["", "\x00", "a: [", "- a"])
def test_a_file_that_is_no_policy(tmp_path, text):
    path = write(tmp_path / "policy.yaml", text)
    done = run(CheckPolicy, path, "-f", "json")
    assert done.status == 1
    assert {each["Line"] for each in done.json} <= {1, 2}
    assert done.json


def test_a_file_that_is_not_there(tmp_path):
    (row,) = rows(CheckPolicy, str(tmp_path / "nothere"))
    assert (row["Severity"], row["Line"], row["Path"]) == ("error", None, "")


@pytest.mark.parametrize(
    ("until", "text"),
    [
        (
            "2026-06-14",
            "Exemption a ended on 2026-06-14 and no longer applies.",
        ),
        ("2026-06-15", "Exemption a ends on 2026-06-15. Renew or remove it."),
        ("2026-06-29", "Exemption a ends on 2026-06-29. Renew or remove it."),
        ("2026-06-30", None),
    ],
)
def test_exemptions_that_end_are_warnings(tmp_path, until, text):
    path = exempting(tmp_path / "policy.yaml", until)
    assert run(CheckPolicy, path).status == 0
    faults, _ = told(path)
    result = [
        (each["Severity"], each["File"], each["Line"], each["Path"])
        for each in faults
    ]
    place = ("warning", path, 8, "exemptions[0].until")
    assert result == ([place] if text else [])
    assert [each["Message"] for each in faults] == ([text] if text else [])


def test_entries_that_do_not_look_like_an_id_are_warnings(tmp_path):
    base = write(
        tmp_path / "base.yaml",
        f"""\
        version: "1"
        projects:
          - mode: warn
            projects:
              - {PROJECT}
              - shop
            domains: [default, Default]
        """,
    )
    top = write(tmp_path / "top.yaml", 'version: "1"\nextends: base.yaml\n')
    done = run(CheckPolicy, top, "-f", "json")
    assert (done.status, done.err[:22]) == (0, "0 errors, 2 warnings; ")
    assert [
        (each["Severity"], each["File"], each["Line"], each["Path"])
        for each in done.json
    ] == [
        ("warning", base, 6, "projects[0].projects[1]"),
        ("warning", base, 7, "projects[0].domains[1]"),
    ]
    assert run(CheckPolicy, top, "--fail-on-warn").status == 3


@pytest.mark.parametrize("word", ["no", "false", "Off"])
@pytest.mark.parametrize("below", [False, True])
def test_a_policy_that_refuses_nothing_is_a_warning(tmp_path, word, below):
    path = write(tmp_path / "policy.yaml", f'version: "1"\nenabled: {word}\n')
    top = path
    if below:
        top = write(
            tmp_path / "top.yaml", 'version: "1"\nextends: policy.yaml\n'
        )
    done = run(CheckPolicy, top, "-f", "json")
    assert (done.status, done.err[:21]) == (0, "0 errors, 1 warning; ")
    (warning,) = done.json
    assert (warning["Severity"], warning["File"]) == ("warning", path)
    assert (warning["Line"], warning["Path"]) == (2, "enabled")
    assert warning["Message"].startswith("nothing is refused: ")
    assert run(CheckPolicy, top, "--fail-on-warn").status == 3


def test_a_policy_that_is_switched_on_again_is_no_warning(tmp_path):
    write(tmp_path / "base.yaml", 'version: "1"\nenabled: no\n')
    text = 'version: "1"\nextends: base.yaml\nenabled: yes\n'
    assert rows(CheckPolicy, write(tmp_path / "policy.yaml", text)) == []


@pytest.mark.parametrize(
    ("text", "status"), [('version: "1"\n', 0), ("mode: x\n", 1)]
)
def test_a_file_that_disables_the_policy_is_a_warning(tmp_path, text, status):
    path = write(tmp_path / "policy.yaml", text)
    write(tmp_path / "policy.yaml.disabled", "")
    done = run(CheckPolicy, path, "-f", "json")
    assert done.status == status
    assert done.json[-1] == {
        "Severity": "warning",
        "File": f"{path}.disabled",
        "Line": 1,
        "Path": "",
        "Message": "policy.yaml.disabled exists: services that read this "
        "policy refuse nothing; remove the file to enforce again",
    }


def test_an_exemption_of_a_file_below_is_named_there(tmp_path):
    base = exempting(tmp_path / "base.yaml", "2020-01-01", "old")
    top = exempting(tmp_path / "top.yaml", "2030-01-01", base="base.yaml")
    (row,), _ = told(top)
    assert (row["File"], row["Line"]) == (base, 8)
    assert "Exemption old ended" in row["Message"]


def test_the_services_log_the_same_warning(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(watch, "today", lambda: TODAY)
    path = exempting(tmp_path / "policy.yaml", "2026-06-14")
    watch.PolicyFile(path).current()
    (row,), _ = told(path)
    assert row["Message"] in caplog.messages


def test_formatters_work(tmp_path):
    path = write(tmp_path / "policy.yaml", "mode: x\nb: y\n")
    done = run(
        CheckPolicy, path, "-f", "value", "-c", "Path", "--sort-column", "Path"
    )
    assert done.out.splitlines() == ["b", "mode", "version"]
