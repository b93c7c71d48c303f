# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML page, without script and without references.

Text from outside is sanitized: control characters and those that change the
direction of text are removed. It is then escaped and isolated (``bdi``), so
that a name can neither act as markup nor reorder the words next to it.
"""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import jinja2
import jinja2.filters

from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.common.text import clean, line
from nova_vhard.host import plugins
from nova_vhard.osc.image import images
from nova_vhard.osc.report import exemptions, summary
from nova_vhard.osc.report.data import (
    DEVICE_COLUMNS,
    EVIDENCE_COLUMNS,
    FLAVOR_COLUMNS,
    SERVICE_COLUMNS,
    Part,
    Report,
)
from nova_vhard.osc.server import servers
from nova_vhard.placement.fleet import (
    FRESH,
    SILENT,
    STALE,
)
from nova_vhard.policy import release

_LONG = 2000
_BDI = jinja2.filters.FILTERS["safe"]("<bdi>{}</bdi>")
_ABOUT_IMAGES = (("Image", "Name", "ID"), ("Owner", "Owner", ""))
_ABOUT_SERVERS = (
    ("Server", "Name", "Server"),
    ("Project", "Project", ""),
    ("Host", "Host", ""),
)
_ABOUT_FLAVORS = (("Flavor", "Flavor", "ID"),)


@dataclass(frozen=True)
class Cell:
    """A cell of a table: a label for narrow screens, a text, a second line."""

    label: str
    text: str
    more: str = ""


@dataclass(frozen=True)
class Table:
    """Violations of one kind, as the page shows them.

    :ivar count: how many things violate, not how many rows there are
    """

    id: str
    title: str
    what: str
    part: Part
    rows: Sequence[Sequence[Cell]]
    count: int


def render(report: Report) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nova_vhard.osc.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # Also sanitizes text to which a template applies no filter outside.
        finalize=lambda value: line(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["outside"] = outside
    today = report.made.astimezone(datetime.UTC).date()
    hosts = summary.worst_first(report.hosts)
    return environment.get_template("report.html.j2").render(
        report=report,
        made=f"{report.made.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        checks=tuple(plugins.load()),
        statuses=Counter(host.status for host in report.hosts),
        proven=Counter(name for host in hosts for name in host.proven),
        cell=summary.answer,
        answers=summary.ANSWERS,
        hosts=hosts,
        worst=[
            host
            for host in hosts
            if {"FAIL", "UNKNOWN"} & {*map(host.result, CHECKS)}
        ],
        lacking=summary.least_proven(hosts),
        of_check=lambda name: summary.counts(h.result(name) for h in hosts),
        of_host=lambda host: summary.counts(map(host.result, CHECKS)),
        version=str(release.INSTALLED),
        evidence_columns=EVIDENCE_COLUMNS,
        few=summary.FEW,
        tables=(
            _table(
                ("images", "Images", "image"),
                report.images,
                images.COLUMNS[:-1],
                _ABOUT_IMAGES,
            ),
            _table(
                ("servers", "Servers", "server"),
                report.servers,
                servers.COLUMNS,
                _ABOUT_SERVERS,
            ),
            _table(
                ("flavors", "Flavors", "flavor"),
                report.flavors,
                FLAVOR_COLUMNS,
                _ABOUT_FLAVORS,
            ),
        ),
        device_columns=DEVICE_COLUMNS,
        service_columns=SERVICE_COLUMNS,
        exemptions=exemptions.rows(report.policy.exemptions, today),
        fresh=FRESH,
        stale=STALE,
        silent=SILENT,
    )


def outside(value: object) -> str:
    """Return text from outside, sanitized for the page.

    :returns: Jinja2's own kind of text, which is not escaped again
    """
    return cast(str, _BDI.format(clean(value, _LONG)))


def _table(
    names: tuple[str, str, str],
    part: Part,
    columns: Sequence[str],
    about: Sequence[tuple[str, str, str]],
) -> Table:
    _, _, key = about[0]
    rows = [dict(zip(columns, row, strict=True)) for row in part.rows]
    broken = {row[key] for row in rows if row["Rule"] != servers.UNSEEN}
    cells = [tuple(_cells(row, about)) for row in rows]
    return Table(*names, part, cells, len(broken))


def _cells(
    row: Mapping[str, str], about: Sequence[tuple[str, str, str]]
) -> Iterator[Cell]:
    for label, name, more in about:
        if more and not row[name]:
            yield Cell(label, row[more])
        else:
            yield Cell(label, row[name] or "-", row.get(more, ""))
    rule = "not judged" if row["Rule"] == servers.UNSEEN else row["Rule"]
    yield Cell("Rule", rule, row["Mode"])
    yield Cell("Asks for", row["Asks For"])
    yield Cell("To fix", row["Fix"] or "-")
    if "Means" in row:
        yield Cell("Means", row["Means"])
