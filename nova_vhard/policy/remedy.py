# SPDX-License-Identifier: Apache-2.0
"""What would mend a violation: which settings to make, and where."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.policy.defaults import implied
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    DOMAIN,
    FLAVOR,
    IMAGE,
    NOBODY,
    PASSTHROUGH,
    SERVER,
    DeviceChoice,
    HardwareRequest,
    Holder,
)
from nova_vhard.policy.model import Policy
from nova_vhard.policy.proposals import Proposals
from nova_vhard.policy.subject import ATTACH, Subject

_EMULATION = "emulation_architecture"

#: Names of properties and their values.
Properties = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A setting to be made, or to be left out.

    :ivar origin: where it stands: IMAGE, VOLUME, FLAVOR, BLOCK_DEVICE, or
        SERVER for a device that a server keeps
    :ivar name: the name that is set there
    :ivar value: what to set; None for leaving it out
    :ivar holder: the image or volume that it stands in
    :ivar where: of a device that a server keeps: which one, in words
    """

    origin: str
    name: str
    value: str | None
    holder: Holder = NOBODY
    where: str = ""


def is_foreign(origin: str, holder: Holder, subject: Subject) -> bool:
    """Return whether an image is another project's to change."""
    if origin != IMAGE or not subject.project:
        return False
    return holder.project not in (None, subject.project)


class Remedies:
    """What would mend the violations of one guest.

    :param request: the choices that are judged
    :param own: the request of the guest that ``request`` is plugged into,
        where it is a rescue disk
    """

    def __init__(
        self,
        policy: Policy,
        request: HardwareRequest,
        subject: Subject,
        own: HardwareRequest | None = None,
    ) -> None:
        self.policy = policy
        self._request = request
        self.subject = subject
        self._own = own or request
        plugged = subject.operation == ATTACH
        self._proposals = Proposals(policy, request, plugged)
        self._copies: dict[Holder, Properties] = {}

    def changes(self, choice: DeviceChoice) -> tuple[Change, ...]:
        """Return what would mend a choice; nothing where nothing can."""
        if choice.origin in (PASSTHROUGH, DOMAIN) or choice.kind in OF_FILE:
            return ()
        if choice.origin == FLAVOR:
            return (Change(FLAVOR, choice.setting, None),)
        instead = self._another_rescue_bus(choice)
        if instead is not None:
            return (instead,)
        change = _change(choice, self._proposals.value(choice.kind))
        if change is None or self._is_vain(change, choice.kind):
            return ()
        if choice.kind == _EMULATION:
            return (change, *self._without_emulation(change.value))
        on_scsi = self._proposals.is_on_scsi(choice.kind)
        if on_scsi and choice.origin != SERVER:
            return (change, *self._controller())
        return (change,)

    def _is_vain(self, change: Change, kind: str) -> bool:
        """Return whether it takes away what has to be there."""
        if change.value is not None or "[" in change.name:
            return False
        if change.origin == SERVER:
            return False
        return not self._proposals.may_be_unset(kind)

    def _without_emulation(self, value: str | None) -> Iterator[Change]:
        """Yield what mends the defaults of what is emulated from then on."""
        after = replace(self._request, emulated=value)
        remedies = Remedies(self.policy, after, self.subject)
        for choice in implied(after, self.policy.assume):
            rule = self.policy.guest_devices.get(choice.kind)
            if rule is not None and choice.value not in rule.allow:
                yield from remedies.changes(choice)

    def carried(self, origin: str, holder: Holder) -> Properties:
        """Return what a copy of another project's image has to say.

        A copy has no properties but those that are given to it: the device
        choices that the policy allows.
        """
        if not is_foreign(origin, holder, self.subject):
            return ()
        if holder not in self._copies:
            self._copies[holder] = tuple(
                (choice.setting, choice.written or str(choice.value))
                for choice in self._request.choices
                if choice.holder == holder and self._is_kept(choice)
            )
        return self._copies[holder]

    def _is_kept(self, choice: DeviceChoice) -> bool:
        if "[" in choice.setting:
            return False
        rule = self.policy.guest_devices.get(choice.kind)
        return rule is None or choice.value in rule.allow

    def _controller(self) -> tuple[Change, ...]:
        """Return what gives a disk on scsi a controller that may be."""
        value = Proposals(self.policy, self._own).scsi_controller()
        if value is None:
            return ()
        name = KINDS["scsi_model"].image_properties[0]
        return (Change(self._own.origin, name, value, self._own.holder),)

    def _another_rescue_bus(self, choice: DeviceChoice) -> Change | None:
        """Return another bus for a rescue disk on scsi.

        Its controller is the server's: another bus is the way out where its
        user cannot change the image of the server.
        """
        disk = self._request.rescue_disk
        if disk is None or choice.kind != "scsi_model" or not choice.implied:
            return None
        holder = choice.holder
        foreign = is_foreign(choice.origin, holder, self.subject)
        if not foreign and not holder.stored:
            return None
        bus = Proposals(self.policy, disk).rescue_bus_but_scsi()
        name = KINDS["rescue_bus"].image_properties[0]
        return Change(disk.origin, name, bus, disk.holder) if bus else None


def _change(choice: DeviceChoice, value: str | None) -> Change | None:
    names = KINDS[choice.kind].image_properties
    name = names[0] if names else ""
    if choice.origin == SERVER:
        return Change(SERVER, name, value, where=choice.source)
    if choice.origin == BLOCK_DEVICE or name not in choice.names:
        # A list of block devices: a value in an entry of it, or an entry or
        # a list that cannot be read.
        value = value if "." in choice.setting else None
        return Change(choice.origin, choice.setting, value, choice.holder)
    if value is not None:
        return Change(choice.origin, name, value, choice.holder)
    if choice.implied is not None:
        return None
    return Change(choice.origin, choice.setting, None, choice.holder)
