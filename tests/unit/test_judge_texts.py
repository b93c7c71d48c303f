# SPDX-License-Identifier: Apache-2.0
"""Sentences of policy/ and request/, which no other test repeats.

They are in ``judge.golden`` (see ``tests/golden.py``).
"""

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.policy import hardware, hosts, model, subject, verdict
from nova_vhard.request import image, rescue
from tests import golden
from tests.unit import (
    test_defaults,
    test_domain_reader,
    test_server_reader,
    test_verdict,
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
    assume = model.Assume(**test_defaults.NO_TABLET)
    for request, _ in test_defaults.HARDWARE:
        for choice in test_defaults.defaults.implied(request, assume):
            rows.setdefault(
                choice.implied,
                (choice, [each.value for each in request.choices]),
            )
    for why, (choice, place) in rows.items():
        yield f"{choice.kind}={choice.value} of {place}: {why}"


def unset() -> Iterator[str]:
    """Yield the sentence for a kind without such a default."""
    for kind in filter(attrgetter("image_properties"), KINDS.values()):
        rule = {"allow": ["?*"] if kind.of_file else [], "explicit": True}
        for violation in verdict.evaluate(
            policy(guest_devices={kind.name: rule}),
            hardware.HardwareRequest(devices=()),
            subject.Subject(subject.BOOT),
            TODAY,
        ).violations:
            choice = violation.cause.choice
            yield f"{choice.kind}={choice.value}: {choice.implied}"


def faults() -> Iterator[str]:
    """Yield the sentences for references that cannot be judged."""
    slow = test_server_reader.rescue_server(
        properties={"os_shutdown_timeout": "61"}, running=True
    )
    find = lookups(own_image={slow.id: None}, kept_devices={slow.id: ()})
    reader = test_server_reader.reader(
        test_server_reader.server(
            **{**test_server_reader.SHELVED, "shelved_image": "gone"}
        )
    ).unshelve("a-server", {"unshelve": None})
    domain = test_domain_reader.read("<vsock model='virtio'/>")
    address = {"base_image": test_server_reader.ADDRESS}
    for fault in (
        *image.read({"base_image_ref": "x"}).faults,
        *image.read({"hw_boot_menu": "x" * 256}).faults,
        test_server_reader.unusable(**address),
        test_server_reader.unusable(**address, image=None),
        test_server_reader.unusable(image=test_server_reader.GONE),
        *rescue.rescued(find, slow, test_server_reader.STABLE).faults,
        *rescue.rescued(
            lookups(own_image={}),
            test_server_reader.rescue_server(),
            test_server_reader.STABLE,
        ).faults,
        *reader.hardware.faults,
        *domain.request.faults,
    ):
        text = f"{fault.source}={fault.value} {fault.message}"
        yield f"{text}: {fault.fix}" if fault.fix else text


def passthrough() -> Iterator[str]:
    """Yield the sentences for devices of the host."""
    asked = test_verdict.rules("one_time_use"), *test_verdict.NEVER
    violations = test_verdict.judged(*asked).violations
    yield from (violation.cause.text for violation in violations)


def demands() -> Iterator[str]:
    """Yield the sentences for checks that no host has passed."""
    texts = (
        *(hosts.NOBODY, hosts.NO_CANDIDATE, hosts.ITS_HOST),
        *(hosts.UNKNOWN, hosts.THIS_HOST),
    )
    for rules in DEMANDS:
        demand = hosts.HostRequirement(
            rules, frozenset(("kernel_aslr", "iommu")), model.Mode.ENFORCE
        )
        yield from (demand.failed(text).cause.text for text in texts)


def rows_of(section) -> Iterator[str]:
    yield f"# {section.__doc__.partition('Yield ')[2]}"
    yield from sorted(set(section()))


def test_the_sentences():
    sections = (defaults, unset, faults, passthrough, demands)
    lines = (line for section in sections for line in rows_of(section))
    golden.check(Path(__file__).with_name("judge.golden"), lines)
