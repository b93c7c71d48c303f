# SPDX-License-Identifier: Apache-2.0
"""The cleaner: look at every device of the host, wait, again."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_vhard.catalogue import traits
from nova_vhard.common.log import get_logger
from nova_vhard.host import libvirt
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.node import identity
from nova_vhard.node.cleaner import (
    enrolling,
    lock,
    rules_file,
)
from nova_vhard.node.cleaner.attend import (
    DeviceLifecycle,
    OperatorRequest,
    Ways,
)
from nova_vhard.node.cleaner.baseline import Baseline
from nova_vhard.node.cleaner.cleaning import Waits
from nova_vhard.node.cleaner.enrolling import Refused
from nova_vhard.node.cleaner.isolated import Isolation
from nova_vhard.node.cleaner.journal import (
    Journal,
    Record,
    State,
)
from nova_vhard.node.cleaner.rules import Rules
from nova_vhard.node.cleaner.step import (
    Job,
    Outcome,
    Step,
)
from nova_vhard.placement import devices, request_traits
from nova_vhard.placement.client import (
    Placement,
    PlacementError,
    Provider,
)
from nova_vhard.placement.devices import Offered

LOG = get_logger(__name__)

_DEVICES = "devices"
_DESK = "asked through Placement"
_NOBODY = "{} has no provider of a one-time-use device there"


@dataclass
class Round:
    """What a round came to.

    :ivar records: address to what the journal says
    :ivar troubles: address, or another subject, to what went wrong
    """

    records: dict[str, Record] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether everything could be looked at."""
        return not self.troubles


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
        """Keep what it works with; nothing is read yet."""
        self._stopping = stopping
        self._options = options
        self._placement = placement
        self._steps = steps or rules_file.installed_steps()
        self.isolation = Isolation(alive)
        self.root = HostRoot(options.root)
        self.journal = Journal(f"{options.state_path}/{_DEVICES}")
        self.libvirt = libvirt.of_tree(self.root, options.libvirt_uri)
        self._attendant = DeviceLifecycle(
            placement,
            self.root,
            self.libvirt,
            self.journal,
            self._rules,
            self._run,
            Ways(options.release_automatically, options.attempts),
        )

    def once(
        self, only: Collection[str] = (), wish: OperatorRequest | None = None
    ) -> Round:
        """Look at every device once, and do what is to be done.

        :param only: addresses; all devices by default
        :param wish: what is asked for these, beside what is in Placement
        :raises PlacementError: if the devices cannot be listed
        """
        done = Round()
        root = identity.find(self._placement, self._options)
        offered = devices.offered(self._placement, root)
        for address in sorted({*only} - {one.address for one in offered}):
            done.troubles[address] = _NOBODY.format(root.name)
        todo = [
            one
            for one in offered
            if one.address not in self._options.keep_reserved
            and (not only or one.address in only)
        ]
        for one in todo:
            if self._stopping():
                return done
            self._attend(one, root, wish, done)
        if not only:
            self._tell(root, offered, done)
        return done

    def _attend(
        self,
        one: Offered,
        root: Provider,
        wish: OperatorRequest | None,
        done: Round,
    ) -> None:
        try:
            with lock.hold(self._options.run_dir, one.address):
                found = wish or self._asked(one, root, done)
                done.records[one.address] = self._attendant.attend(one, found)
        except (PlacementError, lock.Locked, OSError) as error:
            LOG.error("%s is left as it is: %s", one.address, error)
            done.troubles[one.address] = str(error)
        except Exception as error:
            # One device's surprise does not keep the others waiting.
            LOG.exception("%s is left as it is", one.address)
            text = f"{type(error).__name__}: {error}"
            done.troubles[one.address] = text

    def enroll(self, address: str, by: str, force: bool = False) -> Baseline:
        """Record the good state of a device.

        :raises Refused: with the reason
        :raises PlacementError: if Placement does not help
        :raises OSError: if it cannot be locked or kept
        """
        root = identity.find(self._placement, self._options)
        for one in devices.offered(self._placement, root):
            if one.address == address:
                try:
                    with lock.hold(self._options.run_dir, address):
                        return self._enroll(one, by, force)
                except (lock.Locked, Unreadable) as error:
                    raise Refused(str(error)) from error
        raise Refused(_NOBODY.format(root.name))

    def _enroll(self, one: Offered, by: str, force: bool = False) -> Baseline:
        return enrolling.enroll(
            one,
            by,
            placement=self._placement,
            root=self.root,
            libvirt=self.libvirt,
            journal=self.journal,
            isolation=self.isolation,
            force=force,
        )

    def _asked(
        self, one: Offered, root: Provider, done: Round
    ) -> OperatorRequest:
        """Return what is asked for a device; it is not asked any longer.

        :raises PlacementError: if the request cannot be taken away
        """
        words = request_traits.asked(self._placement, root.uuid).get(
            one.address
        )
        words = words or frozenset()
        request_traits.take(self._placement, root.uuid, {one.address: words})
        if traits.ENROLL in words:
            try:
                self._enroll(one, _DESK)
                LOG.info("%s is enrolled, %s", one.address, _DESK)
            except (Refused, Unreadable) as error:
                text = f"not enrolled: {error}"
                LOG.error("%s is %s", one.address, text)
                done.troubles[one.address] = text
        force = _DESK if traits.FORCED in words else ""
        return OperatorRequest(
            traits.REQUESTED in words, traits.RELEASE in words, force
        )

    def _tell(
        self, root: Provider, offered: Iterable[Offered], done: Round
    ) -> None:
        words = {}
        for one in offered:
            if one.address in done.troubles:
                words[one.address] = "ERROR"
            elif one.address in self._options.keep_reserved:
                words[one.address] = "KEPT"
            elif word := _word(done.records.get(one.address)):
                words[one.address] = word
        try:
            request_traits.tell(self._placement, root.uuid, words)
        except PlacementError as error:
            LOG.error("Nothing is told about devices: %s", error)
            done.troubles[root.name] = str(error)

    def _rules(self) -> Rules:
        try:
            return rules_file.load(self._options.rules_file, self._steps)
        except rules_file.RulesError as error:
            raise Waits("RULES", str(error)) from error

    def _run(self, name: str, job: Job) -> Outcome:
        return self.isolation.run(self._steps[name], job)


def _word(record: Record | None) -> str:
    """Return what is told about a device; nothing for one in order."""
    if record is None or record.state is State.IN_USE:
        return ""
    return record.word or ("DIRTY" if record.dirty else "")
