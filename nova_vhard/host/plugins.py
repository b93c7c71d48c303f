# SPDX-License-Identifier: Apache-2.0
"""The installed checks: ours, and those of other packages.

A check is a class that is registered under its name in the entry point group
``nova_vhard.host_checks``. A check that cannot be loaded, or lacks a required
attribute, is reported as UNKNOWN with the reason. It is never left out, and
never replaced by another check of the same name.
"""

from collections import defaultdict
from importlib import metadata
from importlib.metadata import EntryPoint

from nova_vhard.catalogue.checks import NAMESPACE, OURS, is_name
from nova_vhard.common.log import get_logger
from nova_vhard.host.check import Answer, Check, unknown
from nova_vhard.host.host import Host

LOG = get_logger(__name__)

_TEXTS = ("id", "title", "guide", "meaning", "remediation")
_NUMBER = "Check-Virt-"

_INSTALL = (
    "Install nova-vhard again (pip install 'nova-vhard[node]'), so that its "
    "entry points are those of this version."
)
_MEND = "Remove that package, or install a correct version of it."


class Faulty(Exception):
    """Raised for a check that cannot be used."""


class _Unusable(Check):
    """Answers for a check that is not there, or cannot be used."""

    def __init__(self, name: str, reason: str, step: str) -> None:
        self.name = name
        self.id = OURS.get(name, "")
        self._answer = unknown(reason, step)

    def answer(self, host: Host) -> Answer:
        """Return the answer that it was made with."""
        return self._answer


def load() -> list[Check]:
    """Return every check: ours in the order of the documentation, others'."""
    # A list for each name: with a dict of points the last package would win,
    # and no error would say so.
    points: dict[str, list[EntryPoint]] = defaultdict(list)
    for point in metadata.entry_points(group=NAMESPACE):
        points[point.name].append(point)
    # Ours are listed even if their entry points are gone: a report without one
    # of them would look complete.
    names = [*OURS, *sorted(points.keys() - OURS.keys())]
    return [_check(name, points.get(name, [])) for name in names]


def _check(name: str, points: list[EntryPoint]) -> Check:
    try:
        if not points:
            raise Faulty("the check is not installed")
        if len(points) > 1:
            raise Faulty(
                "several packages have a check of this name: "
                f"{', '.join(sorted(point.value for point in points))}"
            )
        # A flavor that demands our trait must not be satisfied by the answer
        # of another package.
        if name in OURS and not points[0].value.startswith("nova_vhard."):
            raise Faulty(
                f"{points[0].value} has the name of a check of nova-vhard's"
            )
        # Placement allows A-Z, 0-9 and _ in a trait, which the name goes into.
        if not is_name(name):
            raise Faulty(
                "its name cannot be part of a trait: use a-z, 0-9 and _, and "
                "do not begin with a digit, _ or reported"
            )
        # The first line that runs foreign code: a name that is wrong has been
        # refused before.
        check = points[0].load()()
        # Reports and policies need all of these.
        if not isinstance(check, Check):
            raise Faulty("it is not a nova_vhard.host.check.Check")
        if check.name != name:
            raise Faulty(f"it calls itself {check.name!r}")
        for text in _TEXTS:
            value = getattr(check, text, None)
            if not isinstance(value, str) or not value:
                raise Faulty(f"it has no {text}")
        if name not in OURS and check.id.startswith(_NUMBER):
            raise Faulty(f"{check.id} is a number of nova-vhard's own")
        return check
    except Faulty as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - anything in a plugin
        reason = f"it cannot be loaded: {type(error).__name__}: {error}"
    LOG.error("Check %s: %s", name, reason)
    ours = name in OURS and len(points) <= 1
    return _Unusable(name, reason, _INSTALL if ours else _MEND)
