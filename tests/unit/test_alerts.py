# SPDX-License-Identifier: Apache-2.0
"""Each alert fires while its fault lasts, and ends after it (promtool)."""

import os
import shutil
import subprocess

import pytest
import yaml

from tests.unit.docs import ETC
from tests.unit.helpers import write

RULES = ETC / "prometheus-alerts.yaml"
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"] for group in GROUPS for rule in group["rules"]}

#: Values of a series, one a minute: a time that stands still and then is now.
LATE = "0x60 3660+60x30"
REFUSED = 'decisions_total{gate="nova-api",outcome="refuse"}'
UNJUDGED = 'decisions_total{gate="nova-api",outcome="unjudged"}'
DISABLED = 'decisions_total{gate="nova-api",outcome="disabled"}'
PASSED = 'check{status="PASS",check="iommu"}'
UNKNOWN = 'check{status="UNKNOWN",check="iommu"}'
FAILED = 'check{status="FAIL",check="iommu"}'

#: Alert, series, minutes in which it fires, and in which it does not.
CASES = (
    ("ReporterSilent", {"report_timestamp_seconds": LATE}, [52, 60], [40, 65]),
    (
        "NotInPlacement",
        {'published_timestamp_seconds{publisher="placement"}': LATE},
        [52, 60],
        [40, 65],
    ),
    ("FewNames", {"names_days_ahead": "5x180 14x9"}, [125, 180], [60, 185]),
    ("PublishErrors", {"publish_errors_total": "0+1x9 9x60"}, [8], [1, 60]),
    ("HostLostCheck", {PASSED: "1x9 0x60 1x9"}, [25, 69], [15, 75]),
    # until it has passed, however long that takes
    ("HostCheckFails", {UNKNOWN: "1x1600 0x9"}, [1450, 1600], [9, 1605]),
    (
        "HostCheckFails",
        {FAILED: "1x800 0x900", UNKNOWN: "0x800 1x799 0x9"},
        [1450, 1595],
        [1400, 1605],
    ),
    (
        "AttestorSilent",
        {"attestor_round_timestamp_seconds": LATE},
        [10, 60],
        [3, 65],
    ),
    (
        "VerifierSilent",
        {"attestor_answer_timestamp_seconds": LATE},
        [10, 60],
        [3, 65],
    ),
    ("HostNotAttested", {'attested{host="c1"}': "0x60 1x9"}, [6, 60], [2, 65]),
    ("MarksForged", {"attestor_void_marks_total": "0x5 3x60"}, [7], [4, 60]),
    ("GuardSilent", {"guard_timestamp_seconds": LATE}, [25, 60], [10, 65]),
    ("GuardNotInForce", {"guard_in_force": "0x60 1x9"}, [20, 60], [9, 65]),
    (
        "GuardPolicyUnusable",
        {"guard_policy_usable": "0x90 1x9"},
        [6, 90],
        [2, 95],
    ),
    (
        "GuestKeepsDevice",
        {'guard_hot_plugs_total{result="kept"}': "0x5 1x90"},
        [10],
        [4, 80],
    ),
    ("RefusalsJump", {REFUSED: "0x60 0+10x15 150x60"}, [70], [50, 110]),
    ("RefusesMost", {REFUSED: "0+10x20 200x60"}, [15], [1, 60]),
    # longer than an hour, and no longer than the fault
    (
        "PolicyUnusable",
        {'policy_usable{service="nova-api"}': "1x5 0x90 1x9"},
        [8, 95],
        [4, 98],
    ),
    (
        "PoliciesDiffer",
        {
            'policy_info{service="nova-api",digest="a"}': "1x90",
            'policy_info{service="nova-api",digest="b"}': "1x60 stale",
        },
        [12, 60],
        [5, 65],
    ),
    ("RequestsUnjudged", {UNJUDGED: "0x5 0+1x60 60x30"}, [10, 65], [4, 75]),
    ("SwitchedOff", {DISABLED: "0x5 0+1x60 60x30"}, [10, 65], [4, 80]),
    ("BusDown", {'bus_up{bus="b"}': "0x60 1x9"}, [12, 60], [5, 65]),
    (
        "GatesSilent",
        {
            'bus_up{bus="b"}': "1x1700",
            'bus_last_message_timestamp_seconds{bus="b"}': (
                "0x1600 96060+60x90"
            ),
        },
        [1510, 1600],
        [1440, 1605],
    ),
    (
        "NotificationsDropped",
        {"notifications_dropped_total": "0x5 7x90"},
        [10],
        [4, 80],
    ),
    (
        "NotificationsUnreadable",
        {"notifications_unreadable_total": "0x5 7x90"},
        [10],
        [4, 80],
    ),
)


needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool") and "CI" not in os.environ,
    reason="promtool is not here (Debian package promtool)",
)


def check(action, path):
    """Check or test rules with promtool."""
    ended = subprocess.run(
        ["promtool", action, "rules", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_a_case():
    assert {f"Vhard{alert}" for alert, *_ in CASES} == ALERTS


@needs_promtool
def test_the_file_is_good():
    check("check", str(RULES))


@needs_promtool
@pytest.mark.parametrize(
    ("alert", "series", "firing", "quiet"),
    CASES,
    ids=[row[0] for row in CASES],
)
def test_alert(tmp_path, alert, series, firing, quiet):
    """Each alone: promtool evaluates every rule at every minute."""
    groups = [
        group | {"rules": [rule]}
        for group in GROUPS
        for rule in group["rules"]
        if rule["alert"] == f"Vhard{alert}"
    ]
    rules = write(tmp_path / "rules.yaml", yaml.safe_dump({"groups": groups}))
    content = {
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"nova_vhard_{name}", "values": values}
                    for name, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": 'count(ALERTS{alertstate="firing"})'
                        " or vector(0)",
                        "eval_time": f"{minute}m",
                        "exp_samples": [{"value": int(minute in firing)}],
                    }
                    for minute in (*firing, *quiet)
                ],
            }
        ],
    }
    check("test", write(tmp_path / "alerts.yaml", yaml.safe_dump(content)))
