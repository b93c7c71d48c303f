# SPDX-License-Identifier: Apache-2.0
"""Search for changes that make a refused request acceptable.

The search edits the documents of a request, reads them again and evaluates
the result. Each fix is therefore checked with its side effects: a disk on a
scsi bus, for example, needs an allowed controller.
"""

import datetime
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.catalogue.guests import BUSES, SCSI, can_have
from nova_vhard.common.commands import is_plain
from nova_vhard.common.log import get_logger
from nova_vhard.explain.draft import (
    Draft,
    Edits,
    NotAnswered,
    Place,
    Setting,
    entries,
    is_foreign,
)
from nova_vhard.policy.defaults import LISTS, machine_type
from nova_vhard.policy.hardware import (
    DOMAIN,
    FLAVOR,
    SERVER,
    HardwareRequest,
)
from nova_vhard.policy.model import Policy, weaker
from nova_vhard.policy.subject import Subject
from nova_vhard.policy.verdict import Violation
from nova_vhard.request.image import KIND_OF
from nova_vhard.request.server_request import ServerRequest

LOG = get_logger(__name__)

# Tenants choose the length of a request, so limit the search: by violations,
# evaluations and CPU time of this thread. Wall-clock time would make the
# proposed fix depend on the load of the machine.
MOST_VIOLATIONS = 32
MOST_JUDGEMENTS = 96
MOST_SECONDS = 0.04

# Origins of choices that are not in a document.
_FIXED = frozenset((DOMAIN, SERVER))
# Properties that describe the content of an image, which no edit changes.
_KEPT = frozenset(
    (
        *("hw_architecture", "architecture"),
        *("os_distro", "vmware_ostype"),
        "disk_format",
    )
)

#: Read a request from edited documents; None if there is no request.
Read = Callable[[Draft], ServerRequest | None]
#: The rules that a violation breaks, and its place.
_Spot = tuple[Any, ...]


@dataclass(frozen=True)
class Fix:
    """Changes that fix violations.

    :ivar draft: the edited documents
    :ivar left: violations that these changes do not fix
    :ivar complete: False if the search stopped early or did not run, so that
        a fix may exist for the violations that are left
    """

    draft: Draft
    left: Sequence[Violation] = ()
    complete: bool = True

    @property
    def changes(self) -> list[dict[str, str | None]]:
        """The changes as data, in the order in which they were found.

        ``place`` is image, volume, flavor, block_device (in the request), or
        server for properties that Nova keeps with it; ``id`` is the id of the
        image or volume, if known; ``value`` is None to remove the setting.
        """
        return [
            {
                "place": SERVER if holder.stored else origin,
                "id": holder.id,
                "property": name,
                "value": value,
            }
            for ((origin, holder), name), value in self.draft.edits.items()
        ]


def fix(
    policy: Policy,
    wanted: Sequence[Violation],
    request: ServerRequest,
    today: datetime.date,
    read: Read | None = None,
) -> Fix:
    """Search for changes that fix violations of a request.

    :param wanted: the violations; a fix must not add any that are as strict
    :param read: reads the edited request; ignored if ``request`` is about an
        image itself
    :returns: a Fix without changes if the search fails. The error is logged
        and not raised, because it must not undo the refusal
    """
    image = request.image
    if image is not None:

        def read(draft: Draft) -> ServerRequest:
            edited = draft.image(image, request.before)
            touched = draft.touched(request.touched)
            return replace(
                request,
                hardware=edited.hardware(),
                touched=touched,
                with_defaults=True,
            )

    stopped = Fix(Draft(request.subject), wanted, complete=False)
    if read is None or not wanted:
        return stopped
    try:
        return _Search(
            policy,
            wanted,
            request.subject,
            today,
            read,
            left=MOST_JUDGEMENTS,
            end=time.thread_time() + MOST_SECONDS,
        ).run()
    except NotAnswered:
        return stopped
    except Exception:
        # A refusal without a fix is better than an answer 503.
        LOG.exception("The search for the fix of a refusal has failed")
        return stopped


@dataclass(frozen=True)
class _State:
    """A draft and its violations."""

    draft: Draft
    violations: Mapping[_Spot, Violation]


def _spot(violation: Violation) -> _Spot:
    """Return a key that identifies the violation in every draft."""
    cause = violation.cause
    choice = cause.choice
    if choice is not None:
        return violation.rules, (choice.origin, choice.holder), choice.setting
    return violation.rules, cause.where, cause.value, violation.devices


@dataclass
class _Search:
    policy: Policy
    wanted: Sequence[Violation]
    subject: Subject
    today: datetime.date
    read: Read
    left: int
    end: float
    answers: dict[Any, Any] = field(default_factory=dict)

    def run(self) -> Fix:
        state = self._judged({})
        if len(state.violations) > MOST_VIOLATIONS:
            return Fix(state.draft, self.wanted, complete=False)
        wanted = {_spot(violation): violation for violation in self.wanted}
        # Other values depend on the emulated architecture.
        first = ("guest_devices.emulation_architecture",)
        spots = sorted(wanted, key=lambda spot: spot[0] != first)
        # Two passes, because one change can make another possible.
        for spot in (*spots, *spots):
            if spot in state.violations:
                state = self._without(spot, state) or state
                state = self._spread(spot, spots, state)
        # Drop edits that later ones made unnecessary, but none of a setting
        # that is refused itself.
        named = {spot[1:] for spot in wanted}
        for setting in [e for e in state.draft.edits if e not in named]:
            edits = {
                each: value
                for each, value in state.draft.edits.items()
                if each != setting
            }
            fewer = state if self._is_spent() else self._judged(edits)
            if fewer.violations.keys() <= state.violations.keys():
                state = fewer
        left = [wanted[spot] for spot in spots if spot in state.violations]
        return Fix(state.draft, left, not left or not self._is_spent())

    def _is_spent(self) -> bool:
        return self.left <= 0 or time.thread_time() > self.end

    def _judged(self, edits: Edits) -> _State:
        self.left -= 1
        draft = Draft(self.subject, edits, self.answers)
        request = self.read(draft)
        if request is None:
            raise NotAnswered
        verdict = request.verdict(self.policy, self.today)
        weakest = functools.reduce(weaker, (v.mode for v in self.wanted))
        violations = list(verdict.violations)
        copies = {
            place for place, _ in edits if is_foreign(place, self.subject)
        }
        if copies:
            # An exemption for an image does not apply to its copy.
            every = self.policy.exemptions
            of_images = {each.id for each in every if each.images}
            violations += [
                violation
                for violation, name in verdict.exempted
                if name in of_images and _spot(violation)[1] in copies
            ]
        return _State(
            draft,
            {
                _spot(violation): violation
                for violation in violations
                if weaker(violation.mode, weakest) is weakest
            },
        )

    def _without(self, spot: _Spot, state: _State) -> _State | None:
        """Return a state without this violation and without new ones."""
        others, further = state.violations.keys() - {spot}, []
        if self._is_spent():
            return None
        for setting, value in self._options(spot, state):
            after = self._judged({**state.draft.edits, setting: value})
            # An image update keeps the old value only as a last resort.
            kept = value is None and setting[0] in state.draft.before
            if after.violations.keys() <= others and not kept:
                return after
            if self._is_spent():
                return None
            if spot not in after.violations:
                further.append(after)
        # Try to fix the violations that an edit adds.
        for after in further:
            result: _State | None = after
            for other in after.violations:
                if result and other in result.violations.keys() - others:
                    result = self._without(other, result)
            if result and result.violations.keys() <= others:
                return result
        return None

    def _spread(
        self, spot: _Spot, spots: Sequence[_Spot], state: _State
    ) -> _State:
        """Return a state with the same edit in all similar block devices."""
        alike = [
            other
            for other in spots
            if other[:2] == spot[:2] and other in state.violations
        ]
        edits, others = state.draft.edits, state.violations.keys()
        if not alike or "[" not in spot[2] or spot[1:] not in edits:
            return state
        same = dict.fromkeys((o[1:] for o in alike), edits[spot[1:]])
        after = self._judged({**edits, **same})
        fixed = after.violations.keys() <= others - set(alike)
        return after if fixed else state

    def _options(
        self, spot: _Spot, state: _State
    ) -> list[tuple[Setting, str | None]]:
        """Return edits to try, first those that this user can make."""
        draft, cause = state.draft, state.violations[spot].cause
        options: list[tuple[Setting, str | None]] = []
        choice = cause.choice
        if choice is not None:
            if choice.origin in _FIXED or choice.kind in OF_FILE:
                return []
            place = choice.origin, choice.holder
            options += self._of(place, choice.setting, choice.kind, draft)
        for place, document in draft.documents.items():
            for name in sorted(cause.names & document.keys()):
                options += self._of(place, name, KIND_OF.get(name), draft)

        new = [each for each in options if each[0] not in draft.edits]
        return sorted(
            dict.fromkeys(new),
            key=lambda option: (
                option[0][0][1].stored,
                is_foreign(option[0][0], self.subject),
            ),
        )

    def _of(
        self, place: Place, name: str, kind: str | None, draft: Draft
    ) -> Iterator[tuple[Setting, str | None]]:
        """Yield edits of a setting: its allowed values, then its removal."""
        document = draft.documents.get(place)
        whole, bracket, _ = name.partition("[")
        entry, dot, _ = name.partition(".")
        if document is None or whole in _KEPT:
            return
        before = draft.before.get(place, document)
        if before is not document and whole in LISTS:
            # In an image update, the only edit of a list is to keep the old.
            yield (place, whole), None
        elif dot:
            for value in self._values(kind, place, draft):
                yield (place, name), value
            yield (place, name), None
            yield (place, f"{entry}.device_type"), None
        elif name in LISTS and entries(document.get(name)):
            # Keep the list: the guest needs its other block devices.
            for index, item in enumerate(entries(document[name])):
                if isinstance(item, Mapping) and item.get("device_type"):
                    yield (place, f"{name}[{index}].device_type"), None
        else:
            if kind and not bracket and place[0] != FLAVOR:
                target = KINDS[kind].image_properties[0]
                for value in self._values(kind, place, draft):
                    yield (place, target), value
            if bracket or name in document or name in before:
                yield (place, name), None

    def _values(
        self, kind: str | None, place: Place, draft: Draft
    ) -> Iterator[str]:
        """Yield allowed values that QEMU supports, in the policy's order."""
        rule = self.policy.guest_devices.get(str(kind))
        if rule is None:
            return
        documents = draft.documents[place], *draft.documents.values()
        # Architecture that QEMU runs, by precedence.
        names = "hw_emulation_architecture", "hw_architecture", "architecture"
        stated = (each.get(name) for each in documents for name in names)
        named = next(filter(None, stated), self.policy.assume.architecture)
        arch = KINDS["architecture"].canonical(str(named))
        stated = (each.get("hw_machine_type") for each in documents)
        machine = machine_type(
            HardwareRequest(
                architecture=arch,
                machine_type=None
                if kind == "machine_type"
                else next(filter(None, stated), None),
            ),
            self.policy.assume,
        )
        device = rule.kind
        if kind == "rescue_bus":
            cdrom = documents[0].get("hw_rescue_device") == "cdrom"
            device = "cdrom_bus" if cdrom else "disk_bus"
        values = [*rule.allow.literals, *KINDS[rule.kind].values]
        if kind == "machine_type":
            values.append(machine or "")
        if kind in BUSES:
            # scsi is last, because its controller must be allowed as well.
            values.sort(key=SCSI.__eq__)
        yield from (
            value
            for value in dict.fromkeys(filter(is_plain, values))
            if value in rule.allow
            and can_have(device, value, arch)
            # A q35 machine has no IDE controller.
            and not (value == "ide" and "q35" in str(machine))
        )
