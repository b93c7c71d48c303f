# SPDX-License-Identifier: Apache-2.0
"""One cleaning of one device: its steps in order, all written down."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from nova_vhard.cleaner.journal import (
    Done,
    Journal,
    Record,
    State,
)
from nova_vhard.cleaner.rules import Rules, StepRule
from nova_vhard.cleaner.step import Job, Outcome
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean as clean_text
from nova_vhard.host import pci
from nova_vhard.host.pci import Kind, PciDevice
from nova_vhard.host.root import HostRoot, Unreadable

LOG = get_logger(__name__)

#: Runs the step of a name: nova_vhard/cleaner/step_process.py does.
Runner = Callable[[str, Job], Outcome]


class Waits(Exception):
    """A device cannot be cleaned now, and is looked at again.

    :ivar word: why, for a trait
    """

    def __init__(self, word: str, reason: str) -> None:
        """Keep why, in a word and as a sentence."""
        super().__init__(reason)
        self.word = word


@dataclass(frozen=True)
class Task:
    """Steps that clean a device.

    :ivar rules: digest of the rules that require them
    """

    device: PciDevice
    steps: tuple[StepRule, ...]
    rules: str


def plan(root: HostRoot, rules: Rules, address: str) -> Task:
    """Find out what is to be done for a device.

    :raises Waits: if it cannot be done
    """
    try:
        device = pci.device(root, address)
        steps = rules.steps_for(device, pci.device_class(root, address))
    except Unreadable as error:
        word = "GONE" if error.missing else "UNREADABLE"
        raise Waits(word, f"the device is not to be read: {error}") from error
    if device.kind is Kind.VF:
        raise Waits("VF", "it is a VF: those are never for one use only")
    if steps is None:
        text = f"no entry of {rules.file} is for {device.vendor}:"
        raise Waits("NO_RULE", f"{text}{device.product}")
    return Task(device, steps, rules.digest)


def clean(
    root: HostRoot, journal: Journal, run: Runner, task: Task, record: Record
) -> Record:
    """Run a device's steps until one does not end clean.

    :param record: of a device in state CLEANING, on disk
    :returns: what the journal says now: CLEAN or FAILED
    :raises OSError: if the journal cannot be written
    """
    for rule in task.steps:
        record = replace(record, running=rule.step)
        journal.write(record)
        job = Job(root, task.device, rule.settings, rule.time_limit)
        begun = time.monotonic()
        try:
            outcome = run(rule.step, job)
        except Exception as error:  # noqa: BLE001 - whatever a runner raises
            text = f"could not be run: {type(error).__name__}: {error}"
            outcome = Outcome(False, text)
        seconds = round(time.monotonic() - begun, 3)
        LOG.info(
            "%s: step %s ended %s after %s s: %s",
            task.device.address,
            rule.step,
            "clean" if outcome.clean else "not clean",
            seconds,
            clean_text(outcome.said, 300),
        )
        done = Done(
            rule.step,
            outcome.clean is True,
            outcome.said,
            outcome.evidence,
            seconds,
        )
        steps = (*record.steps, done)
        if not done.clean:
            record = record.to(
                State.FAILED,
                f"{done.step} failed: {done.said}"[:500],
                word=done.step.upper(),
                reason=f"{done.step}: {done.said}"[:500],
                steps=steps,
            )
            journal.write(record)
            LOG.error(
                "%s stays reserved: %s",
                record.address,
                clean_text(record.reason, 300),
            )
            return record
        record = replace(record, steps=steps, running="")
        journal.write(record)
    record = record.to(
        State.CLEAN, f"clean by {len(record.steps)} steps of {task.rules}"
    )
    journal.write(record)
    return record
