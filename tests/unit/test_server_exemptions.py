# SPDX-License-Identifier: Apache-2.0
"""Exemptions that name servers, and lists of them."""

import datetime
import os
from unittest import mock

import pytest
from osc_lib import exceptions

from nova_vhard.osc import exemption_list
from nova_vhard.osc.server.servers import Server, violations
from nova_vhard.policy import document, hardware, subject
from nova_vhard.policy.model import Exemption
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import described, domain, image
from tests.unit.domain_texts import UUID, text
from tests.unit.helpers import TODAY, evaluated, judge, policy, write

UNTIL = datetime.date(2027, 6, 15)
CARD, DISK = "guest_devices.vif_model", "guest_devices.disk_bus"
RULES = """\
    version: "1"
    extends: baseline
    on_host: {mode: enforce}
    """
E1000 = {"hw_vif_model": "e1000", "hw_machine_type": "q35"}
IDE = {**E1000, "hw_disk_bus": "ide"}


def ident(number):
    return f"00000000-0000-4000-8000-{number:012}"


def server(number, properties, **more):
    return Server(ident(number), had=image.read(properties), **more)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "policy.yaml", RULES)


def listed(path, *servers):
    content = exemption_list.ExemptionList("server", TODAY)
    rules = document.load(path)
    for each in servers:
        content.add(each.id, violations(rules, each, TODAY))
    return content


def written(path, tmp_path, *servers):
    """Return the policy that extends the list of servers."""
    exemption_list.write(
        str(tmp_path / "list.yaml"), path, listed(path, *servers), UNTIL
    )
    return document.load(
        write(tmp_path / "policy.yaml", RULES.replace("baseline", "list.yaml"))
    )


def test_list_lets_each_server_keep_what_it_has(path, tmp_path):
    rules = written(
        path, tmp_path, server(1, E1000), server(2, IDE), server(3, E1000)
    )
    # both files are there: the list, and what the policy extended before
    assert [os.path.basename(each) for each in rules.files] == [
        "policy.yaml",
        "list.yaml",
        "baseline.yaml",
    ]
    for number, left in ((1, [DISK]), (2, []), (3, [DISK]), (4, [DISK, CARD])):
        for operation in (subject.MOVE, subject.START):
            assert sorted(
                judge(
                    rules,
                    IDE,
                    **{"operation": operation, "server": ident(number)},
                ).rules
            ) == sorted(left)


def test_servers_with_the_same_devices_are_one_exemption(path, tmp_path):
    (exemption,) = written(
        path, tmp_path, *[server(number, E1000) for number in range(50)]
    ).exemptions
    assert (exemption.until, len(exemption.servers)) == (UNTIL, 50)
    assert str(TODAY) in exemption.reason
    assert set(exemption.rules) == {CARD}


@pytest.mark.parametrize(
    ("model", "refused"), [("e1000", []), ("rtl8139", [CARD])]
)
def test_host_lets_a_listed_server_start(path, tmp_path, model, refused):
    rules = written(path, tmp_path, Server(UUID, had=image.read(E1000)))
    result = domain.read(
        text(f"<interface type='bridge'><model type='{model}'/></interface>"),
        subject.START,
        "x86_64",
    )
    verdict = evaluate(rules, result.request, result.subject, TODAY)
    assert verdict.rules == refused


@pytest.mark.parametrize(
    ("number", "broken"), [(1, []), (2, ["passthrough.allow"])]
)
def test_passthrough_is_listed_by_name(path, tmp_path, number, broken):
    asked = hardware.HardwareRequest(
        passthrough=(hardware.Passthrough("aliases", "gpu", "flavor"),),
        devices=frozenset(),
        only=frozenset(),
    )
    verdict = evaluated(
        written(path, tmp_path, server(1, {}, rest=asked)),
        asked,
        project=None,
        server=ident(number),
    )
    assert verdict.rules == broken


ODD = {"hw_disk_bus": "odd", "hw_redirected_usb_ports": "many"}


@pytest.mark.parametrize(
    ("made_of", "rules", "count", "left_out"),
    [
        # libosinfo picks the bus and the card
        ({"had": {"os_distro": "windows"}}, None, 0, 0),
        (
            {"had": {**E1000, "base_image_ref": "http://host/"}},
            {CARD: ["e1000"]},
            1,
            1,
        ),
        # what Nova does not know is not listed
        ({"had": {**E1000, **ODD}}, {CARD: ["e1000"]}, 1, 1),
        # Nova does not show what it was made of
        ({"now": IDE}, {CARD: ["e1000"], DISK: ["ide"]}, 1, 0),
        # a value of an outsider becomes no pattern
        *(
            ({"had": {"hw_machine_type": machine}}, None, 0, 1)
            for machine in (
                *("*", "pc*", "pc-?", "[p]c", "p" * 300, "pc\n", "", "pc\x1b"),
            )
        ),
    ],
)
def test_what_is_listed_of_a_server(path, made_of, rules, count, left_out):
    made_of = {key: image.read(made_of[key]) for key in made_of}
    content = listed(path, Server(ident(1), **made_of))
    assert (content.count, content.left_out) == (count, left_out)
    assert len([*exemption_list.notes("list", content)]) == 1 + bool(left_out)
    assert [each["rules"] for each in content.exemptions(UNTIL)] == (
        [rules] if rules else []
    )


def test_exempted_server_is_not_listed_again(path, tmp_path):
    rules = written(path, tmp_path, server(1, E1000))
    content = exemption_list.ExemptionList("server", TODAY)
    content.add(ident(1), violations(rules, server(1, E1000), TODAY))
    assert content.count == 0
    (note,) = exemption_list.notes("list", content)
    assert "was not written" in note


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.yaml", "already exists"),
        ("no/list.yaml", "list.yaml: cannot be written: No such"),
    ],
)
def test_list_that_cannot_be_written(path, tmp_path, name, words):
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine")
    content = listed(path, server(1, E1000))
    with pytest.raises(exceptions.CommandError, match=words):
        exemption_list.write(str(tmp_path / name), path, content, UNTIL)
    assert mine.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["mine.yaml", "policy.yaml"]


@pytest.mark.parametrize(
    ("base", "name"), [("base.yaml", "base.yaml"), ("scs", "scs.yaml")]
)
def test_list_extends_what_the_policy_does(path, tmp_path, base, name):
    write(tmp_path / "base.yaml", RULES)
    outer = write(tmp_path / "policy.yaml", RULES.replace("baseline", base))
    (tmp_path / "elsewhere").mkdir()
    target = str(tmp_path / "elsewhere" / "list.yaml")
    exemption_list.write(target, outer, listed(path, server(1, E1000)), UNTIL)
    assert [*map(os.path.basename, document.load(target).files)][:2] == [
        "list.yaml",
        name,
    ]


def exempting(*servers, **more):
    """Return a policy that exempts servers, each by an entry."""
    entries = [
        {
            "id": f"e{number}",
            "reason": "r",
            "until": "2026-06-15",
            "servers": [ident(number)],
            "rules": {CARD: ["e1000"]},
            **more,
        }
        for number in servers
    ]
    return policy(
        guest_devices={"vif_model": {"allow": ["virtio"]}},
        exemptions=entries,
    )


@pytest.mark.parametrize(
    ("more", "number", "project", "outcome"),
    [
        ({}, 1, "p1", "allow"),
        ({}, 2, "p1", "refuse"),
        # server and project must both fit
        ({"projects": ["p1"]}, 1, "p1", "allow"),
        ({"projects": ["p1"]}, 2, "p1", "refuse"),
        ({"projects": ["p1"]}, 1, "p2", "refuse"),
        ({"projects": ["p1"]}, None, "p1", "refuse"),
    ],
)
def test_request_is_of_a_server(more, number, project, outcome):
    asked = {
        "operation": subject.REBUILD,
        "project": project,
        "image": {"properties": E1000},
    }
    if number:
        asked["server"] = {"id": ident(number)}
    verdict = described.read(asked).verdict(exempting(1, **more), TODAY)
    assert verdict.outcome == outcome


def test_ten_thousand_exemptions_are_looked_up_not_searched(monkeypatch):
    rules = exempting(*range(10_000))
    covers = mock.Mock(wraps=rules.exemptions[7].covers)
    monkeypatch.setattr(Exemption, "covers", covers)
    assert (
        judge(rules, E1000, server=ident(7)).rules,
        judge(rules, E1000, server=ident(10_000)).rules,
    ) == ([], [CARD])
    assert covers.call_count == 1
