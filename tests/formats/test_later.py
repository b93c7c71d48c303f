# SPDX-License-Identifier: Apache-2.0
"""Tests that this version reads files of a later version.

This happens during a rolling upgrade and on a downgrade. Unknown keys are
ignored; content that cannot be understood proves nothing and undoes nothing.
"""

import datetime
import json
import shutil

import pytest
from osc_lib import exceptions

from nova_vhard.catalogue import device_words, results, traits
from nova_vhard.cleaner import journal as devices
from nova_vhard.common import decisions
from nova_vhard.common.problems import PolicyError
from nova_vhard.exporter import payloads
from nova_vhard.guard import memory, posture
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.osc.image import journal as images
from nova_vhard.osc.policy import definitions
from nova_vhard.placement import marks
from nova_vhard.policy import document
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from tests.formats.written import ADDRESS, CLOUD, GUEST, KEY, NOW, PROVIDER

MORE = {"later": {"a": [1]}}
SOON = NOW + datetime.timedelta(minutes=10)


@pytest.fixture
def later(now, tmp_path):
    """Call to change a file of this version's; returns its path."""
    folder = tmp_path / "later"
    shutil.copytree(now, folder)

    def change(name, **more):
        path = folder / name
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, **more}))
        return path

    return change


def test_an_event_of_another_kind_is_counted(later):
    path = later("notification.json", **MORE, version="1.7", gate="later-api")
    payload = json.loads(path.read_text())
    assert payloads.dropped(payload) == 2
    assert payloads.decision(payload).gate == "later-api"


def test_an_event_that_means_something_else_is_not(later):
    path = later("notification.json", version="2.0")
    with pytest.raises(payloads.Unreadable, match="not of a version 1"):
        payloads.dropped(json.loads(path.read_text()))


def test_a_decision_in_a_log(now):
    line = (now / "decisions.log").read_bytes().splitlines()[0]
    event = decisions.read(line.replace(b'"gate"', b'"later":{},"gate"'))
    assert event.data["later"] == {}
    assert len(list(decisions.violations(event.data))) == 2


def test_a_report_with_an_answer_that_is_not_known(later):
    """Nothing but PASS is one."""
    path = later("report.json", **MORE)
    content = json.loads(path.read_text())
    more = {"check": "later", "status": "PASS_IN_PART", "new": 1}
    content["results"].append(more)
    path.write_text(json.dumps(content))
    assert posture.passed(str(path), 2, SOON) == {"iommu"}


def test_answers_of_checks_that_are_not_known():
    """In Placement: of one more check, and of one more kind."""
    assert results.decode(["CUSTOM_VHSTATUS_99_F"]) == {}
    assert results.decode(["CUSTOM_VHSTATUS_01_Q"]) == {}


@pytest.mark.parametrize("name", ["CUSTOM_VHATT2_", "CUSTOM_VHATT_V2_"])
def test_a_mark_of_another_shape_attests_nobody(name):
    until = int(NOW.timestamp()) + 3600
    mark = marks.make(KEY, until, [PROVIDER]).name
    assert marks.attested([mark], [KEY], NOW) == {PROVIDER}
    other = mark.replace(traits.MARK, name)
    assert marks.attested([other], [KEY], NOW) == frozenset()


def test_a_word_about_a_device_asks_for_nothing():
    name = device_words.of_device(ADDRESS, "LATER_G17")
    assert device_words.request_of(device_words.device_of(name)[1]) is None


@pytest.mark.parametrize(
    "more", [MORE, {"version": 2}, {"state": "resting"}], ids=str
)
def test_a_device_whose_journal_says_more_counts_as_used(later, more):
    path = later(f"{ADDRESS}.json", **more)
    record = devices.Journal(str(path.parent)).read(ADDRESS)
    assert record.dirty and record.word == "JOURNAL"
    assert path.with_name(f"{path.name}.damaged").exists()


@pytest.mark.parametrize(
    ("more", "guests"), [(MORE, 2), ({"version": 2}, None)], ids=str
)
def test_guests_that_are_remembered(later, more, guests):
    """Those that are lost count as there before, by what is documented."""
    kept = memory.Memory(str(later("guests.json", **more).parent))
    assert kept.adopted is (guests is not None)
    assert (kept.choices(GUEST) and len(kept.choices(GUEST))) == guests


@pytest.fixture
def host(tmp_path):
    """Call to put files of a guard and of a pre-step on a host."""
    root = tmp_path / "host"

    def put(path, folder):
        (root / folder).mkdir(parents=True)
        shutil.copy(path, root / folder)
        # A capture: no process runs on it.
        (root / "CMD").mkdir()
        return HostRoot(str(root))

    return put


def test_a_proof_of_the_guard(later, host):
    root = host(later("guard.json", **MORE), "run/nova-vhard-guard")
    assert guard_proof.read(root).guarded


def test_a_proof_of_another_version_is_none(later, host):
    root = host(later("guard.json", version=2), "run/nova-vhard-guard")
    with pytest.raises(Unreadable, match="version is not 1"):
        guard_proof.read(root)


def test_facts_of_nova(later, host):
    root = host(later("nova.json", **MORE), "run/nova-vhard")
    facts = nova_facts.read(Host(root, run_dir="/run/nova-vhard"))
    assert facts.hw_machine_type == ("x86_64=q35",)


def test_facts_of_another_version_are_none(later, host):
    root = host(later("nova.json", version=2), "run/nova-vhard")
    with pytest.raises(Unreadable, match="version is not 1"):
        nova_facts.read(Host(root, run_dir="/run/nova-vhard"))


def test_what_is_undone_is_understood_in_full(later, now, tmp_path):
    path = tmp_path / "audit.journal"
    head, *entries = (now / "image-audit.journal").read_text().splitlines()
    more = json.dumps({**json.loads(entries[0]), **MORE})
    path.write_text(f"{head}\n{more}\n")
    with pytest.raises(images.JournalError, match="later"):
        images.read(str(path), CLOUD)
    with pytest.raises(exceptions.CommandError):
        definitions.read(str(later("metadefs.json", metadefs=2)), CLOUD)


@pytest.mark.parametrize(
    "more",
    [{"later": 1}, {"requires": ">=99"}, {"hosts": {"require": ["later"]}}],
    ids=str,
)
def test_a_last_good_policy_that_says_more_is_none(later, tmp_path, more):
    copy = later("last-good-policy.json")
    content = json.loads(copy.read_text())
    broken = tmp_path / "policy.yaml"
    broken.write_text('version: "1"\nmode: [\n')
    data = {**content["data"], **more}
    copy.write_text(
        json.dumps({"path": str(broken), "data": data, "version": "99"})
    )
    with pytest.raises(PolicyError):
        document.restore(data, str(copy), "99")
    with pytest.raises(PolicyUnavailable):
        PolicyFile(str(broken), str(copy)).current()
