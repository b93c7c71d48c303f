# SPDX-License-Identifier: Apache-2.0
"""Requests, and the fixes that the search finds for them, as data.

``made`` returns the request of a case in ``requests.yaml``. The keys of a case
are:

``kinds``, ``policy``, ``preset``
    kinds with their allowed values or rules; further keys of the policy; the
    name of a shipped policy
``operation``, ``image``, ``disk``, ``origin``, ``holder``
    operation on an image or a volume; image properties; disk format; the
    holder, as a name in ``HOLDERS`` or as the fields of a Holder
``before``
    properties of the image before the change
``subject``
    id of the image that the request names
``boot``, ``find``
    request body of a boot from this image, in the format of Nova's API;
    responses to its look-ups
``rescued_with``
    properties of the rescue image for a server of this image
``flavor``, ``body``
    extra specs of a flavor; block devices in a request body without an image
``choices``, ``passthrough``
    hardware that no document describes
``edits``, ``left``, ``complete``, ``changes``, ``documents``
    result of the search, and the documents after the edits
``say``
    kind of text in the golden file: an answer, a fix or a fault
"""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

from nova_vhard.explain import search
from nova_vhard.explain.draft import Draft
from nova_vhard.policy.hardware import (
    NOBODY,
    STORED,
    DeviceChoice,
    HardwareRequest,
    Holder,
    Passthrough,
)
from nova_vhard.policy.subject import BOOT, RESCUE, Subject
from nova_vhard.request import (
    block_device,
    compose,
    nova_api,
    rescue,
    server_request,
)
from nova_vhard.request.lookups import Flavor, Image
from tests.unit.helpers import TODAY, policy, shipped

OWN = Holder("0ef1", "p1", "qcow2")
FOREIGN = Holder("f0e1", "p2", "qcow2")
HOLDERS = {"own": OWN, "foreign": FOREIGN, "stored": STORED, "no": NOBODY}
WHO = SimpleNamespace(project_id="p1", project_domain_id=None, roles=())


def allowing(kinds, **keys):
    """Return a policy from kinds with their allowed values or their rules."""
    rules = {
        kind: rule if isinstance(rule, dict) else {"allow": rule}
        for kind, rule in kinds.items()
    }
    return policy(guest_devices=rules, **keys)


def of(properties, operation=BOOT, holder=OWN, origin="image", disk=None):
    """Return a request of project p1 about an image."""
    return server_request.of_image(
        Image(properties, disk, origin, holder),
        Subject(operation, "p1", image=holder.id),
    )


def change(before, after, operation):
    """Return a request of project p1 to change an image."""
    names = {name for name, _ in before.items() ^ after.items()}
    return server_request.of_image(
        Image(after, holder=NOBODY),
        Subject(operation, "p1"),
        Image(before),
        frozenset(names),
    )


def rules(case):
    """Return the policy of a case."""
    if "preset" in case:
        return shipped(case["preset"])
    return allowing(case.get("kinds", {}), **case.get("policy", {}))


def made(case):
    """Return the request of a case, and its reader if it has one."""
    operation, origin = case.get("operation"), case.get("origin", "image")
    if "before" in case:
        return change(case["before"], case["image"], operation), None
    name = case.get("holder", "own")
    holder = HOLDERS[name] if isinstance(name, str) else Holder(*name)
    image = Image(case.get("image", {}), case.get("disk"), origin, holder)
    if "subject" in case:
        subject = Subject(BOOT, "p1", image=case["subject"])
        return server_request.of_image(image, subject), None
    for key, reader in READERS.items():
        if key in case:
            named = "m1 `gpu`" if reader is _hardware else None
            subject = Subject(operation or BOOT, "p1", flavor=named)
            read = partial(reader, case, image)
            return read(Draft(subject)), read
    return server_request.of_image(
        image, Subject(operation or BOOT, "p1", image=holder.id)
    ), None


def answering(**answers):
    """Return a mock of the look-ups with these return values."""
    lookups = Mock()
    for name, answer in answers.items():
        getattr(lookups, name).return_value = answer
    return lookups


def _boot(case, image, draft):
    find = answering(boot_image=image, boot_flavor=Flavor("m1", "1"))
    again = draft.lookups(case.get("find") or find)
    return nova_api.ServerReader(again, WHO).boot(
        again.body({"server": case["boot"]})
    )


def _rescue(case, image, draft):
    rescuer = Image(
        case["rescued_with"], "raw", holder=Holder("4e5c", "p1", "raw")
    )
    hardware = replace(
        draft.image(image).hardware(),
        rescue_disk=rescue.rescue_disk(draft.image(rescuer)),
    )
    return server_request.ServerRequest(hardware, Subject(RESCUE, "p1"))


def _documents(case, image, draft):
    """Read an image, a flavor and the block devices of a body."""
    hardware = HardwareRequest()
    if "image" in case:
        hardware = draft.image(image).hardware()
    if "flavor" in case:
        hardware = compose.with_specs(
            hardware, draft.of("flavor", NOBODY, case["flavor"])
        )
    if "body" in case:
        name = "block_device_mapping_v2"
        body = draft.of("block_device", NOBODY, {name: case["body"]})
        hardware = hardware.plus(*block_device.read(body.get(name, []), name))
    kept = [DeviceChoice(**each) for each in case.get("kept", ())]
    return server_request.ServerRequest(hardware.plus(kept), draft.subject)


def _hardware(case, image, draft):
    choices = tuple(DeviceChoice(**x) for x in case.get("choices", ()))
    hardware = HardwareRequest(
        choices,
        devices=frozenset(),
        passthrough=tuple(
            Passthrough(**each) for each in case.get("passthrough", ())
        ),
        only=frozenset(x.kind for x in choices) or None,
    )
    return server_request.ServerRequest(hardware, draft.subject)


READERS = {
    "boot": _boot,
    "rescued_with": _rescue,
    "flavor": _documents,
    "body": _documents,
    "choices": _hardware,
    "passthrough": _hardware,
}


def found(rules, request, read=None):
    """Return the refusals of a request, and the results of the search."""
    refusals = request.verdict(rules, TODAY).refusals
    return refusals, search.fix(rules, refusals, request, TODAY, read)


def edits(fix):
    """Return the edits of a fix of one image, as name to value."""
    return {name: value for (_, name), value in fix.draft.edits.items()}


def left(fix):
    """Return the kinds whose rules are still violated."""
    return [
        rule.removeprefix("guest_devices.")
        for violation in fix.left
        for rule in violation.rules
    ]
