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


def exempting(until="2027-01-01", name="a", base="baseline"):
    return EXEMPTIONS.format(
        until=until, name=name, base=base, PROJECT=PROJECT
    )


TOP = 'version: "1"\nextends: base.yaml\n'
IDS = f"""\
    version: "1"
    projects:
      - mode: warn
        projects:
          - {PROJECT}
          - shop
        domains: [default, Default]
    """
DISK = 'version: "1"\nguest_devices:\n  disk_bus: {allow: [virtoi]}\n'


# Files, of which the last is checked; exit status; and severity, file, line
# and path of each row except notes.
@pytest.mark.parametrize(
    ("files", "status", "faults"),
    [
        # every error of every file at once
        (
            {"base.yaml": DISK, "top.yaml": f"{TOP}mode: enforc\nmods: x\n"},
            1,
            [
                ("error", "base.yaml", 3, "guest_devices.disk_bus.allow[0]"),
                ("error", "top.yaml", 3, "mode"),
                ("error", "top.yaml", 4, "mods"),
            ],
        ),
        # What shows only in all files has its own place.
        (
            {
                "base.yaml": exempting(),
                "top.yaml": exempting(base="base.yaml"),
            },
            1,
            [("error", "base.yaml", 4, "exemptions[1].id")],
        ),
        *(
            ({"top.yaml": text}, 1, [("error", "top.yaml", line, "")])
            for text, line in (("", 1), ("\x00", 1), ("a: [", 2), ("- a", 1))
        ),
        ({"nothere.yaml": None}, 1, [("error", "nothere.yaml", None, "")]),
        # Exemptions that end.
        *(
            (
                {"top.yaml": exempting(until)},
                0,
                [("warning", "top.yaml", 8, "exemptions[0].until")],
            )
            for until in ("2026-06-14", "2026-06-15", "2026-06-29")
        ),
        ({"top.yaml": exempting("2026-06-30")}, 0, []),
        (
            {
                "base.yaml": exempting("2020-01-01", "old"),
                "top.yaml": exempting("2030-01-01", base="base.yaml"),
            },
            0,
            [("warning", "base.yaml", 8, "exemptions[1].until")],
        ),
        # Entries that do not look like an id.
        (
            {"base.yaml": IDS, "top.yaml": TOP},
            0,
            [
                ("warning", "base.yaml", 6, "projects[0].projects[1]"),
                ("warning", "base.yaml", 7, "projects[0].domains[1]"),
            ],
        ),
        # A policy that refuses nothing.
        *(
            (
                {"base.yaml": f'version: "1"\nenabled: {word}\n', **more},
                0,
                [("warning", "base.yaml", 2, "enabled")],
            )
            for word in ("no", "false", "Off")
            for more in ({}, {"top.yaml": TOP})
        ),
        (
            {
                "base.yaml": 'version: "1"\nenabled: no\n',
                "top.yaml": f"{TOP}enabled: yes\n",
            },
            0,
            [],
        ),
        *(
            (
                {"top.yaml.disabled": "", "top.yaml": text},
                status,
                [*faults, ("warning", "top.yaml.disabled", 1, "")],
            )
            for text, status, faults in (
                (GOOD, 0, []),
                (f"{GOOD}mode: x\n", 1, [("error", "top.yaml", 3, "mode")]),
            )
        ),
    ],
)
def test_faults_have_their_places(tmp_path, files, status, faults):
    for name, text in files.items():
        path = tmp_path / name
        if text is not None:
            write(path, text)
    done = run(CheckPolicy, str(path), "-f", "json")
    found = [
        (each["Severity"], each["File"], each["Line"], each["Path"])
        for each in done.json
        if each["Severity"] != "note"
    ]
    places = [(kind, str(tmp_path / name), *at) for kind, name, *at in faults]
    assert (done.status, found) == (status, places)
    # warnings are in the exit status where that is asked for
    strict = run(CheckPolicy, str(path), "--fail-on-warn").status
    assert strict == (3 if "warning" in str(faults) else status)
    errors = [each[0] for each in faults].count("error")
    assert done.err.startswith(f"{errors} error")


def test_the_services_log_the_same_warning(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(watch, "today", lambda: TODAY)
    path = write(tmp_path / "policy.yaml", exempting("2026-06-14"))
    watch.PolicyFile(path).current()
    (row,), _ = told(path)
    assert row["Message"] in caplog.messages


def test_formatters_work(tmp_path):
    path = write(tmp_path / "policy.yaml", "mode: x\nb: y\n")
    done = run(
        CheckPolicy, path, "-f", "value", "-c", "Path", "--sort-column", "Path"
    )
    assert done.out.splitlines() == ["b", "mode", "version"]
