# SPDX-License-Identifier: Apache-2.0
"""Flavors of the Sovereign Cloud Stack that claim more than hosts offer.

By SCS-0100 a flavor whose hosts may lack mitigations, microcode or separate
threads has the suffix ``i`` (insecure) after its processors: ``SCS-2Vi-8``. A
flavor without it claims that each of its hosts has them.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nova_vhard.catalogue import traits
from nova_vhard.catalogue.profiles import PROFILES
from nova_vhard.common.text import clean, line
from nova_vhard.osc import audits, output
from nova_vhard.placement.fleet import HostPosture
from nova_vhard.request.flavor_traits import REQUIRED

#: Columns of the table.
COLUMNS = ("Flavor", "SCS Name", "Claim", "Hosts That Cannot", "They Lack")

SECURE, INSECURE, UNREADABLE = "secure", "insecure", "unreadable"

_FAIL = "FAIL"
_PROFILE = PROFILES["hosts-scs"]
#: Matches a name up to the processors; the rest does not matter here.
_NAME = re.compile(r"SCS-[1-9][0-9]{0,3}[LVTC](i?)[-:][0-9]")
#: Extra specs of SCS-0103 for flavors whose own name is another.
_NAME_SPECS = ("scs:name-v2", "scs:name-v1")


@dataclass(frozen=True)
class Claim:
    """A flavor's claim about its hosts.

    :ivar flavor: openstacksdk flavor with its extra specs
    :ivar name: its name by SCS-0100
    """

    flavor: Any
    name: str

    @property
    def claim(self) -> str:
        """SECURE, INSECURE, or UNREADABLE where the name does not say."""
        match = _NAME.match(self.name)
        if match is None:
            return UNREADABLE
        return INSECURE if match[1] else SECURE

    def lacking(
        self, hosts: Iterable[HostPosture]
    ) -> Iterator[tuple[HostPosture, Mapping[str, str]]]:
        """Yield each host that cannot keep the claim.

        Hosts without a trait of nova-vhard that the flavor requires are
        skipped, because Placement never offers them. Other reasons why the
        flavor cannot use a host are ignored.

        :returns: the host, and the checks that it has not passed, each with
            its result
        """
        specs = self.flavor.extra_specs or {}
        required = {
            name.partition(":")[2]
            for name, value in specs.items()
            if name.startswith(f"trait:{traits.PREFIX}") and value == REQUIRED
        }
        for host in hosts:
            # The attestor's trait is not that of a check.
            others = required - ({traits.ATTESTED} if host.attested else set())
            if others <= {traits.of_check(name) for name in host.passed}:
                lacks = {
                    name: host.result(name)
                    for name in _PROFILE.checks
                    if name not in host.proven
                }
                if lacks:
                    yield host, lacks


def claim_of(flavor: Any) -> Claim | None:
    """Return what a flavor claims, None for one that is not of SCS.

    :param flavor: openstacksdk flavor with its extra specs
    """
    specs = flavor.extra_specs or {}
    names = (flavor.name, *(specs.get(name) for name in _NAME_SPECS))
    of_scs = (name for name in names if name and name.startswith("SCS-"))
    name = next(of_scs, None)
    return Claim(flavor, name) if name else None


def row(
    claim: Claim, hosts: Iterable[HostPosture]
) -> tuple[tuple[Any, ...], list[audits.Finding]]:
    """Return a row of the table, and what is wrong with the flavor."""
    lacking = list(claim.lacking(hosts)) if claim.claim == SECURE else []
    counts = Counter(item for _, lacks in lacking for item in lacks.items())
    texts = [
        f"{check} {result} ({number})"
        for (check, result), number in counts.items()
    ]
    return (
        clean(claim.flavor.name),
        clean(claim.name),
        claim.claim,
        output.Cell([host.name for host, _ in lacking]),
        output.Cell(texts),
    ), list(_findings(claim, len(lacking), counts))


def _findings(
    claim: Claim, hosts: int, lacks: Collection[tuple[str, str]]
) -> Iterator[audits.Finding]:
    """Yield what is wrong: a violation where a host's answer is FAIL.

    :param hosts: how many cannot keep the claim
    :param lacks: checks that they have not passed, each with a result
    """
    if claim.claim == UNREADABLE:
        text = line(f"its name {claim.name} does not follow SCS-0100")
        yield audits.Finding(audits.Level.UNSEEN, audits.UNSEEN_RULE, text)
    if hosts:
        failed = any(result == _FAIL for _, result in lacks)
        level = audits.Level.VIOLATION if failed else audits.Level.WARNING
        listed = ", ".join(f"{check} {result}" for check, result in lacks)
        yield audits.Finding(
            level,
            _PROFILE.name,
            line(
                f"claims to be secure, but {hosts} hosts have not passed "
                f"the checks: {listed}; to fix: add {_PROFILE.name} to its "
                "extra spec vhard:require and run openstack vhard flavor "
                "sync, or use the suffix i in its name"
            ),
        )
