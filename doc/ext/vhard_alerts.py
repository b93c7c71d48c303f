# SPDX-License-Identifier: Apache-2.0
"""Write the table of the alerts for Prometheus."""

import re
from pathlib import Path

import yaml
from vhard_rst import plain, table

ALERTS = Path(__file__).parents[2] / "etc/nova-vhard/prometheus-alerts.yaml"


def alerts() -> str:
    """Return all alerts: what each says, how severe it is, what to do."""
    rows = (
        (
            f"``{rule['alert']}``",
            rule["labels"]["severity"],
            _text(rule["annotations"]["summary"]),
            _text(rule["annotations"]["description"]),
        )
        for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    )
    head = ("Alert", "Severity", "What it says", "What to do")
    return table(head, rows, (24, 10, 26, 40))


def _text(template: str) -> str:
    """Return an annotation with the names of its labels, and N for values."""
    text = re.sub(r"\{\{ \$value.*?\}\}", "N", template)
    return plain(re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"<\1>", text))
