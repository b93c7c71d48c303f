# SPDX-License-Identifier: Apache-2.0
"""The attestor: ask the verifier, say so in Placement, wait, again."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oslo_config import cfg

from nova_vhard.attestor import events, mapping, metrics, writer
from nova_vhard.attestor.ledger import UNDEMANDED, Ledger, Reason
from nova_vhard.attestor.mapping import MappingError
from nova_vhard.attestor.sources.base import Source, SourceError, Verdict
from nova_vhard.common.log import ThrottledLog, get_logger
from nova_vhard.common.text import clean, fit
from nova_vhard.daemon.interrupts import TimeLimit, last_resort
from nova_vhard.daemon.runtime import Runtime
from nova_vhard.placement import marks
from nova_vhard.placement.client import Placement, PlacementError

LOG = get_logger(__name__)

#: Seconds after a round that could not be done.
_RETRY = 10.0

_TEXT = 2000
_NOBODY = Reason("", "")


@dataclass(frozen=True)
class Means:
    """Dependencies of an attestor.

    :ivar source: the verifier's client
    :ivar connect: makes the Placement client, on first use
    :ivar now: seconds since the epoch
    """

    source: Source
    connect: Callable[[], Placement]
    now: Callable[[], float] = time.time


class Attestor:
    """Passes a verifier's verdicts on to Placement.

    :param runtime: what it runs in
    """

    def __init__(
        self, conf: cfg.ConfigOpts, means: Means, runtime: Runtime
    ) -> None:
        """Read the key; send no request yet.

        :raises KeyFileError: if there is no usable key
        """
        self._options = conf.vhard_attestor
        self._means = means
        self._runtime = runtime
        self._keys = marks.read_keys(self._options.key_file)
        self._placement: Placement | None = None
        self._ledger = Ledger(self._options.max_age)
        self._begun = False
        self._hosts: dict[str, str] | None = None
        self._wrong: list[str] = []
        self._reasons: dict[str, Reason] = {}
        self.numbers = metrics.Numbers()
        self._troubles = {
            kind: ThrottledLog(LOG, logging.ERROR)
            for kind in self.numbers.errors
        }

    def round(self) -> float:
        """Do what is due; return the seconds until the next round."""
        interval = float(self._options.interval)
        if not self.once():
            interval = min(interval, _RETRY)
        return interval * random.uniform(0.9, 1.1)  # noqa: S311 - no secret

    def once(self) -> bool:
        """Ask, and write what follows.

        It can be broken off at every step: the next round begins with what
        Placement has.

        :returns: whether everything could be asked and written
        """
        self._runtime.notifier.alive(now=True)
        errors = self.numbers.errors.copy()
        with last_resort():
            try:
                done = self._once()
            except PlacementError as error:
                self._count("placement", f"Placement: {error}")
                done = False
            else:
                for kind, trouble in self._troubles.items():
                    if self.numbers.errors[kind] == errors[kind]:
                        trouble.over("No error of %s any longer", kind)
            self.numbers.round_at = self._means.now()
            self._write_metrics()
        return done

    def _once(self) -> bool:
        """Do a round.

        :raises PlacementError: if it could not be begun
        """
        if self._placement is None:
            self._placement = self._means.connect()
        with self._runtime.interrupts.breakable():
            state = writer.read(self._placement, self._keys)
        if not self._begun:
            # A mark that is set on a provider does not count here, either: it
            # cannot be deleted, and so could outlive a FAIL.
            self._ledger.begin(
                mark for mark in state.marks if mark.name not in state.held
            )
            self._begun = True
        complete = self._take(state)
        now = self._means.now()
        wanted = self._ledger.attested(now)
        undemanded = [
            uuid
            for uuid, reason in self._reasons.items()
            if reason.kind == UNDEMANDED
        ]
        out = writer.Writer(
            self._placement, self._keys[0], renewal=self._options.max_age / 2
        )
        with self._runtime.interrupts.breakable():
            outcome = out.write(state, wanted, now, undemanded)
        self._tell(state, wanted, outcome)
        return complete and not outcome.failed

    def _take(self, state: writer.State) -> bool:
        """Take in what mapping and verifier say; return whether they did."""
        good = True
        try:
            self._hosts = mapping.load(self._options.mapping_file)
        except MappingError as error:
            # What was read before stays.
            good = self._count("mapping", f"The mapping: {error}")
        if self._hosts is None:
            return False
        agents, wrong = mapping.resolve(self._hosts, state.providers)
        for text in wrong if good and wrong != self._wrong else ():
            LOG.error("%s: %s", self._options.mapping_file, text)
            self.numbers.errors["mapping"] += 1
        self._wrong = wrong
        try:
            verdicts = self._ask()
        except SourceError as error:
            return self._count("verifier", f"The verifier: {error}")
        now = self._means.now()
        self.numbers.answered_at = now
        before = self._ledger.attested(now)
        reasons = self._ledger.take(agents, verdicts, now)
        for uuid, reason in reasons.items():
            known = self._reasons.get(uuid)
            if known is None or known.kind != reason.kind:
                LOG.warning(
                    "%s is not attested: %s",
                    state.nodes[uuid],
                    reason.text,
                )
        self._reasons = dict(reasons)
        if not good:
            # By an old mapping, hosts can lose their attestation, but none
            # can gain one.
            self._ledger.keep(before)
        self.numbers.hosts = dict.fromkeys(
            (clean(state.nodes[uuid], 255) for uuid in agents), False
        )
        return good

    def _ask(self) -> Mapping[str, Verdict]:
        """Return the verdicts.

        :raises SourceError: without an answer in time
        """
        limit = float(self._options.timeout)
        try:
            with self._runtime.interrupts.breakable(limit=limit):
                return self._means.source.verdicts()
        except TimeLimit as error:
            raise SourceError(
                f"no whole answer within {limit:g} seconds"
            ) from error
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(
                f"{type(error).__name__}: {clean(error, 300)}"
            ) from error

    def _tell(
        self,
        state: writer.State,
        wanted: Mapping[str, float],
        outcome: writer.Outcome,
    ) -> None:
        """Log and count what was written."""
        for uuid in outcome.gained:
            name = state.nodes.get(uuid, uuid)
            LOG.info("%s is attested", name)
            events.write(events.ATTESTED, uuid, name, wanted.get(uuid))
        for uuid in outcome.lost:
            name = state.having[uuid]
            LOG.warning("%s has lost its trait: it is not attested", name)
            reason = self._reasons.get(uuid, _NOBODY)
            events.write(events.WITHDRAWN, uuid, name, reason=reason.text)
        trouble = fit(outcome.failed, _TEXT)
        if trouble:
            self._troubles["host"].say("%s", trouble)
            self.numbers.errors["host"] += len(outcome.failed)
        if outcome.holders:
            LOG.error(
                "Marks were removed from %s. Users who can write to these "
                "providers can prevent that marks are deleted. Until then, "
                "the marks do not count",
                fit(sorted(outcome.holders), _TEXT),
            )
        self.numbers.void_marks += len(state.void)
        if state.void:
            LOG.error(
                "Ignored %d marks without a valid code: they were made with "
                "another key, or without one",
                len(state.void),
            )
        self.numbers.withdrawn += len(outcome.lost)
        names = {clean(state.nodes.get(uuid, uuid), 255) for uuid in wanted}
        self.numbers.hosts = {
            name: name in names for name in names | self.numbers.hosts.keys()
        }
        self._runtime.notifier.status(
            f"{len(wanted)} hosts attested; {trouble or 'all written'}"
        )

    def _count(self, kind: str, text: str) -> bool:
        """Log and count an error; return False."""
        self._troubles[kind].say("%s", text)
        self.numbers.errors[kind] += 1
        return False

    def _write_metrics(self) -> None:
        folder = self._options.textfile_directory
        if not folder:
            return
        try:
            metrics.write(folder, self.numbers)
        except OSError as error:
            LOG.error("Metrics not written to %s: %s", folder, error.strerror)
