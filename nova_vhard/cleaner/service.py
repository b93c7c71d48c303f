# SPDX-License-Identifier: Apache-2.0
"""The cleaner: it looks at every device of the host, round after round."""

import logging
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_vhard.catalogue.device_words import FORCED, RELEASE, REQUESTED
from nova_vhard.cleaner import lock, rules
from nova_vhard.cleaner.decide import OperatorRequest, Settings, Waits
from nova_vhard.cleaner.device import Device
from nova_vhard.cleaner.journal import Journal, Record, State
from nova_vhard.cleaner.step import Step
from nova_vhard.cleaner.step_process import Isolation
from nova_vhard.common import trusted
from nova_vhard.common.log import ThrottledLog, get_logger
from nova_vhard.daemon import identity
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.host.libvirt import libvirt
from nova_vhard.host.root import HostRoot
from nova_vhard.placement import devices, request_traits
from nova_vhard.placement.client import Placement, PlacementError, Provider
from nova_vhard.placement.devices import Offered

LOG = get_logger(__name__)


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

    A stop waits for the device that is being cleaned: none is left half
    flashed because this service is started again.

    :param options: group ``vhard_cleaner``
    :param placement: Placement of the cloud
    :param steps: by name; by default those that are installed
    :param runtime: of the daemon
    """

    def __init__(
        self,
        options: Any,
        placement: Placement,
        steps: Mapping[str, Step] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self._options = options
        self._placement = placement
        self._steps = steps or rules.installed_steps()
        self._runtime = runtime or Runtime()
        self.isolation = Isolation(self._runtime.notifier.alive)
        self.root = HostRoot(options.root)
        self.journal = Journal(f"{options.state_path}/devices")
        self.libvirt = libvirt.of_tree(self.root, options.libvirt_uri)
        self._away = ThrottledLog(LOG, logging.ERROR)

    def round(self) -> float:
        """Look at every device; return the seconds until the next round."""
        self._runtime.notifier.status(self._summary())
        return float(
            self._options.interval * random.uniform(0.9, 1.1)  # noqa: S311
        )

    def _summary(self) -> str:
        """Look at every device; return the results in one line."""
        try:
            done = self.once()
        except PlacementError as error:
            self._away.say("Devices are left as they are: %s", error)
            return f"Placement: {error}"
        except Exception:
            LOG.exception("A round failed; devices are left as they are")
            return "A round failed: see the log"
        self._away.over("Placement lists the devices again")
        waiting = [
            f"{record.address} {record.word or record.state}"
            for record in done.records.values()
            if record.dirty or record.word
        ]
        text = ", ".join(waiting) or "nothing waits"
        return f"{len(done.records)} devices, {text}"

    def once(
        self,
        only: Collection[str] = (),
        request: OperatorRequest | None = None,
    ) -> Round:
        """Look at every device once, and do what is to be done.

        :param only: addresses; all devices by default
        :param request: request for these devices; if it is empty or missing,
            each device's requests are taken from Placement
        :raises PlacementError: if the devices cannot be listed
        """
        done = Round()
        root = identity.own(self._placement, self._options)
        offered, faults = devices.offered(self._placement, root)
        for fault in faults:
            LOG.error("Device skipped: %s", fault)
            done.troubles[fault] = "skipped"
        for address in {*only} - {device.address for device in offered}:
            done.troubles[address] = (
                f"{root.name} has no provider of a one-time-use device there"
            )
        for device in offered:
            if self._runtime.stopping():
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
                LOG.error(
                    "Cannot publish the states of the devices: %s", error
                )
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
                request = request or self._requested(device, root, done)
                attended = Device(
                    self._placement,
                    self.root,
                    self.libvirt,
                    self.journal,
                    self._rules,
                    lambda name, job: self.isolation.run(
                        self._steps[name], job
                    ),
                    Settings(
                        self._options.release_automatically,
                        self._options.attempts,
                        self._options.trust_new,
                    ),
                    done.refuse,
                    device,
                )
                done.records[address] = attended.attend(request)
        except (PlacementError, lock.Locked, OSError) as error:
            LOG.error("%s is left as it is: %s", address, error)
            done.troubles[address] = str(error)
        except Exception as error:
            # An unexpected error of one device must not block the others.
            LOG.exception("%s is left as it is", address)
            done.troubles[address] = f"{type(error).__name__}: {error}"

    def _requested(
        self, device: Offered, root: Provider, done: Round
    ) -> OperatorRequest:
        """Remove the requests for a device from Placement, and return them.

        Only those of the latest generation of its provider are returned.

        :raises PlacementError: if they cannot be read or removed
        """
        address, uuid = device.address, root.uuid
        words = request_traits.asked(self._placement, uuid).get(address, ())
        if not words:
            return OperatorRequest()
        request_traits.take(self._placement, uuid, {address: words})
        names, generation = request_traits.latest(words)
        if generation is None:
            done.refuse(
                address,
                "void: it names no generation of the device's provider",
            )
        force = "asked through Placement" if FORCED in names else ""
        if force and not self._options.trust_placement_requests:
            text = f"{FORCED} through Placement; do it on this host"
            done.refuse(address, f"{text} (trust_placement_requests)")
            force = ""
        return OperatorRequest(
            REQUESTED in names, RELEASE in names, force, generation
        )

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

    def _rules(self) -> rules.Rules:
        """Return the rules.

        :raises Waits: if they cannot be used, or others can change them
        """
        path = self._options.rules_file
        try:
            return rules.load(trusted.check(path), self._steps)
        except (rules.RulesError, trusted.Untrusted) as error:
            raise Waits("RULES", str(error)) from error
