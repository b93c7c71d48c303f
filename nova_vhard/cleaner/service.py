# SPDX-License-Identifier: Apache-2.0
"""The cleaner: look at every device of the host once."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_vhard.catalogue.device_words import FORCED, RELEASE, REQUESTED
from nova_vhard.cleaner import lock, rules_file
from nova_vhard.cleaner.attend import DeviceLifecycle
from nova_vhard.cleaner.cleaning import Waits
from nova_vhard.cleaner.decide import OperatorRequest, Settings
from nova_vhard.cleaner.journal import Journal, Record, State
from nova_vhard.cleaner.rules import Rules
from nova_vhard.cleaner.step import Step
from nova_vhard.cleaner.step_process import Isolation
from nova_vhard.common import trusted
from nova_vhard.common.log import get_logger
from nova_vhard.daemon import identity
from nova_vhard.host import libvirt
from nova_vhard.host.root import HostRoot
from nova_vhard.placement import devices, request_traits
from nova_vhard.placement.client import Placement, PlacementError, Provider
from nova_vhard.placement.devices import Offered

LOG = get_logger(__name__)

_DEVICES = "devices"
_NOBODY = "{} has no provider of a one-time-use device there"


@dataclass
class Round:
    """Results of a round.

    :ivar records: address to the journal's record
    :ivar troubles: address, or another subject, to the error
    :ivar refused: addresses of devices with a refused request
    """

    records: dict[str, Record] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Return whether everything could be looked at."""
        return not self.troubles

    def refuse(self, address: str, reason: str) -> None:
        """Keep that a request for a device is not carried out."""
        LOG.error("%s: a request is refused: %s", address, reason)
        self.troubles[address] = reason
        self.refused.add(address)


class Cleaner:
    """Cleans the one-time-use devices of one host.

    :param options: group ``vhard_cleaner``
    :param placement: Placement of the cloud
    :param steps: by name; by default those that are installed
    :param alive: called several times a second while a step is waited for
    :param stopping: whether no further device is to be begun
    """

    def __init__(
        self,
        options: Any,
        placement: Placement,
        steps: Mapping[str, Step] | None = None,
        alive: Callable[[], None] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stopping = stopping
        self._options = options
        self._placement = placement
        self._steps = steps or rules_file.installed_steps()
        self.isolation = Isolation(alive)
        self.root = HostRoot(options.root)
        self.journal = Journal(f"{options.state_path}/{_DEVICES}")
        self.libvirt = libvirt.of_tree(self.root, options.libvirt_uri)
        self._round = Round()
        self._lifecycle = DeviceLifecycle(
            placement,
            self.root,
            self.libvirt,
            self.journal,
            self._rules,
            lambda name, job: self.isolation.run(self._steps[name], job),
            Settings(
                options.release_automatically,
                options.attempts,
                options.trust_new,
            ),
            # Each round has a Round of its own.
            lambda *refused: self._round.refuse(*refused),  # noqa: PLW0108
        )

    def once(
        self,
        only: Collection[str] = (),
        request: OperatorRequest | None = None,
    ) -> Round:
        """Look at every device once, and do what is to be done.

        :param only: addresses; all devices by default
        :param request: what is asked for these, beside what is in Placement
        :raises PlacementError: if the devices cannot be listed
        """
        done = self._round = Round()
        root = identity.own(self._placement, self._options)
        offered, faults = devices.offered(self._placement, root)
        for fault in faults:
            LOG.error("It is left as it is: %s", fault)
            done.troubles[fault] = "it is left as it is"
        for address in {*only} - {device.address for device in offered}:
            done.troubles[address] = _NOBODY.format(root.name)
        for device in offered:
            if self._stopping():
                return done
            kept = device.address in self._options.keep_reserved
            if not kept and (not only or device.address in only):
                self._attend(device, root, request, done)
        if not only:
            # A word about each device that is not to be had.
            words = {
                device.address: word
                for device in offered
                if (word := self._word(device.address, done))
            }
            try:
                request_traits.tell(self._placement, root.uuid, words)
            except PlacementError as error:
                LOG.error("Nothing is told about devices: %s", error)
                done.troubles[root.name] = str(error)
        return done

    def _attend(
        self,
        device: Offered,
        root: Provider,
        request: OperatorRequest | None,
        done: Round,
    ) -> None:
        address = device.address
        try:
            with lock.hold(self._options.run_dir, address, self.root):
                request = request or self._requested(device, root)
                record = self._lifecycle.attend(device, request)
                done.records[address] = record
        except (PlacementError, lock.Locked, OSError) as error:
            LOG.error("%s is left as it is: %s", address, error)
            done.troubles[address] = str(error)
        except Exception as error:
            # One device's surprise does not keep the others waiting.
            LOG.exception("%s is left as it is", address)
            text = f"{type(error).__name__}: {error}"
            done.troubles[address] = text

    def _requested(self, device: Offered, root: Provider) -> OperatorRequest:
        """Return what is asked for a device; it is not asked any longer.

        :raises PlacementError: if the request cannot be taken away
        """
        address, uuid = device.address, root.uuid
        words = request_traits.asked(self._placement, uuid).get(address, ())
        if not words:
            return OperatorRequest()
        request_traits.take(self._placement, uuid, {address: words})
        names, generation = request_traits.latest(words)
        if generation is None:
            self._round.refuse(
                address,
                "void: it is for no generation of the device's provider",
            )
        force = "asked through Placement" if FORCED in names else ""
        if force and not self._options.trust_placement_requests:
            text = f"{FORCED} through Placement; do it on this host"
            self._round.refuse(address, f"{text} (trust_placement_requests)")
            force = ""
        clean, release = (
            REQUESTED in names,
            RELEASE in names,
        )
        return OperatorRequest(clean, release, force, generation)

    def _word(self, address: str, done: Round) -> str:
        """Return the word about a device; nothing for one in order."""
        if address in done.refused:
            return "REFUSED"
        if address in done.troubles:
            return "ERROR"
        if address in self._options.keep_reserved:
            return "KEPT"
        record = done.records.get(address)
        if record is None or record.state is State.IN_USE:
            return ""
        return record.word or ("DIRTY" if record.dirty else "")

    def _rules(self) -> Rules:
        """Return the rules.

        :raises Waits: if they cannot be used, or others can change them
        """
        path = self._options.rules_file
        try:
            return rules_file.load(trusted.check(path), self._steps)
        except (rules_file.RulesError, trusted.Untrusted) as error:
            raise Waits("RULES", str(error)) from error
