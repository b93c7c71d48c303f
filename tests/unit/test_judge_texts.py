# SPDX-License-Identifier: Apache-2.0
"""Sentences of policy/ and request/, which no other test repeats.

They are in ``judge.golden`` (see ``tests/golden.py``).
"""

from collections.abc import Iterator
from pathlib import Path

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy import hosts
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import Assume, Mode
from nova_vhard.policy.subject import BOOT, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import image
from nova_vhard.request.rescue import rescued
from tests import golden
from tests.unit import (
    test_defaults,
    test_domain_reader,
    test_one_time_use,
    test_rescues,
    test_server_reader,
)
from tests.unit.helpers import TODAY, policy
from tests.unit.lookups import lookups

DEMANDS = (
    (hosts.HOSTS_REQUIRE,),
    (hosts.PASSTHROUGH_REQUIRE,),
    (hosts.PASSTHROUGH_REQUIRE, hosts.FLAVOR_REQUIRE),
)


def defaults() -> Iterator[str]:
    """Yield the reason for a default, for the first row of test_defaults."""
    rows = {}
    for properties, more, _ in test_defaults.ROWS:
        for choice in test_defaults.picked(properties, **more).values():
            rows.setdefault(choice.implied, (choice, properties | more))
    assume = Assume(**test_defaults.NO_TABLET)
    for request, _ in test_defaults.HARDWARE:
        for choice in test_defaults.implied(request, assume):
            buses = [each.value for each in request.choices]
            rows.setdefault(choice.implied, (choice, buses))
    for why, (choice, place) in rows.items():
        yield f"{choice.kind}={choice.value} of {place}: {why}"


def unset() -> Iterator[str]:
    """Yield the sentence for a kind without such a default."""
    for kind in KINDS.values():
        if not kind.image_properties:
            continue
        rule = {"allow": ["?*"] if kind.of_file else [], "explicit": True}
        rules = policy(guest_devices={kind.name: rule})
        request = HardwareRequest(devices=())
        for violation in evaluate(
            rules, request, Subject(BOOT), TODAY
        ).violations:
            choice = violation.choice
            yield f"{choice.kind}={choice.value}: {choice.implied}"


def faults() -> Iterator[str]:
    """Yield the sentences for references that cannot be judged."""
    slow = test_rescues.server(
        properties={"os_shutdown_timeout": "61"}, running=True
    )
    find = lookups(own_image={slow.id: None}, kept_devices={slow.id: ()})
    gone = test_server_reader.server(
        **{**test_server_reader.SHELVED, "shelved_image": "gone"}
    )
    reader = test_server_reader.reader(gone).unshelve(
        "a-server", {"unshelve": None}
    )
    domain = test_domain_reader.read("<vsock model='virtio'/>")
    address = {"base_image": test_rescues.ADDRESS}
    for fault in (
        *image.read({"base_image_ref": "x"}).faults,
        *image.read({"hw_boot_menu": "x" * 256}).faults,
        test_rescues.unusable(**address),
        test_rescues.unusable(**address, image=None),
        test_rescues.unusable(image=test_rescues.GONE),
        *rescued(find, slow, test_rescues.STABLE).faults,
        *rescued(
            lookups(own_image={}), test_rescues.server(), test_rescues.STABLE
        ).faults,
        *reader.hardware.faults,
        *domain.request.faults,
    ):
        text = f"{fault.source}={fault.value} {fault.message}"
        yield f"{text}: {fault.fix}" if fault.fix else text


def passthrough() -> Iterator[str]:
    """Yield the sentences for devices of the host."""
    rules = test_one_time_use.rules("one_time_use")
    verdict = test_one_time_use.judged(rules, *test_one_time_use.NEVER)
    for violation in verdict.violations:
        yield violation.cause.text


def demands() -> Iterator[str]:
    """Yield the sentences for checks that no host has passed."""
    texts = (
        *(hosts.NOBODY, hosts.NO_CANDIDATE, hosts.ITS_HOST),
        *(hosts.UNKNOWN, hosts.THIS_HOST),
    )
    for rules in DEMANDS:
        checks = frozenset(("kernel_aslr", "iommu"))
        demand = hosts.HostRequirement(rules, checks, Mode.ENFORCE)
        yield from (demand.failed(text).cause.text for text in texts)


def rows_of(section) -> Iterator[str]:
    yield f"# {section.__doc__.partition('Yield ')[2]}"
    yield from sorted(set(section()))


def test_the_sentences():
    sections = (defaults, unset, faults, passthrough, demands)
    lines = (line for section in sections for line in rows_of(section))
    golden.check(Path(__file__).with_name("judge.golden"), lines)
