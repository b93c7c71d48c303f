# SPDX-License-Identifier: Apache-2.0
"""Given what a released version has written, when this one reads it."""

import datetime
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from nova_vhard.attestor import mapping
from nova_vhard.catalogue import device_words, traits
from nova_vhard.cleaner import journal as devices
from nova_vhard.cleaner import rules as cleaning_rules
from nova_vhard.common import decisions
from nova_vhard.exporter import payloads
from nova_vhard.guard import memory, posture
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.osc.image import journal as images
from nova_vhard.osc.policy import case_file, definitions
from nova_vhard.placement import marks
from nova_vhard.policy import document, release
from nova_vhard.policy.watch import PolicyFile
from tests.formats.written import (
    ADDRESS,
    CHOICES,
    CLOUD,
    GUEST,
    IMAGE,
    KEY,
    NOW,
    PROVIDER,
    facts,
    on_host,
    verdict,
)

HERE = Path(__file__).parent
#: The first of these is the oldest that is read.
RELEASES = sorted(p for p in HERE.iterdir() if re.match(r"\d", p.name))
RULES = {"guest_devices.disk_bus", "guest_devices.vif_model"}


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def released(request, tmp_path):
    """Return a copy of what a release has written, as its owner has it."""
    folder = tmp_path / "release"
    shutil.copytree(request.param, folder)
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def shape(value):
    """Return what is where, and of which type."""
    if isinstance(value, dict):
        return {name: shape(value[name]) for name in value}
    return [*map(shape, value)] if isinstance(value, list) else type(value)


def kept(before, after):
    """Return whether everything is still there, and of its type."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(
            name in after and kept(before[name], after[name])
            for name in before
        )
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=False)
        return len(before) <= len(after) and all(kept(*p) for p in pairs)
    return before == after


def load(path):
    """Return the objects of a file: JSON, one or one a line, or YAML."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return [json.loads(json.dumps(yaml.safe_load(text), default=str))]
    if path.suffix in (".log", ".journal"):
        lines = text.splitlines()
        return [json.loads(line[line.index("{") :]) for line in lines]
    return [json.loads(text)]


def rules(policy):
    return {
        rule for each in verdict(policy)[1].violations for rule in each.rules
    }


def test_what_is_written_today_has_all_that_was_written(released, now):
    assert RELEASES[0].name == "1.0.0"
    names = sorted(path.name for path in released.iterdir())
    assert len(names) >= 14
    for name in names:
        before, after = (shape(load(f / name)) for f in (released, now))
        assert kept(before, after), name


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
        "report.json": posture.passed(
            paths["report.json"], 2, NOW + datetime.timedelta(minutes=10)
        ),
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
    content = json.loads(copy.read_text())
    copy.write_text(json.dumps({**content, "path": str(broken)}))
    watched = PolicyFile(str(broken), str(copy))
    assert rules(watched.current()) == RULES
    assert watched.error is not None


def test_names_in_placement(released):
    """They mean the same, and are what this version writes for that."""
    names = json.loads((released / "traits.json").read_text())
    mark = marks.read(names.pop(f"mark of {PROVIDER}"), [KEY])
    assert (mark.providers, mark.until) == (
        {PROVIDER},
        NOW.timestamp() + 3600,
    )
    hour = names.pop("report of 2026-11-26 12 UTC")
    assert traits.hour_of(hour) == NOW
    assert hour in traits.fresh(NOW + datetime.timedelta(hours=1), 2)
    held = device_words.device_of(names.pop(f"{ADDRESS} HELD"))
    assert held == (ADDRESS, "HELD")
    address, word = device_words.device_of(names.pop(f"{ADDRESS} FORCED 17"))
    request = device_words.request_of(word)
    assert (address, request) == (ADDRESS, ("FORCED", 17))
    assert names == {
        "check iommu": traits.of_check("iommu"),
        "attested": traits.ATTESTED,
    }


@pytest.mark.refused_policy
def test_requires_in_a_rolling_upgrade(tmp_path, monkeypatch):
    """The old service keeps the last valid policy, and names the reason.

    It does not name what it does not know, since only it is too old.
    """
    policy = tmp_path / "policy.yaml"
    answers = []
    for version, text in (
        ("1.0.0", "mode: warn\n"),
        ("1.2.0", 'mode: audit\nrequires: ">=1.2"\n'),
        ("1.0.0", 'mode: audit\nrequires: ">=1.2"\nsomething_new: 1\n'),
    ):
        monkeypatch.setattr(release, "RUNNING", Version(version))
        policy.write_text(f'version: "1"\nextends: baseline\n{text}')
        state = tmp_path / f"{version}.json"
        watched = PolicyFile(str(policy), str(state))
        answers.append((str(watched.current().mode), str(watched.error)))
    *good, (mode, error) = answers
    assert good == [("warn", "None"), ("audit", "None")]
    assert mode == "warn"
    assert "'>=1.2' and 1.0.0 runs" in error
    assert "something_new" not in error
