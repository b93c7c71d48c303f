# SPDX-License-Identifier: Apache-2.0
"""A host's report in words, in a table, and for programs.

A format is one entry of FORMATS: what a person reads comes worst first, what
a program reads in the order of the documentation.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import prettytable
import yaml

from nova_vhard.common.text import line
from nova_vhard.host.check import Status
from nova_vhard.host.report import HostReport

#: Columns of a table and of CSV: name to key of a result.
COLUMNS = {
    "ID": "id",
    "Check": "check",
    "Result": "status",
    "Reason": "reason",
    "Evidence": "evidence",
    "Next step": "remediation",
    "Seconds": "seconds",
}

_SHOWN = ("ID", "Check", "Result", "Reason")
_WORST = (Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE, Status.PASS)

# Characters in a line of the table, evidence included.
_WIDTH = 100


def totals(report: HostReport) -> dict[str, int]:
    """Return how many checks gave each answer, the worst first."""
    counts = Counter(result.status for result in report.results)
    return {status.value: counts[status] for status in _WORST}


def worst_first(report: HostReport) -> list[dict[str, Any]]:
    """Return the results, in the order of what there is to do."""
    results: list[dict[str, Any]] = report.content()["results"]
    return sorted(results, key=lambda result: _WORST.index(result["status"]))


def table(report: HostReport, columns: Sequence[str]) -> str:
    """Return the report for a person, evidence and next steps too.

    :param columns: of COLUMNS; none for all that belongs into one, the
        reason with evidence and next step below it
    """
    chosen = columns or _SHOWN
    grid = prettytable.PrettyTable(list(chosen), align="l")
    grid.hrules = prettytable.HRuleStyle.ALL
    grid.max_width.update(dict.fromkeys(chosen, _WIDTH))
    for result in worst_first(report):
        grid.add_row([_cell(result, name, bool(columns)) for name in chosen])
    counts = ", ".join(
        f"{count} {status}" for status, count in totals(report).items()
    )
    return f"{grid.get_string()}\n{counts}"


def _cell(result: Mapping[str, Any], name: str, alone: bool) -> str:
    value = result[COLUMNS[name]]
    if name == "Reason" and not alone:
        return "\n".join(map(line, _words(result)))
    if isinstance(value, (list, tuple)):
        return "\n".join(map(line, value))
    return "" if value is None else line(str(value))


def _words(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield reason, evidence and next step of a result."""
    yield result["reason"]
    yield from (f"  {fact}" for fact in result["evidence"])
    if result["remediation"]:
        yield f"To do: {result['remediation']}"


def as_csv(report: HostReport, columns: Sequence[str]) -> str:
    """Return the report as comma-separated values, a line a check."""
    chosen = columns or tuple(COLUMNS)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(chosen)
    for result in worst_first(report):
        writer.writerow([_cell(result, name, True) for name in chosen])
    return out.getvalue().rstrip("\n")


def as_json(report: HostReport, columns: Sequence[str]) -> str:
    """Return the report as one object."""
    return json.dumps(_content(report, columns), indent=2)


def as_yaml(report: HostReport, columns: Sequence[str]) -> str:
    """Return the same object as YAML."""
    plain = json.loads(as_json(report, columns))
    text: str = yaml.safe_dump(plain, sort_keys=False)
    return text.rstrip("\n")


def _content(report: HostReport, columns: Sequence[str]) -> dict[str, Any]:
    content = {**report.content(), "totals": totals(report)}
    keys = [COLUMNS[name] for name in columns]
    if keys:
        content["results"] = [
            {key: result[key] for key in keys} for result in content["results"]
        ]
    return content


def as_junit(report: HostReport, columns: Sequence[str]) -> str:
    """Return the report as a test suite of JUnit's, a case a check.

    FAIL is a failure, UNKNOWN an error, NOT_APPLICABLE skipped.
    """
    counts = totals(report)
    suite = ElementTree.Element(
        "testsuite",
        name="nova-vhard-reporter",
        timestamp=report.time.isoformat(),
        tests=str(len(report.results)),
        failures=str(counts[Status.FAIL]),
        errors=str(counts[Status.UNKNOWN]),
        skipped=str(counts[Status.NOT_APPLICABLE]),
    )
    for result in report.content()["results"]:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=result["id"],
            name=result["check"],
            time=str(result["seconds"] or 0),
        )
        kind = _JUNIT.get(result["status"])
        if kind:
            text = "\n".join(map(line, _words(result)))
            reason = line(result["reason"])
            ElementTree.SubElement(case, kind, message=reason).text = text
    return ElementTree.tostring(suite).decode("ascii")


_JUNIT = {
    Status.FAIL: "failure",
    Status.UNKNOWN: "error",
    Status.NOT_APPLICABLE: "skipped",
}

#: Name of a format to what writes it.
FORMATS: dict[str, Callable[[HostReport, Sequence[str]], str]] = {
    "table": table,
    "json": as_json,
    "yaml": as_yaml,
    "csv": as_csv,
    "junit": as_junit,
}
