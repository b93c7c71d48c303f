# SPDX-License-Identifier: Apache-2.0
"""A host judges the same guest as the gates did.

Each example is a guest for which Nova's own driver generates a domain. If
libvirt is installed, it defines the domain, and the domain that it would
start is read as well.
"""

import datetime
import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from nova_vhard.policy import document
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Assume, Policy
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from tests import seeds
from tests.release.differential import (
    block_devices,
    choices,
    domains,
    nova_devices,
    nova_domains,
    real_libvirt,
)
from tests.release.differential.test_devices import asked_for
from tests.release.differential.values import PROPERTIES, SPECS

TRIED: Counter[str] = Counter()
TODAY = datetime.date(2026, 11, 27)
Q35 = Assume(machine_type={"x86_64": "q35"})
#: What ``[DEFAULT] pointer_model`` may be.
POINTERS = ("usbtablet", "ps2mouse")


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[nova_domains.Host]:
    # Nova's test case makes all temporary files in a folder that goes away.
    tmp_path_factory.getbasetemp()
    with nova_domains.host() as result:
        yield result


@pytest.fixture(scope="module")
def libvirt(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[real_libvirt.RealLibvirt | None]:
    with real_libvirt.started(tmp_path_factory.mktemp("libvirt")) as result:
        yield result


def compare(
    xml: str,
    guest: choices.Guest,
    request: HardwareRequest,
    given: nova_devices.Given | None,
) -> None:
    result = domains.read(xml, guest)
    assert result.subject == Subject(
        BOOT,
        "project",
        None,
        frozenset(),
        result.uuid,
        "flavor",
        "1",
        result.uuid,
    )
    domains.check_no_surprise(result, request, guest.host)
    if given is not None:
        domains.check_nothing_missed(xml, given, guest)


def test_search_of_domains(
    host: nova_domains.Host, libvirt: real_libvirt.RealLibvirt | None
) -> None:
    """Domains: what the driver's XML tells is what was judged before."""

    @seeds.searched(choices.guests(), 60)
    def search(guest: choices.Guest) -> None:
        TRIED["examples"] += 1
        xml = host.domain(guest)
        if xml is None:
            TRIED["refused"] += 1
            return
        TRIED["made"] += 1
        request, given = asked_for(guest), nova_devices.given(guest)
        devices = given[0] if given else None
        compare(xml, guest, request, devices)
        defined, _ = libvirt.defined(xml) if libvirt else (None, "")
        if defined is not None:
            TRIED["defined"] += 1
            compare(defined, guest, request, devices)

    search()
    print(TRIED)
    assert TRIED["made"] > TRIED["examples"] / 4, TRIED
    if libvirt:
        assert TRIED["defined"] > TRIED["made"] / 10, TRIED


def pairs(values: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for name, listed in values.items():
        yield from ((name, value) for value in listed)


def singles() -> Iterator[choices.Guest]:
    """Yield a guest for each value that an image or a flavor can say.

    Machines and pointers take turns.
    """
    turns = itertools.cycle(itertools.product(("q35", "pc"), POINTERS))
    asked = [
        *(({name: value}, {}) for name, value in pairs(PROPERTIES)),
        *(({}, {name: value}) for name, value in pairs(SPECS)),
    ]
    for (properties, specs), (machine, pointer) in zip(
        asked, turns, strict=False
    ):
        host = Assume(machine_type={"x86_64": machine}, pointer_model=pointer)
        root = [dict(block_devices.ROOT)]
        yield choices.Guest(properties, "raw", specs, root, True, host)


def test_every_value_by_itself(host: nova_domains.Host) -> None:
    made = 0
    for guest in singles():
        xml = host.domain(guest)
        if xml is None:
            continue
        made += 1
        given = nova_devices.given(guest)
        compare(xml, guest, asked_for(guest), given[0] if given else None)
    assert made > 60, made


def test_disk_of_a_rescue_is_told_as_one(host: nova_domains.Host) -> None:
    """A rescue with an image's own bus and device, beside all other disks."""
    guest = choices.Guest(
        {"hw_disk_bus": "virtio", "hw_cdrom_bus": "sata"},
        "raw",
        {},
        [dict(block_devices.ROOT)],
        True,
        Q35,
    )
    xml = host.domain(guest, rescue=True)
    assert xml is not None
    assert "disk.rescue" in xml
    values = domains.values_of(domains.read(xml, guest))
    assert values["rescue_bus"] == {"virtio"}
    assert values["disk_bus"] == {"virtio"}
    assert values["cdrom_bus"] == {"sata"}


def shipped(name: str) -> Policy:
    return document.load(document.shipped(name))


@pytest.mark.parametrize("pointer", POINTERS)
@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize("config_drive", [False, True])
def test_clean_guest_is_never_refused(
    host: nova_domains.Host,
    libvirt: real_libvirt.RealLibvirt | None,
    pointer: str,
    machine: str,
    config_drive: bool,
) -> None:
    """A guest that asks for nothing passes baseline, as libvirt starts it.

    On pc the config drive is a CD-ROM on IDE, which baseline refuses
    everywhere.
    """
    asked = {} if machine == "q35" else {"hw_cdrom_bus": "sata"}
    guest = choices.Guest(
        asked,
        "raw",
        {},
        [dict(block_devices.ROOT)],
        config_drive,
        Assume(machine_type={"x86_64": machine}, pointer_model=pointer),
    )
    xml = host.domain(guest)
    assert xml is not None
    texts = [xml]
    if libvirt:
        defined, why = libvirt.defined(xml)
        assert defined is not None, why
        texts.append(defined)
    for text in texts:
        result = domains.read(text, guest)
        verdict = evaluate(
            shipped("baseline"), result.request, result.subject, TODAY
        )
        rules = [] if machine == "q35" else ["guest_devices.machine_type"]
        assert not verdict.refusals
        assert verdict.rules == rules
