# SPDX-License-Identifier: Apache-2.0
"""A host's report in words, in a table, and for programs.

A format is one entry of FORMATS: what a person reads comes worst first, what
a program reads in the order of the documentation.
"""

import csv
import io
import json
import shutil
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

_SHOWN = ("Check", "Result", "Reason")
_WORST = (Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE, Status.PASS)

# Columns of characters; the other columns share the rest of the terminal.
_NARROW = {"ID": 13, "Check": 24, "Result": 14, "Seconds": 7}


def totals(report: HostReport) -> dict[str, int]:
    """Return how many checks gave each answer, the worst first."""
    counts = Counter(result.status for result in report.results)
    return {status.value: counts[status] for status in _WORST}


def worst_first(report: HostReport) -> list[dict[str, Any]]:
    """Return the results, in the order of what there is to do."""
    results: list[dict[str, Any]] = report.content()["results"]
    return sorted(results, key=lambda result: _WORST.index(result["status"]))


def table(
    report: HostReport, columns: Sequence[str], evidence: bool = False
) -> str:
    """Return the report for a person, as wide as the terminal.

    :param columns: of COLUMNS; without any, check, result and reason with the
        next step below it
    :param evidence: whether the evidence is below the reason as well
    """
    chosen = columns or _SHOWN
    room = shutil.get_terminal_size((100, 24)).columns - 1
    room -= sum(_NARROW.get(name, 0) + 3 for name in chosen)
    share = max(room // (len(set(chosen) - set(_NARROW)) or 1), 20)
    grid = prettytable.PrettyTable(list(chosen), align="l")
    # ALL: prettytable 3.6, which RHEL 10 has, has no HRuleStyle.
    grid.hrules = 1  # type: ignore[assignment]
    grid.max_width.update({name: _NARROW.get(name, share) for name in chosen})
    for result in worst_first(report):
        row = {name: _cell(result, name) for name in chosen}
        if not columns:
            row["Check"] += f"\n{result['id']}"
            row["Reason"] = "\n".join(map(line, _words(result, evidence)))
        grid.add_row(list(row.values()))
    counts = ", ".join(
        f"{count} {status}" for status, count in totals(report).items()
    )
    return f"{grid.get_string()}\n{counts}"


def _cell(result: Mapping[str, Any], name: str) -> str:
    value = result[COLUMNS[name]]
    if isinstance(value, (list, tuple)):
        return "\n".join(map(line, value))
    return "" if value is None else line(str(value))


def _words(result: Mapping[str, Any], evidence: bool = True) -> Iterator[str]:
    """Yield reason, evidence and next step of a result."""
    yield result["reason"]
    if evidence:
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
        writer.writerow([_cell(result, name) for name in chosen])
    return out.getvalue().rstrip("\n")


def as_json(report: HostReport, columns: Sequence[str]) -> str:
    """Return the report as one object."""
    content = {**report.content(), "totals": totals(report)}
    keys = [COLUMNS[name] for name in columns]
    if keys:
        content["results"] = [
            {key: result[key] for key in keys} for result in content["results"]
        ]
    return json.dumps(content, indent=2)


def as_yaml(report: HostReport, columns: Sequence[str]) -> str:
    """Return the same object as YAML."""
    plain = json.loads(as_json(report, columns))
    return str(yaml.safe_dump(plain, sort_keys=False)).rstrip("\n")


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
    "long": lambda report, columns: table(report, columns, evidence=True),
    "json": as_json,
    "yaml": as_yaml,
    "csv": as_csv,
    "junit": as_junit,
}
