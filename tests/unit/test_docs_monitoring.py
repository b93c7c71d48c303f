# SPDX-License-Identifier: Apache-2.0
"""Alert rules, the dashboard and the page name metrics that exist."""

import datetime
import json
import re

import pytest
import yaml

from nova_vhard.attestor.metrics import Numbers
from nova_vhard.attestor.metrics import _Metrics as AttestorMetrics
from nova_vhard.catalogue.checks import CHECKS
from nova_vhard.exporter.metrics import (
    GATES,
    MODES,
    OUTCOMES,
    RULES,
    SERVICES,
    Metrics,
)
from nova_vhard.exporter.payloads import Decision, Runs
from nova_vhard.guard.metrics import Metrics as GuardMetrics
from nova_vhard.host.check import Result, Status
from nova_vhard.host.report import HostReport
from nova_vhard.reporter.publishers.base import Record
from nova_vhard.reporter.publishers.prometheus import _Metrics
from tests.unit.docs import ETC, MONITORING, SOURCE, extension, words
from tests.unit.promql import OF_THE_SCRAPE, labels_of

DASHBOARD = json.loads(
    (ETC / "grafana-dashboard.json").read_text(encoding="utf-8")
)
GROUPS = yaml.safe_load(
    (ETC / "prometheus-alerts.yaml").read_text(encoding="utf-8")
)["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"]]
PANELS = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
TARGETS = [target for each in PANELS for target in each["targets"]]

#: What Grafana puts in place of its variables.
VARIABLES = {"$__rate_interval": "5m", "$gate": "scheduler"}
VALUES = {
    "gate": set(GATES),
    "mode": set(MODES),
    "outcome": set(OUTCOMES),
    "rule": set(RULES),
    "check": set(CHECKS),
    "status": {each.value for each in Status},
    "service": set(SERVICES),
    "publisher": {"json", "placement", "prometheus"},
}


def families():
    """Yield every metric of the exporter and of the reporter, in use."""
    metrics = Metrics(["rabbit1:5672"])
    violation = (RULES[0], "enforce", 1)
    metrics.decided(Decision(GATES[0], "enforce", "refuse", (violation,), 0.1))
    metrics.runs("nova-api:controller1", Runs(1, "4f1c" * 4, None))
    yield from metrics.registry.collect()
    now = datetime.datetime(2026, 6, 15, tzinfo=datetime.UTC)
    result = Result("iommu", Status.PASS, "it is on", ())
    report = HostReport(now, (result,), {"iommu": 0.1})
    record = Record()
    record.published["placement"] = now.timestamp()
    record.errors["placement"] = 1
    record.days_ahead = 14
    yield from _Metrics(report, record).collect()
    yield from AttestorMetrics(Numbers(hosts={"compute1": True})).collect()
    guard = GuardMetrics()
    guard.guarded = True
    guard.decided("start", "allow")
    yield from guard.collect()


KNOWN = {
    sample.name: {name: VALUES.get(name) for name in sample.labels}
    for family in families()
    for sample in family.samples
    if not sample.name.endswith("_created")
}
EXPRESSIONS = [each["expr"] for each in (*ALERTS, *TARGETS)]


def filled_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_about_metrics_and_labels_that_exist(expression):
    labels_of(filled_in(expression), KNOWN)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("nova_vhard_decision_total", "no metric nova_vhard_decision_total"),
        ("nova_vhard_decisions_total{gates='x'}", "no label gates"),
        ("nova_vhard_decisions_total{outcome='refused'}", "never 'refused'"),
        ("sum by (rule) (nova_vhard_decisions_total)", "no label rule"),
        (
            "nova_vhard_check == 0 and nova_vhard_bus_up == 0",
            "never match",
        ),
        (
            "histogram_quantile(0.9, nova_vhard_decisions_total)",
            "needs the label le",
        ),
    ],
)
def test_a_wrong_expression_would_be_found(expression, text):
    with pytest.raises(ValueError, match=text):
        labels_of(expression, KNOWN)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each["alert"])
def test_an_alert_speaks_of_labels_that_it_has(alert):
    texts = " ".join(alert["annotations"].values())
    named = set(re.findall(r"\$labels\.(\w+)", texts))
    assert named <= labels_of(alert["expr"], KNOWN)
    assert set(alert["annotations"]) == {"summary", "description"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert f"``{alert['alert']}``" in extension().alerts()


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: each["expr"])
def test_a_legend_has_labels_that_its_panel_has(target):
    labels = labels_of(filled_in(target["expr"]), KNOWN)
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_the_dashboard_is_whole():
    ids = [each["id"] for each in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    variables = {
        each["name"]: each for each in DASHBOARD["templating"]["list"]
    }
    assert set(variables) == {"datasource", "gate"}
    asked = variables["gate"]["query"]["query"]
    metric, label = re.findall(r"label_values\((\w+), (\w+)\)", asked)[0]
    assert label in KNOWN[metric]
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"] and panel["description"]


def series(name):
    """Return the name of a metric without the ends that a histogram adds."""
    return re.sub("_(bucket|count|sum)$", "", name)


def test_every_metric_is_looked_at():
    # The dashboard is of gates and hosts; the others have alerts alone.
    others = ("nova_vhard_guard_", "nova_vhard_attest")
    ours = {series(name) for name in KNOWN if not name.startswith(others)}
    text = " ".join(EXPRESSIONS)
    assert {name for name in ours if name not in text} == set()
    for name, labels in KNOWN.items():
        # Prometheus would replace these.
        assert not OF_THE_SCRAPE & labels.keys(), name


def test_the_pages_have_every_metric():
    pages = ("attestation", "exporter", "guard", "report")
    texts = (words(SOURCE / "admin" / f"{page}.rst") for page in pages)
    named = set(re.findall(r"``(nova_vhard_\w+)``", " ".join(texts)))
    assert named == {series(name) for name in KNOWN}
    assert ".. include:: ../_generated/alerts.inc\n" in MONITORING.read_text()
    assert "{{" not in extension().alerts()
