# SPDX-License-Identifier: Apache-2.0
"""Servers that share a verdict in an audit."""

from nova_vhard.osc.server import servers
from nova_vhard.request.lookups import Image
from tests.unit.helpers import TODAY, policy

B = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
DISKS = {"guest_devices": {"disk_bus": {"allow": ["virtio"]}}}
IDE = Image({"hw_disk_bus": "ide"}).hardware()
EXEMPTION = {
    "id": "old",
    "reason": "r",
    "servers": [B],
    "rules": {"guest_devices.disk_bus": ["ide"]},
    "until": "2099-01-01",
}


def test_similar_servers_are_judged_once(monkeypatch):
    judged, violating = [], servers._violating

    def counted(rules, server, today):
        judged.append(server.project)
        return violating(rules, server, today)

    monkeypatch.setattr(servers, "_violating", counted)
    auditor = servers.Auditor(policy(**DISKS, exemptions=[EXEMPTION]), TODAY)
    found = [
        auditor.rows(
            servers.Server(uuid, uuid, project, host, had=had, unseen=("x",))
        )
        for uuid, project, host, had in (
            ("a", "p", "h", IDE),
            (B, "p", "h", IDE),  # the exempted server
            ("c", "p", "i", IDE),
            ("d", "q", "h", IDE),
            ("e", "p", "h", Image({}).hardware()),
        )
    ]
    assert judged == ["p", "p", "q", "p"]
    rule, unseen = "guest_devices.disk_bus", servers.UNSEEN
    assert [[row[:5] for row in rows] for rows in found] == [
        [("p", "h", "a", "a", rule), ("p", "h", "a", "a", unseen)],
        [("p", "h", B, B, unseen)],
        [("p", "i", "c", "c", rule), ("p", "i", "c", "c", unseen)],
        [("q", "h", "d", "d", rule), ("q", "h", "d", "d", unseen)],
        [("p", "h", "e", "e", unseen)],
    ]


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(servers, "_MOST", 2)
    auditor = servers.Auditor(policy(), TODAY)
    for flavor in "abc":
        assert auditor.rows(servers.Server("x", flavor=flavor)) == []
        assert 1 <= len(auditor._known) <= 2
    monkeypatch.setattr(servers, "_LONGEST", 8)
    for flavor in "ab":
        assert auditor.rows(servers.Server("x", flavor=flavor)) == []
        assert len(auditor._known) == 1
