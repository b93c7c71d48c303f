# SPDX-License-Identifier: Apache-2.0
"""openstack vhard host show: what one host has passed, and what it lacks."""

import argparse
import datetime
import textwrap
from typing import Any

from cliff.columns import FormattableColumn
from osc_lib import exceptions

from nova_vhard.catalogue.results import UNKNOWN
from nova_vhard.common.text import clean
from nova_vhard.host import plugins
from nova_vhard.osc import output
from nova_vhard.osc.host.listing import add_age
from nova_vhard.placement.client import ProviderNotFound
from nova_vhard.placement.fleet import (
    SILENT,
    STALE,
    HostPosture,
    one_host,
)

_WIDTH = 72


class CheckColumn(FormattableColumn):  # type: ignore[misc]
    """A check: lines for a person, an object for a machine."""

    def human_readable(self) -> str:
        """Return the result; of a missing one, what it means, and the fix."""
        value = self._value
        status = value["status"]
        if value["passed"]:
            return f"{status}: {value['title']}"
        parts = [f"{status} (passes if: {value['title']}), {value['id']}"]
        if status == "FAIL":
            parts += [
                f"means: {value['meaning']}",
                f"to fix: {value['remediation']}",
            ]
        elif status == UNKNOWN:
            parts.append(
                "for the reason and the remediation, run "
                "nova-vhard-reporter check on the host"
            )
        return "\n".join(textwrap.fill(part, _WIDTH) for part in parts)


class ShowHost(output.ShowOne):
    """Show the checks of a compute node, and how to fix those that fail.

    Placement has them from the host's last report: PASS, FAIL, UNKNOWN (not
    determined, or not in the report) or NOT_APPLICABLE; only PASS counts as
    passed. For the reason and the evidence, run nova-vhard-reporter check on
    the host.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the host, and the age from which a report is stale."""
        parser.add_argument(
            "host",
            metavar="<host>",
            help="Name of the compute node (openstack vhard host list), or "
            "uuid of its resource provider.",
        )
        add_age(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Return freshness, profiles, and a field a check."""
        age = parsed_args.max_report_age
        try:
            result = one_host(
                self.cloud.placement,
                parsed_args.host,
                datetime.datetime.now(datetime.UTC),
                age,
            )
        except ProviderNotFound as error:
            raise exceptions.CommandError(
                f"there is no host {clean(parsed_args.host)}; openstack "
                "vhard host list has the names"
            ) from error
        fields = {
            "host": clean(result.name),
            "status": result.status,
            "report": _report(result, age),
            "attested": result.attested,
            "meets": ", ".join(meet.name for meet in result.meets()) or "none",
        }
        checks = {
            check.name: CheckColumn(
                {
                    "passed": check.name in result.proven,
                    "status": result.result(check.name),
                    "id": check.id,
                    "title": check.title,
                    "meaning": check.meaning,
                    "remediation": check.remediation,
                }
            )
            for check in plugins.load()
        }
        return (*fields, *checks), (*fields.values(), *checks.values())


def _report(posture: HostPosture, age: int) -> str:
    if posture.status == SILENT:
        return (
            "none in Placement; check that nova-vhard-reporter runs on "
            "this host"
        )
    if posture.reported is None:
        return "none with a valid time: the results below do not count"
    known = f"in the hour from {posture.reported:%Y-%m-%d %H}:00 UTC"
    if posture.status == STALE:
        known += f", more than {age} hours ago: the results below do not count"
    return known
