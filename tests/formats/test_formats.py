# SPDX-License-Identifier: Apache-2.0
"""Files of released versions and of later versions.

The samples are from released versions. A later version may write more, which
this version reads during a rolling upgrade or after a downgrade. Unknown keys
are ignored; other unknown content proves nothing and undoes nothing.
"""

import datetime
import json
import re
import shutil
from pathlib import Path
from unittest import mock

import pytest
import yaml
from osc_lib import exceptions

from nova_vhard.attestor import mapping
from nova_vhard.catalogue import device_words, results
from nova_vhard.cleaner import journal as devices
from nova_vhard.cleaner import rules as cleaning_rules
from nova_vhard.common import decisions
from nova_vhard.common.problems import PolicyError
from nova_vhard.exporter import payloads
from nova_vhard.guard import memory, posture
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.host.root import Unreadable
from nova_vhard.osc.image import journal as images
from nova_vhard.osc.policy import case_file, definitions
from nova_vhard.policy import document, events
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from tests.formats.written import (
    ADDRESS,
    CHOICES,
    CLOUD,
    GUEST,
    IMAGE,
    NOW,
    facts,
    on_host,
    verdict,
    write,
)

HERE = Path(__file__).parent
#: The first of these is the oldest that is read.
RELEASES = sorted(p for p in HERE.iterdir() if re.match(r"\d", p.name))
RULES = {"guest_devices.disk_bus", "guest_devices.vif_model"}
#: Content that a later version may add.
MORE = {"later": {"a": [1]}}
SOON = NOW + datetime.timedelta(minutes=10)


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    """Return a folder of files that this version writes."""
    folder = tmp_path_factory.mktemp("now")
    # Another test of this process may have left a context of a request.
    with mock.patch.object(events, "get_current", return_value=None):
        write(folder)
    return folder


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def released(request, tmp_path):
    """Return a copy of what a release has written, as its owner has it."""
    folder = tmp_path / "release"
    shutil.copytree(request.param, folder)
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def leaves(value, *place):
    """Yield the path and the type of each value in a file."""
    if isinstance(value, dict | list):
        named = isinstance(value, dict)
        for name, each in value.items() if named else enumerate(value):
            yield from leaves(each, *place, name)
    yield place, type(value)


def content(path):
    """Return the content of a file: YAML, JSON, or JSON in each line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".log", ".journal"):
        return [
            json.loads(line[line.index("{") :]) for line in text.splitlines()
        ]
    return yaml.safe_load(text)


def rules(policy):
    return {
        rule for each in verdict(policy)[1].violations for rule in each.rules
    }


def test_what_is_written_today_has_all_that_was_written(released, now):
    assert RELEASES[0].name == "1.0.0"
    names = sorted(path.name for path in released.iterdir())
    assert len(names) >= 14
    for name in names:
        before, after = (
            set(leaves(content(folder / name))) for folder in (released, now)
        )
        assert before <= after, name


#: File to what this version reads in it.
READ = {
    "policy.yaml": RULES,
    "policy-tests.yaml": True,
    "cleaning.yaml": ["nvme", "nic", "gpu"],
    "attested-hosts.yaml": {
        "f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11",
        "5f3e2b1c-77a0-4f43-8e0a-0d1f0c9a7b52",
    },
    "decisions.log": ("2026-11-26 12:00:00", dict.fromkeys(RULES, 1)),
    "notification.json": (2, "glance-api", RULES, 0.000123),
    # The guard is upgraded, and judges by the report that is there.
    "report.json": {"iommu"},
    "guests.json": (True, {*CHOICES}),
    "guard.json": (True, "enforce"),
    "nova.json": (("x86_64=q35",), True),
    f"{ADDRESS}.json": (
        devices.State.FAILED,
        *("ROM_DIGEST", (GUEST,), ("flr",)),
    ),
    "image-audit.journal": [
        (IMAGE, {"hw_disk_bus": "ide", "hw_vif_model": None}, None),
        (IMAGE, {}, "active"),
    ],
    "metadefs.json": ["ide", "virtio"],
}


def test_what_a_release_has_written_is_read(released, tmp_path):
    paths = {each.name: str(each) for each in released.iterdir()}
    event = decisions.read((released / "decisions.log").read_bytes().strip())
    payload = json.loads((released / "notification.json").read_text())
    decision = payloads.decision(payload)
    guests = memory.Memory(str(released))
    root = on_host(
        tmp_path / "host", released / "guard.json", released / "nova.json"
    )
    proof = guard_proof.read(root)
    nova = facts(root)
    record = devices.Journal(str(released)).read(ADDRESS)
    (change,) = definitions.read(paths["metadefs.json"], CLOUD)
    assert {
        "policy.yaml": rules(document.load(paths["policy.yaml"])),
        "policy-tests.yaml": bool(
            case_file.read(paths["policy-tests.yaml"]).tests
        ),
        "cleaning.yaml": [
            entry.name
            for entry in cleaning_rules.load(paths["cleaning.yaml"]).entries
        ],
        "attested-hosts.yaml": set(mapping.load(paths["attested-hosts.yaml"])),
        "decisions.log": (
            event.time,
            {rule: n for rule, _, n in decisions.violations(event.data)},
        ),
        "notification.json": (
            payloads.dropped(payload),
            decision.gate,
            {rule for rule, _, _ in decision.violations},
            decision.seconds,
        ),
        "report.json": posture.passed(paths["report.json"], 2, SOON),
        "guests.json": (guests.adopted, guests.choices(GUEST)),
        "guard.json": (proof.guarded, proof.mode),
        "nova.json": (nova.hw_machine_type, nova.channels is not None),
        f"{ADDRESS}.json": (
            *(record.state, record.word, record.consumers),
            record.steps[0].evidence,
        ),
        "image-audit.journal": [
            (entry.image, entry.before, entry.status)
            for entry in images.read(paths["image-audit.journal"], CLOUD)
        ],
        "metadefs.json": change.was,
    } == READ


@pytest.mark.refused_policy
def test_the_last_good_policy_of_a_service_that_is_upgraded(
    released, tmp_path
):
    """The file is broken when the new version starts: the copy holds."""
    broken = tmp_path / "policy.yaml"
    broken.write_text('version: "1"\nmode: [\n')
    copy = released / "last-good-policy.json"
    copy.write_text(
        json.dumps({**json.loads(copy.read_text()), "path": str(broken)})
    )
    watched = PolicyFile(str(broken), str(copy))
    assert rules(watched.current()) == RULES
    assert watched.error is not None


def test_names_in_placement(released, now):
    """This version writes the same names, and therefore reads them."""
    before, after = (content(each / "traits.json") for each in (released, now))
    assert before == after


@pytest.fixture
def later(now, tmp_path):
    """Return a function that changes a file and returns its path."""
    folder = tmp_path / "later"
    shutil.copytree(now, folder)

    def change(name, **more):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
        return path

    return change


def test_a_report_with_an_unknown_status(later):
    """Only the status PASS counts as passed."""
    results = json.loads(later("report.json").read_text())["results"]
    results.append({"check": "later", "status": "PASS_IN_PART", "new": 1})
    path = later("report.json", **MORE, results=results)
    assert posture.passed(str(path), 2, SOON) == {"iommu"}


def test_unknown_names_in_placement_are_ignored():
    """A new check, a new kind of result, and a new word for a device."""
    assert (
        results.decode(["CUSTOM_VHSTATUS_99_F", "CUSTOM_VHSTATUS_01_Q"]) == {}
    )
    name = device_words.of_device(ADDRESS, "LATER_G17")
    assert device_words.request_of(device_words.device_of(name)[1]) is None


@pytest.mark.parametrize(
    "more", [MORE, {"version": 2}, {"state": "resting"}], ids=str
)
def test_a_device_with_unknown_journal_content_counts_as_used(later, more):
    path = later(f"{ADDRESS}.json", **more)
    record = devices.Journal(str(path.parent)).read(ADDRESS)
    assert record.dirty and record.word == "JOURNAL"
    assert path.with_name(f"{path.name}.damaged").exists()


def test_stored_guests(later):
    """Tests of unknown content are in tests/unit/guard/test_judge.py."""
    kept = memory.Memory(str(later("guests.json", **MORE).parent))
    assert (kept.adopted, kept.choices(GUEST)) == (True, {*CHOICES})


@pytest.mark.parametrize(
    ("name", "read"),
    [("guard.json", guard_proof.read), ("nova.json", facts)],
)
def test_files_between_programs_of_a_host(later, tmp_path, name, read):
    assert read(on_host(tmp_path / "more", later(name, **MORE)))
    other = on_host(tmp_path / "other", later(name, version=2))
    with pytest.raises(Unreadable, match="version is not 1"):
        read(other)


def test_journals_must_be_understood_in_full(later, now, tmp_path):
    path = tmp_path / "audit.journal"
    head, entry, *_ = (now / "image-audit.journal").read_text().splitlines()
    path.write_text(f"{head}\n{entry[:-1]}, {json.dumps(MORE)[1:]}\n")
    with pytest.raises(images.JournalError, match="later"):
        images.read(str(path), CLOUD)
    with pytest.raises(exceptions.CommandError):
        definitions.read(str(later("metadefs.json", metadefs=2)), CLOUD)


@pytest.mark.refused_policy
@pytest.mark.parametrize(
    "more",
    [{"later": 1}, {"requires": ">=99"}, {"hosts": {"require": ["later"]}}],
    ids=str,
)
def test_a_last_good_policy_with_unknown_content_is_not_used(
    later, tmp_path, more
):
    broken = tmp_path / "policy.yaml"
    broken.write_text('version: "1"\nmode: [\n')
    copy = later("last-good-policy.json", path=str(broken), version="99")
    data = {**json.loads(copy.read_text())["data"], **more}
    later(copy.name, data=data)
    with pytest.raises(PolicyError):
        document.restore(data, str(copy), "99")
    with pytest.raises(PolicyUnavailable):
        PolicyFile(str(broken), str(copy)).current()
