# SPDX-License-Identifier: Apache-2.0
"""Data of the report, gathered by the functions of the audits."""

import argparse
import datetime
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_vhard.common import source, state
from nova_vhard.common.text import clean, line
from nova_vhard.host import plugins
from nova_vhard.osc import paging
from nova_vhard.osc.device import devices
from nova_vhard.osc.image import audit as image_audit
from nova_vhard.osc.image import images
from nova_vhard.osc.report import hosts as reading
from nova_vhard.osc.rights import why
from nova_vhard.osc.server import audit as server
from nova_vhard.osc.server.servers import Server, alone, finder
from nova_vhard.osc.violations import rows
from nova_vhard.placement.client import Placement, PlacementError
from nova_vhard.placement.fleet import HostPosture
from nova_vhard.policy import watch
from nova_vhard.policy.hardware import HardwareRequest
from nova_vhard.policy.model import PassthroughRule, Policy
from nova_vhard.policy.verdict import PASSTHROUGH_REQUIRE, evaluate
from nova_vhard.request import compose
from nova_vhard.request.flavor_traits import plan_traits

Row = tuple[str, ...]

DEVICE_COLUMNS = ("Host", "Address", "Resource class", "Why")
SERVICE_COLUMNS = ("Service", "Version", "Policy", "Since", "State")
EVIDENCE_COLUMNS = (
    *("Host", "Check", "Result", "Time", "Paragraph", "Reason", "Evidence"),
    *("Version", "Policy"),
)
FLAVOR_COLUMNS = ("Flavor", "ID", "Rule", "Mode", "Asks For", "Fix")

_ALL = argparse.Namespace(
    server=[], all_projects=True, project=None, host=None
)


@dataclass(frozen=True)
class Part:
    """One part of the report.

    :ivar rows: one a violation, in the columns of the audit
    :ivar trouble: why it could not be read, None where it was
    :ivar notes: what the rows do not say
    """

    rows: tuple[Row, ...] = ()
    trouble: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    :ivar made: aware time
    :ivar max_age: whole hours; an older report of a host does not count
    :ivar hosts: every compute node
    :ivar fleet: why the hosts could not be read, if so
    :ivar devices: reserved one-time-use devices that no server has
    :ivar services: what each service runs, in SERVICE_COLUMNS
    :ivar evidence: what hosts' own reports say, in EVIDENCE_COLUMNS
    :ivar origin: ``cloud``, ``keystone``, ``region`` and ``author``
    """

    made: datetime.datetime
    policy: Policy
    max_age: int
    hosts: tuple[HostPosture, ...]
    fleet: Part
    images: Part
    servers: Part
    flavors: Part
    devices: Part = Part()
    services: Part = Part()
    evidence: Part = Part()
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def troubles(self) -> list[str]:
        """Reasons why parts could not be read, a line each."""
        parts = (
            *("fleet", "images", "servers", "flavors", "devices"),
            *("services", "evidence"),
        )
        return [
            f"{name} could not be read: {trouble}"
            for name in parts
            if (trouble := getattr(self, name).trouble)
        ]


def gather(
    app: Any,
    policy: Policy,
    now: datetime.datetime,
    folders: Iterable[str] = (),
    reports: Iterable[str] = (),
) -> Report:
    """Ask the cloud for everything; what cannot be read is said in its part.

    :param app: openstackclient's application
    :param now: aware time
    :param folders: of what services have written about themselves
    :param reports: files of what hosts have written about themselves
    """
    client = app.client_manager.vhard
    age = policy.hosts.max_report_age
    today = now.astimezone(datetime.UTC).date()
    hosts, trouble = reading.read(client.placement, now, age)
    audit = server.Audit(app, policy)
    servers = _part(
        lambda: sorted(tuple(map(str, row)) for row in audit.rows(_ALL)),
        lambda: (audit.tally.totals(), *audit.facts.notes()),
    )
    return Report(
        made=now,
        policy=policy,
        max_age=age,
        hosts=hosts,
        fleet=Part(trouble=trouble),
        images=_part(lambda: image_rows(client.images, policy, today)),
        servers=servers,
        flavors=_part(lambda: flavor_rows(client.compute, policy, today)),
        devices=_part(lambda: device_rows(client.placement)),
        services=_part(lambda: service_rows(folders, policy.digest)),
        evidence=_part(lambda: evidence_rows(reports)),
        origin=client.origin,
    )


def image_rows(
    glance: Any, policy: Policy, today: datetime.date
) -> Iterator[Row]:
    """Yield a row a violation, in the audit's columns but the last."""
    auditor = images.Auditor(policy, today)
    for image in image_audit.listed(glance, {}):
        finding = auditor.find(image)
        if finding is not None:
            for row in finding.rows(""):
                yield tuple(map(str, row[:-1]))


def flavor_rows(
    compute: Any, policy: Policy, today: datetime.date
) -> Iterator[Row]:
    """Yield the violations of flavors, and the traits that they lack."""
    rule = policy.passthrough or PassthroughRule()
    for flavor in compute.flavors(
        details=True, get_extra_specs=True, is_public=None
    ):
        about = (clean(flavor.name), clean(flavor.id))
        specs = flavor.extra_specs or {}
        server = Server(
            "", flavor=flavor.name, flavor_id=flavor.id, specs=specs
        )
        request = alone(compose.with_specs(HardwareRequest(), specs))
        found = evaluate(policy, request, server.subject, today).violations
        for words in rows(found, finder(policy, server, today)):
            yield (*about, *map(str, words))
        needs = plan_traits(flavor, rule)
        if needs is not None and needs.lacks:
            yield (
                *about,
                PASSTHROUGH_REQUIRE,
                str(policy.mode_for(rule.mode, server.subject)),
                f"lacks {', '.join(map(clean, needs.lacks))}",
                "openstack vhard flavor sync",
            )


def device_rows(placement: Placement) -> Iterator[Row]:
    """Yield the devices that wait between two guests, and why."""
    for device in devices.devices(placement):
        if device.status == "reserved":
            yield (
                clean(device.root.name),
                device.address,
                device.view.inventory.resource_class,
                device.why,
            )


def service_rows(folders: Iterable[str], digest: str) -> Iterator[Row]:
    """Yield what services have written about what they run.

    :param digest: of the policy that they should run
    :raises OSError, ValueError: if a folder has nothing that can be read
    """
    for folder in folders:
        files = sorted(pathlib.Path(folder).glob(f"*{watch.RUNS}"))
        if not files:
            raise ValueError(f"{folder} has no file that ends in {watch.RUNS}")
        for file in files:
            runs = state.read(str(file), dict) or {}
            policy, since = runs.get("policy") or "none", runs.get("since")
            text = "judges by the file"
            if runs.get("refused"):
                text = f"refuses the file since {since}: {runs['refused']}"
            elif policy != digest:
                text = f"judges by {policy}, and the file is {digest}"
            service = file.name.removesuffix(f".json{watch.RUNS}")
            row = (runs.get("release"), policy, since, text)
            yield (f"{folder}: {service}", *map(str, row))


def evidence_rows(paths: Iterable[str]) -> Iterator[Row]:
    """Yield what hosts' own reports say of each check.

    :param paths: of what nova-vhard-reporter check --format json printed, or
        its publisher json wrote
    :raises OSError, ValueError: if a file cannot be read, or is another
    """
    guides = {check.name: check.guide for check in plugins.load()}

    def rows(report: Any) -> list[Row]:
        time = datetime.datetime.fromisoformat(report["time"])
        return [
            (
                line(report["host"]),
                line(result["check"]),
                line(result["status"]),
                time.astimezone(datetime.UTC).isoformat(),
                guides.get(result["check"], "-"),
                line(result["reason"]),
                line("; ".join(result["evidence"])),
                line(report["version"]),
                line(report["policy"] or "none"),
            )
            for result in report["results"]
        ]

    # A host could write a report in the name of another.
    hosts: dict[str, str] = {}
    for path in paths:
        try:
            # The size is limited: a host may write what it likes.
            found = rows(json.loads(source.read_text(path)))
        except (
            *(ArithmeticError, AttributeError, LookupError, RecursionError),
            *(TypeError, ValueError, source.UnreadableError),
        ) as error:
            raise ValueError(
                f"{path} is not a report of nova-vhard-reporter: {error!r}"
            ) from error
        for host in {row[0] for row in found}:
            if hosts.setdefault(host, path) != path:
                raise ValueError(f"{hosts[host]} and {path} name one host")
        yield from found


def _part(
    rows: Callable[[], Iterable[Row]],
    notes: Callable[[], Iterable[str]] = tuple,
) -> Part:
    try:
        return Part(tuple(rows()), None, tuple(notes()))
    except (
        *paging.ERRORS,
        *paging.GLANCE_ERRORS,
        PlacementError,
        OSError,
        ValueError,
    ) as error:
        # A partial list would look like a complete one.
        text = why(error)
        if text == str(error):
            text = f"{type(error).__name__}: {text}"
        return Part(trouble=clean(text, reading.TEXT))
