# SPDX-License-Identifier: Apache-2.0
"""Odd domains: each is read and judged, or refused in one clean line."""

import itertools
from collections import Counter
from typing import Any
from xml.etree import ElementTree

from nova_vhard.catalogue import domain_xml
from nova_vhard.catalogue.domain_devices import HOST_DEVICES, NO_WORD
from nova_vhard.explain import messages
from nova_vhard.policy.subject import START
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import domain
from tests import seeds
from tests.clean import unclean
from tests.fuzz.mutate import Mutator, patience, tried
from tests.fuzz.odd import TEXTS
from tests.unit.domain_texts import text
from tests.unit.helpers import TODAY, shipped

INPUTS = seeds.fuzz_inputs(600)
POLICY = shipped("strict")
DEVICES = (
    "<disk type='file' device='disk'><source file='/x/disk'/>"
    "<target dev='vda' bus='virtio'/></disk>"
    "<controller type='scsi' model='lsilogic'/>"
    "<interface type='bridge'><model type='e1000'/></interface>"
    "<hostdev type='pci'/><video><model type='cirrus'/></video>"
    "<input type='tablet' bus='usb'/><redirdev/><tpm model='tpm-tis'/>"
)
#: What a byte is replaced by, so that XML is no XML any more.
BYTES = (b"<", b">", b"&", b"'", b"\x00", b"\xff", b"<!DOCTYPE x>", b"")


#: Names that the reader knows, so that it reads the generated XML.
PATHS = sorted(
    {
        place.path.partition("[")[0].replace("//", "/")
        for place in itertools.chain(
            NO_WORD,
            *domain_xml.PLACES.values(),
            *(device.places for device in HOST_DEVICES),
        )
    }
)


def grown(mutator: Mutator, root: Any) -> None:
    """Add an element where the reader looks for one."""
    parent = root
    for tag in mutator.one_of(PATHS).split("/"):
        there = [] if mutator.chance(0.5) else parent.findall(tag)
        parent = there[0] if there else ElementTree.SubElement(parent, tag)
    for name in ("type", "model", "bus", "device"):
        if mutator.chance(0.5):
            parent.set(name, mutator.one_of(("pci", "usb", "disk", *TEXTS)))


def changed(mutator: Mutator, root: Any) -> None:
    """Make one place of a tree odd."""
    nodes = list(root.iter())
    node = mutator.one_of(nodes)
    way = mutator.random.randint(0, 4)
    if way == 0 and node.attrib:
        node.set(mutator.one_of(sorted(node.attrib)), mutator.one_of(TEXTS))
    elif way == 1:
        node.text = mutator.one_of(TEXTS)
    elif way == 2 and len(node):
        node.remove(mutator.one_of(list(node)))
    elif way == 3:
        node.tag = mutator.one_of(("disk", "odd", "{urn:x}y", nodes[-1].tag))
    else:
        grown(mutator, root)


def xml(mutator: Mutator) -> bytes:
    """Return an odd document."""
    root = ElementTree.fromstring(text(DEVICES))
    for _ in range(mutator.random.randint(0, 6)):
        changed(mutator, root)
    made = ElementTree.tostring(root, encoding="unicode").encode(
        errors="replace"
    )
    if mutator.chance(0.2):
        at = mutator.random.randrange(len(made))
        return made[:at] + mutator.one_of(BYTES) + made[at + 1 :]
    return made


def test_fuzz_of_domains() -> None:
    """Domains: none is a traceback, a hang, or an unclean line."""
    count: Counter[str] = Counter()

    def outcome(mutator: Mutator) -> str:
        given = xml(mutator)
        with patience():
            try:
                result = domain.read(given, START, "x86_64")
            except domain.DomainError as error:
                assert not unclean(str(error)), (mutator.name, given)
                return "refused"
            verdict = evaluate(POLICY, result.request, result.subject, TODAY)
            words = messages.describe(verdict.violations, result.subject)
        assert not unclean(words), (mutator.name, given)
        count["violate"] += bool(verdict.violations)
        count["faults"] += bool(result.request.faults)
        count["of the host"] += bool(result.request.passthrough)
        return "read"

    count.update(tried(outcome, INPUTS, "domain "))
    for name in ("refused", "read", "violate", "faults", "of the host"):
        assert count[name] > INPUTS / 50, count
