# SPDX-License-Identifier: Apache-2.0
"""Exemptions by server: the list of an audit, and what it lets through."""

import datetime
import os

import pytest
from osc_lib import exceptions

from nova_vhard.osc import exemption_list
from nova_vhard.osc.server.audit import AuditServers
from nova_vhard.osc.server.servers import Server, violations
from nova_vhard.policy import document
from nova_vhard.policy.hardware import HardwareRequest, Passthrough
from nova_vhard.policy.model import Exemption
from nova_vhard.policy.subject import BOOT, MOVE, REBUILD, START, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import described, domain, image
from tests.unit.domain_texts import UUID, text
from tests.unit.helpers import TODAY, judge, policy, write

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
    target = str(tmp_path / "list.yaml")
    exemption_list.write(target, path, listed(path, *servers), UNTIL)
    outer = RULES.replace("baseline", "list.yaml")
    return document.load(write(tmp_path / "policy.yaml", outer))


def rules_of(policy, properties, **who):
    return judge(policy, properties, **who).rules


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
    table = {
        (1, CARD): True,
        (1, DISK): False,
        (2, CARD): True,
        (2, DISK): True,
        (3, CARD): True,
        (3, DISK): False,
        (4, CARD): False,
        (4, DISK): False,
    }
    for number in range(1, 5):
        for operation in (MOVE, START):
            broken = rules_of(
                rules, IDE, operation=operation, server=ident(number)
            )
            assert {rule: rule not in broken for rule in (CARD, DISK)} == {
                rule: table[number, rule] for rule in (CARD, DISK)
            }


def test_servers_with_the_same_devices_are_one_exemption(path, tmp_path):
    rules = written(
        path, tmp_path, *(server(number, E1000) for number in range(50))
    )
    (exemption,) = rules.exemptions
    assert exemption.until == UNTIL
    assert len(exemption.servers) == 50
    assert str(TODAY) in exemption.reason
    assert set(exemption.rules) == {CARD}


def test_host_lets_a_listed_server_start(path, tmp_path):
    rules = written(path, tmp_path, Server(UUID, had=image.read(E1000)))
    card = "<interface type='bridge'><model type='{}'/></interface>"
    for model, refused in (("e1000", []), ("rtl8139", [CARD])):
        result = domain.read(text(card.format(model)), START, "x86_64")
        verdict = evaluate(rules, result.request, result.subject, TODAY)
        assert verdict.rules == refused


def test_passthrough_is_listed_by_name(path, tmp_path):
    asked = HardwareRequest(
        passthrough=(Passthrough("aliases", "gpu", "flavor"),),
        devices=frozenset(),
        only=frozenset(),
    )
    rules = written(path, tmp_path, server(1, {}, rest=asked))
    for number, broken in ((1, []), (2, ["passthrough.allow"])):
        subject = Subject(BOOT, server=ident(number))
        assert evaluate(rules, asked, subject, TODAY).rules == broken


def test_what_nobody_can_name_is_counted_and_not_listed(path):
    # libosinfo picks the bus and the card
    content = listed(path, server(1, {"os_distro": "windows"}))
    strict = listed(
        path, server(1, {**E1000, "base_image_ref": "http://host/"})
    )
    assert (content.count, content.left_out) == (0, 0)
    assert (strict.count, strict.left_out) == (1, 1)
    assert "can name" in list(exemption_list.notes("list", strict))[1]


@pytest.mark.parametrize(
    "machine", ["*", "pc*", "pc-?", "[p]c", "p" * 300, "pc\n", "", "pc\x1b"]
)
def test_value_of_an_outsider_becomes_no_pattern(path, machine):
    content = listed(path, server(1, {"hw_machine_type": machine}))
    assert (content.count, content.left_out) == (0, 1)


def test_value_that_nova_does_not_know_is_not_listed(path):
    odd = {"hw_disk_bus": "odd", "hw_redirected_usb_ports": "many"}
    content = listed(path, server(1, {**E1000, **odd}))
    (exemption,) = content.exemptions(UNTIL)
    assert exemption["rules"] == {CARD: ["e1000"]}
    assert content.left_out == 1


def test_server_of_which_nova_does_not_show_what_it_was_made_of(path):
    volume = Server(ident(1), now=image.read(IDE))
    (exemption,) = listed(path, volume).exemptions(UNTIL)
    assert exemption["rules"] == {CARD: ["e1000"], DISK: ["ide"]}


def test_exempted_server_is_not_listed_again(path, tmp_path):
    rules = written(path, tmp_path, server(1, E1000))
    content = exemption_list.ExemptionList("server", TODAY)
    content.add(ident(1), violations(rules, server(1, E1000), TODAY))
    assert content.count == 0
    (note,) = exemption_list.notes("list", content)
    assert "violates" in note


def test_existing_file_is_not_overwritten(path, tmp_path):
    target = tmp_path / "list.yaml"
    target.write_text("mine")
    with pytest.raises(exceptions.CommandError, match="already exists"):
        exemption_list.write(
            str(target), path, listed(path, server(1, E1000)), UNTIL
        )
    assert target.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["list.yaml", "policy.yaml"]


def test_folder_that_is_not_there(path, tmp_path):
    target = str(tmp_path / "no" / "list.yaml")
    with pytest.raises(
        exceptions.CommandError, match=r"list.yaml: cannot be written: No such"
    ):
        exemption_list.write(
            target, path, listed(path, server(1, E1000)), UNTIL
        )


def test_policy_that_extends_a_path_is_extended_by_the_list(tmp_path):
    base = write(tmp_path / "base.yaml", RULES)
    outer = write(
        tmp_path / "policy.yaml",
        """\
        version: "1"
        extends: base.yaml
        """,
    )
    target = tmp_path / "elsewhere" / "list.yaml"
    target.parent.mkdir()
    exemption_list.write(
        str(target), outer, listed(outer, server(1, E1000)), UNTIL
    )
    assert base in document.load(str(target)).files


def test_list_for_a_shipped_policy_extends_it(path, tmp_path):
    target = str(tmp_path / "list.yaml")
    exemption_list.write(target, "scs", listed(path, server(1, E1000)), UNTIL)
    names = map(os.path.basename, document.load(target).files)
    assert list(names)[:2] == ["list.yaml", "scs.yaml"]


@pytest.mark.parametrize("day", ["2020-01-01", "soon", "2027-02-30", ""])
def test_day_that_is_none(day):
    parser = AuditServers(None, None).get_parser("audit")
    with pytest.raises(SystemExit):
        parser.parse_args(["--until", day])


def test_ten_thousand_exemptions_are_looked_up_not_searched(monkeypatch):
    entries = [
        {
            "id": f"e{number}",
            "reason": "r",
            "until": "2026-06-15",
            "servers": [ident(number)],
            "rules": {CARD: ["e1000"]},
        }
        for number in range(10_000)
    ]
    rules = policy(
        guest_devices={"vif_model": {"allow": ["virtio"]}},
        exemptions=entries,
    )
    asked = []
    covers = Exemption.covers

    def counted(self, *arguments):
        asked.append(self.id)
        return covers(self, *arguments)

    monkeypatch.setattr(Exemption, "covers", counted)
    assert rules_of(rules, E1000, server=ident(7)) == []
    assert rules_of(rules, E1000, server=ident(10_000)) == [CARD]
    assert asked == ["e7"]


def test_described_request_is_of_a_server():
    rules = policy(
        guest_devices={"vif_model": {"allow": ["virtio"]}},
        exemptions=[
            {
                "id": "e",
                "reason": "r",
                "until": "2026-06-15",
                "servers": [ident(1)],
                "rules": {CARD: ["e1000"]},
            }
        ],
    )
    for number, outcome in ((1, "allow"), (2, "refuse")):
        case = described.read(
            {
                "operation": REBUILD,
                "server": {"id": ident(number)},
                "image": {"properties": E1000},
            }
        )
        assert case.verdict(rules, TODAY).outcome == outcome


def test_server_and_project_must_both_fit():
    rules = policy(
        guest_devices={"vif_model": {"allow": ["virtio"]}},
        exemptions=[
            {
                "id": "e",
                "reason": "r",
                "until": "2026-06-15",
                "servers": [ident(1)],
                "projects": ["p1"],
                "rules": {CARD: ["e1000"]},
            }
        ],
    )
    table = [
        (ident(1), "p1", []),
        (ident(2), "p1", [CARD]),
        (ident(1), "p2", [CARD]),
        ("", "p1", [CARD]),
    ]
    for number, project, broken in table:
        assert rules_of(rules, E1000, server=number, project=project) == broken
