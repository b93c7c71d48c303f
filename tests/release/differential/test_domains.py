# SPDX-License-Identifier: Apache-2.0
"""The devices that a policy judges are those that Nova gives.

Each example is a guest on a host. Nova's own code says which devices it gets;
the readers and ``policy/defaults.py`` say which of them are judged. A host
judges the same by the domain that Nova's driver generates. If libvirt is
installed, it defines the domain, and the one that it would start is read, too.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nova.conf
import pytest

from nova_vhard.catalogue.domain_devices import FILES
from nova_vhard.catalogue.domain_xml import UNTOLD
from nova_vhard.catalogue.qemu import ELSEWHERE, family
from nova_vhard.conf import guard as guard_conf
from nova_vhard.osc.qemu import needs
from nova_vhard.policy import document
from nova_vhard.policy.hardware import DOMAIN, HardwareRequest
from nova_vhard.policy.model import Assume
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import domain
from tests import seeds, services
from tests.release.differential import (
    choices,
    nova_devices,
    nova_domains,
    plan_domains,
    real_libvirt,
)
from tests.release.differential.compare import (
    Given,
    asked_for,
    check_defaults,
    check_given,
    judged,
)
from tests.release.differential.values import PROPERTIES, SPECS
from tests.unit.helpers import TODAY, shipped

TRIED: Counter[str] = Counter()

#: Reasons why a domain does not show a value that Nova gives, by device kind.
#: It shows no value of the kinds in UNTOLD.
NOT_TOLD: dict[str, str] = {
    **UNTOLD,
    "disk_bus": "the bus of devices that are plugged in later",
    "usb_model": "none, and libvirt's choice where a tablet is on USB",
    "secure_boot": "disabled, optional on a PC other than q35, and any value "
    "without UEFI",
    "input_bus": "Nova adds a tablet on USB by [DEFAULT] pointer_model, and "
    "a keyboard off x86",
    "rng_model": "Nova adds one unless the flavor forbids it",
    "machine_type": "an empty one is libvirt's to fill in",
    "serial_port_count": "without [serial_console] there is one port",
    "rescue_device": "a rescue has a disk by default",
}
_X86 = ("i686", "x86_64")
#: Device kind to the kind as which the gates judge its values.
_JUDGED_AS = {
    "cdrom_bus": "disk_bus",
    "emulation_architecture": "architecture",
    "floppy_bus": "disk_bus",
}
#: What ``[DEFAULT] pointer_model`` may be.
POINTERS = ("usbtablet", "ps2mouse")
#: Policy to the least number of different domains that a full QEMU starts.
POLICIES = {"strict": 9, "baseline": 30, "": 60}


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


def check_guest(given: Given, picked: Given, guest: choices.Guest) -> None:
    """Compare the devices of a new guest with those that are judged."""
    request = asked_for(guest)
    check_given(given, request, guest.host)
    if "scsi_model" not in given and "scsi" in (
        given["disk_bus"] | given["cdrom_bus"]
    ):
        # libvirt's own choice, which Nova does not know
        assert judged(request, guest.host)["scsi_model"]
    check_defaults(picked, request, guest.host)


def read(xml: str, guest: choices.Guest) -> domain.Domain:
    """Read a domain as on the host of a guest, by the guard's defaults."""
    folders = {
        option.name: [
            path.replace(
                "/var/lib/nova/instances", nova.conf.CONF.instances_path
            )
            for path in option.default
        ]
        for option in guard_conf.OPTS
        if option.name in FILES
    }
    return domain.read(xml.encode(), BOOT, guest.host.architecture, folders)


def check_no_surprise(
    result: domain.Domain, request: HardwareRequest, host: Any
) -> None:
    """Check that a host judges nothing that no gate has judged.

    What libosinfo picks is unknown to the gates, and known here. A CD-ROM or
    floppy that Nova puts onto the disks' bus is judged with the disks there.
    An image of another architecture never gets to a host by itself. Nova
    writes no timer for an HPET with virt_type qemu, and where a PC is to be
    of another architecture. QEMU has no such PC, so that no guest is lost by
    the guard's refusal.
    """
    known = judged(request, host)
    for kind, other in _JUDGED_AS.items():
        known[kind] = known.get(kind, set()) | known.get(other, set())
    assert not result.request.faults
    kinds = {choice.kind for choice in result.request.choices}
    foreign = (
        host.architecture not in _X86 or "emulation_architecture" in kinds
    )
    no_timers = host.virt_type == "qemu" or foreign
    for choice in result.request.choices:
        values = known.get(choice.kind, set())
        names = {choice.value, *choice.synonyms}
        # an empty machine type is libvirt's to fill in
        known_here = None in values or "" in values
        known_here |= choice.kind == "hpet" and no_timers
        assert names & values or known_here, (choice, values)


def check_nothing_missed(xml: str, given: Given, guest: choices.Guest) -> None:
    """Check that the domain shows each device, or has a reason not to."""
    values: dict[str, set[Any]] = {}
    for choice in read(xml, guest).request.choices:
        assert choice.origin == DOMAIN
        names = {choice.value, *choice.synonyms}
        values.setdefault(choice.kind, set()).update(names)
    for kind, some in given.items():
        for value in some - values.get(kind, set()):
            assert kind in NOT_TOLD, (kind, value, values)
            if kind == "usb_model":
                check_controller(xml, value)
            elif kind == "secure_boot":
                uefi = "uefi" in values["firmware_type"]
                assert (
                    not uefi
                    or value == "disabled"
                    or (
                        value == "optional"
                        and is_x86(xml)
                        and "q35" not in str(values.get("machine_type"))
                    )
                ), (value, values)
            elif kind == "machine_type":
                assert not value, (value, values)
            elif kind == "input_bus":
                tablet = "pointer_model" in given
                assert tablet or not is_x86(xml), (value, values)
            elif kind == "disk_bus":
                # of disks which are plugged in later
                said = {
                    "hw_disk_bus",
                    "vmware_adaptertype",
                    "disk_bus",
                } & guest.properties.keys()
                assert said or guest.devices, (value, guest)


def check_controller(xml: str, value: str) -> None:
    """Check that there is no controller, or the one that libvirt picks.

    Nova drops the model where the guest has a tablet on USB.
    """
    path = f"devices/controller[@type='usb'][@model='{value}']"
    if value != "none" and ElementTree.fromstring(xml).findall(path):
        assert not is_x86(xml), (value, xml)


def is_x86(xml: str) -> bool:
    """Return whether a guest is of x86."""
    system = ElementTree.fromstring(xml).find("os/type")
    return system is not None and system.get("arch") in _X86


def compare(guest: choices.Guest, given: Given | None, xml: str) -> None:
    """Compare the devices that a host reads with those judged and given."""
    result = read(xml, guest)
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
    check_no_surprise(result, asked_for(guest), guest.host)
    if given is not None:
        check_nothing_missed(xml, given, guest)


def look(
    host: nova_domains.Host,
    libvirt: real_libvirt.RealLibvirt | None,
    guest: choices.Guest,
) -> None:
    """Compare the devices of a guest, and its domain, if it gets one."""
    given = None
    if result := nova_devices.given(guest):
        TRIED["given"] += 1
        given, picked = result
        check_guest(given, picked, guest)
    xml = host.domain(guest)
    if xml is None:
        return
    TRIED["made"] += 1
    compare(guest, given, xml)
    defined = libvirt.defined(xml)[0] if libvirt else None
    if defined is not None:
        TRIED["defined"] += 1
        compare(guest, given, defined)


def test_search_of_domains(
    host: nova_domains.Host, libvirt: real_libvirt.RealLibvirt | None
) -> None:
    """Guests: all that Nova gives is judged, before and on the host.

    Nova must make many of the examples, or the test proves nothing.
    """

    @seeds.searched(choices.guests(), 120)
    def search(guest: choices.Guest) -> None:
        TRIED["examples"] += 1
        look(host, libvirt, guest)

    search()
    print(TRIED)
    assert TRIED["given"] > TRIED["examples"] / 4, TRIED
    assert TRIED["made"] > TRIED["examples"] / 4, TRIED
    assert not libvirt or TRIED["defined"] > TRIED["made"] / 10, TRIED


def test_every_value_alone(host: nova_domains.Host) -> None:
    """One of an image, or of a flavor; machines and pointers take turns."""
    turns = itertools.cycle(itertools.product(("q35", "pc"), POINTERS))
    asked = [
        ({name: value}, {})
        for name in PROPERTIES
        for value in PROPERTIES[name]
    ]
    asked += [({}, {name: value}) for name in SPECS for value in SPECS[name]]
    before = TRIED["made"]
    for properties, specs in asked:
        machine, pointer = next(turns)
        assume = Assume(
            machine_type={"x86_64": machine}, pointer_model=pointer
        )
        guest = choices.Guest(
            properties, "raw", specs, [dict(choices.ROOT)], True, assume
        )
        look(host, None, guest)
    assert TRIED["made"] > before + 60


@pytest.mark.parametrize("pointer", POINTERS)
@pytest.mark.parametrize(
    ("machine", "asked", "rules"),
    [
        ("q35", {}, []),
        ("pc", {"hw_cdrom_bus": "sata"}, ["guest_devices.machine_type"]),
    ],
    ids=["q35", "pc"],
)
@pytest.mark.parametrize("config_drive", [False, True])
def test_clean_guest_is_never_refused(
    host: nova_domains.Host,
    libvirt: real_libvirt.RealLibvirt | None,
    pointer: str,
    machine: str,
    asked: dict[str, str],
    rules: list[str],
    config_drive: bool,
) -> None:
    """A guest that asks for nothing passes baseline, as libvirt starts it.

    On pc the config drive is a CD-ROM on IDE, which baseline refuses
    everywhere.
    """
    guest = choices.Guest(
        asked,
        "raw",
        {},
        [dict(choices.ROOT)],
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
        result = read(text, guest)
        verdict = evaluate(
            shipped("baseline"), result.request, result.subject, TODAY
        )
        assert not verdict.refusals
        assert verdict.rules == rules


@pytest.mark.parametrize("name", POLICIES)
def test_each_device_of_each_domain_is_planned(
    host: nova_domains.Host,
    libvirt: real_libvirt.RealLibvirt | None,
    tmp_path: Path,
    name: str,
) -> None:
    """The plan of a minimal QEMU has what the guests of a policy need.

    libvirt turns their domains into the command line of the full QEMU of this
    machine; tests/qemu starts them on the minimal one.
    """
    if libvirt is None:
        pytest.skip("not installed: libvirt and its bindings")
    path = tmp_path / "policy.yaml"
    path.write_text(f'version: "1"\n{name and "extends: "}{name}\n')
    plan = needs.make(document.load(str(path)), "x86_64")
    planned = plan.devices.keys() | ELSEWHERE["x86_64"]
    known = 0
    for each, xml in plan_domains.made(host, plan):
        line, _why = libvirt.native(xml)
        if line:
            known += 1
            assert plan_domains.devices(line) <= planned, each
            assert family(plan_domains.machine(line)) in plan.machines, each
    assert known >= POLICIES[name], "needs bindep.txt's profile qemu"


@services.needs_nova(34, "the models of encrypted memory")
def test_each_way_to_encrypt_memory_is_planned_or_named(
    host: nova_domains.Host,
) -> None:
    plan = needs.make(shipped("strict"), "x86_64")
    ways = {
        element.get("type")
        for _, xml in plan_domains.made(host, plan)
        for element in ElementTree.fromstring(xml).findall("launchSecurity")
    }
    assert ways == {"sev", "sev-snp", "tdx"}
    assert "SEV" in plan.symbols
    assert any("intel-tdx" in line for line in needs.unstarted(plan))
