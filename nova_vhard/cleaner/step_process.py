# SPDX-License-Identifier: Apache-2.0
"""Run a step in a process of its own, and end it when its time is over.

Every process that the step has started is ended too, including those that
left its process group or lost their parent. A process that cannot be killed
(for example, because it waits for the device) is left behind, and no step is
run on that device until it is gone.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from nova_vhard.cleaner.step import (
    Job,
    Outcome,
    Step,
)
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import clean
from nova_vhard.host.processes.child_process import Ended, Forked, Hanging
from nova_vhard.host.root import Unreadable

LOG = get_logger(__name__)

# Lines of evidence that are kept of a step, and characters of each.
_LINES, _WIDTH = 100, 500
# Seconds that a step has to end by itself, and to tell, after its limit.
_GRACE = 2.0


class _NoAnswer(Exception):
    """A process gave no answer, or left something behind."""


class Isolation:
    """Runs steps, and remembers the processes that cannot be ended.

    :param alive: called several times a second while a step is waited for
    """

    def __init__(self, alive: Callable[[], None] | None = None) -> None:
        self._alive = alive or (lambda: None)
        self._hanging = Hanging()

    @property
    def stuck(self) -> dict[str, int]:
        """Addresses of devices whose processes cannot be ended: pids."""
        return self._hanging.current()

    def run(self, step: Step, job: Job) -> Outcome:
        """Run a step.

        :returns: its outcome; not clean if it gave none within its limit
        """
        try:
            # Only True is clean: a plugin may say "no", which is true, too.
            answer = self._ask(step, job)
            is_clean, evidence = answer["clean"], answer["evidence"]
            if type(is_clean) is not bool or not isinstance(evidence, list):
                text = (
                    f"its answer makes no sense: clean {clean(is_clean, 80)}"
                )
                return Outcome(
                    False, f"{text}, evidence {clean(evidence, 80)}"
                )
            lines = [clean(line, _WIDTH) for line in evidence[:_LINES]]
            if more := len(evidence) - len(lines):
                lines.append(f"and {more} more")
            return Outcome(
                is_clean, clean(answer["said"], _WIDTH), tuple(lines)
            )
        except _NoAnswer as error:
            LOG.error(
                "Step %s on %s: %s", step.name, job.device.address, error
            )
            return Outcome(False, str(error))

    def _ask(self, step: Step, job: Job) -> dict[str, Any]:
        """Return the answer of a process.

        :raises _NoAnswer: without one
        """
        address, limit = job.device.address, job.time_limit
        if pid := self.stuck.get(address):
            raise _NoAnswer(f"not run: process {pid} of an earlier run hangs")

        def answers() -> Iterator[Any]:
            """Yield the one answer, even if the step raises."""
            try:
                outcome = step.run(job)
            except Unreadable as error:
                outcome = Outcome(False, str(error))
            except BaseException as error:  # noqa: BLE001 - sys.exit() in it
                text = f"the step failed: {type(error).__name__}: {error}"
                outcome = Outcome(False, text)
            yield asdict(outcome)

        try:
            running = Forked(
                answers, "step", limit + _GRACE, self._alive, supervised=True
            )
        except OSError as error:
            raise _NoAnswer(
                f"no process can be started for it: {error}"
            ) from error
        answer: dict[str, Any] = {}
        reasons: list[str] = []
        try:
            answer = running.answer()
        except Ended as error:
            late = not error.crashed and error.seconds >= limit
            text = f"did not end within {limit:g} seconds, and was ended"
            reasons.append(text if late else str(error))
        finally:
            pid = running.end()
            if pid is not None:
                self._hanging[address] = pid
                reasons.append(f"process {pid} hangs and cannot be ended")
        if reasons:
            raise _NoAnswer("; ".join(reasons))
        return answer
