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

from nova_vhard.catalogue import device_words, results
from nova_vhard.cleaner import journal as devices
from nova_vhard.common.problems import PolicyError
from nova_vhard.guard import memory, posture
from nova_vhard.host.libvirt import guard_proof
from nova_vhard.host.root import Unreadable
from nova_vhard.osc.image import journal as images
from nova_vhard.osc.policy import definitions
from nova_vhard.policy import document
from nova_vhard.policy.watch import PolicyFile, PolicyUnavailable
from tests.formats.written import ADDRESS, CLOUD, GUEST, NOW, facts, on_host

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


def test_a_report_with_an_answer_that_is_not_known(later):
    """Nothing but PASS is one."""
    results = json.loads(later("report.json").read_text())["results"]
    results.append({"check": "later", "status": "PASS_IN_PART", "new": 1})
    path = later("report.json", **MORE, results=results)
    assert posture.passed(str(path), 2, SOON) == {"iommu"}


def test_names_in_placement_that_are_not_known_say_nothing():
    """Of one more check, one more kind, and one more word for a device."""
    names = ["CUSTOM_VHSTATUS_99_F", "CUSTOM_VHSTATUS_01_Q"]
    assert results.decode(names) == {}
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


@pytest.mark.parametrize(
    ("name", "read"),
    [("guard.json", guard_proof.read), ("nova.json", facts)],
)
def test_what_programs_of_a_host_leave_for_each_other(
    later, tmp_path, name, read
):
    assert read(on_host(tmp_path / "more", later(name, **MORE)))
    other = on_host(tmp_path / "other", later(name, version=2))
    with pytest.raises(Unreadable, match="version is not 1"):
        read(other)


def test_what_is_undone_is_understood_in_full(later, now, tmp_path):
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
def test_a_last_good_policy_that_says_more_is_none(later, tmp_path, more):
    broken = tmp_path / "policy.yaml"
    broken.write_text('version: "1"\nmode: [\n')
    copy = later("last-good-policy.json", path=str(broken), version="99")
    data = {**json.loads(copy.read_text())["data"], **more}
    later(copy.name, data=data)
    with pytest.raises(PolicyError):
        document.restore(data, str(copy), "99")
    with pytest.raises(PolicyUnavailable):
        PolicyFile(str(broken), str(copy)).current()
