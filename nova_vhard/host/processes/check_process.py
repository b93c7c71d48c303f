# SPDX-License-Identifier: Apache-2.0
"""Run checks in a child process, so that one cannot break the others.

A child runs one check after the other. If it hangs or dies, the check that it
was running is UNKNOWN with the reason, and a new child continues with the next
check. A child that cannot be killed (because it waits for a dead disk, for
example) is left behind, and its check is skipped while it exists.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from nova_vhard.common.log import get_logger
from nova_vhard.host.check import Check, Result, Status
from nova_vhard.host.host import Host
from nova_vhard.host.processes.child_process import Ended, Forked, Hanging

LOG = get_logger(__name__)

#: Default seconds that one check may take.
TIMEOUT = 60.0

#: A result, and the seconds that it took.
Timed = tuple[Result, float]


def timed(check: Check, host: Host) -> Timed:
    """Run a check; return its result and the seconds that it took."""
    begun = time.monotonic()
    try:
        result = check.run(host)
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a check
        result = check.unknown(
            f"the check failed: {type(error).__name__}: {error}"
        )
    return result, round(time.monotonic() - begun, 6)


def in_process(host: Host, checks: Sequence[Check]) -> tuple[Timed, ...]:
    """Run checks without any isolation: for trees that are known."""
    return tuple(timed(check, host) for check in checks)


class Isolation:
    """Runs checks, and remembers the children that cannot be ended.

    :ivar timeout: seconds that one check may take
    :ivar late: names of the checks that ran out of time, in the last run
    :param alive: called several times a second while a check is waited for
    """

    def __init__(
        self, timeout: float = TIMEOUT, alive: Callable[[], None] | None = None
    ) -> None:
        self.timeout = timeout
        self.late: set[str] = set()
        self._alive = alive or (lambda: None)
        self._hanging = Hanging()

    @property
    def stuck(self) -> dict[str, int]:
        """Checks whose children cannot be ended, with the children's pids."""
        return self._hanging.current()

    def run(self, host: Host, checks: Sequence[Check]) -> tuple[Timed, ...]:
        """Run checks on a host.

        :returns: a Result and the seconds that it took for each check, in
            their order
        """
        result: dict[int, Timed] = {}
        self.late.clear()
        stuck = self.stuck
        for number, check in enumerate(checks):
            if pid := stuck.get(check.name):
                text = f"not asked: process {pid} of an earlier run hangs"
                result[number] = check.unknown(text), 0.0
        todo: Sequence[int] = sorted(
            set(range(len(checks))) - set(result),
            key=lambda item: (not checks[item].early, item),
        )
        while todo:
            todo = self._ask(host, checks, todo, result)
        return tuple(result[number] for number in range(len(checks)))

    def _ask(
        self,
        host: Host,
        checks: Sequence[Check],
        todo: Sequence[int],
        fields: dict[int, Timed],
    ) -> Sequence[int]:
        """Let one child answer as many checks as it can.

        :param todo: places in ``checks``
        :returns: those that are left
        """
        try:
            running = self._start(host, [checks[item] for item in todo])
        except OSError as error:
            text = f"no process can be started for it: {error}"
            for number in todo:
                fields[number] = checks[number].unknown(text), 0.0
            return ()
        left = list(todo)
        asked = checks[left[0]]
        try:
            while left:
                asked = checks[left[0]]
                fields[left[0]] = _parse(running.answer())
                del left[0]
        except Ended as error:
            # A crash may be an earlier check's doing: asked again, as the
            # first of another child.
            if not error.crashed or len(left) == len(todo):
                LOG.warning("Check %s: %s", asked.name, error)
                if not error.crashed and error.seconds >= self.timeout:
                    self.late.add(asked.name)
                fields[left[0]] = asked.unknown(str(error)), error.seconds
                del left[0]
        finally:
            pid = running.end()
            if pid is not None:
                LOG.error("Check %s: process %d hangs", asked.name, pid)
                self._hanging[asked.name] = pid
        return left

    def _start(self, host: Host, checks: Sequence[Check]) -> Forked:
        def answers() -> Iterator[Any]:
            """Yield the answer to each check, and its seconds."""
            for check in checks:
                result, seconds = timed(check, host)
                yield {**asdict(result), "seconds": seconds}

        return Forked(answers, "check", self.timeout, self._alive)


def _parse(fields: dict[str, Any]) -> Timed:
    seconds = fields.pop("seconds")
    fields["status"] = Status(fields["status"])
    fields["evidence"] = tuple(fields["evidence"])
    return Result(**fields), seconds
