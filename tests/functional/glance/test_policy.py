# SPDX-License-Identifier: Apache-2.0
"""Who is judged by which policy, and what becomes of a verdict."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import User, add, message

EVENTS = "nova_vhard.decisions"


def events(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the decision events that were written."""
    return [
        json.loads(record.message)
        for record in log.records
        if record.name == EVENTS
    ]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Give what is logged from information level on."""
    caplog.set_level("INFO", "nova_vhard")
    return caplog


def exemption(*, project: str, until: str = "2999-12-31") -> str:
    """Return a policy's exemption of ide for a project."""
    return f"""
exemptions:
  - id: old-appliance
    reason: its image has no virtio driver
    projects: [{project}]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: {until}
"""


def test_an_exempted_project_is_let_through(
    under: MakeUser, plain: User, log: pytest.LogCaptureFixture
) -> None:
    # given
    user = under(exemption(project=plain.project))
    # when
    response = user.create(hw_disk_bus="ide")
    # then
    assert response.status_int == 201, response.text
    changed = user.update(response.json["id"], add("/hw_disk_bus", "ide"))
    assert changed.status_int == 200, changed.text
    assert [event["outcome"] for event in events(log)] == ["allow", "allow"]
    assert "old-appliance" in events(log)[0]["exemptions"]


@pytest.mark.parametrize("written", ["admin", "Admin"])
@pytest.mark.parametrize("sent", ["admin", "Admin", "member,ADMIN"])
def test_an_exempted_role_in_any_case(
    under: MakeUser, written: str, sent: str
) -> None:
    """Keystone has one role of all these names."""
    # given
    policy = exemption(project="p")
    user = under(policy.replace("projects: [p]", f"roles: [{written}]"))
    assert message(user.create(hw_disk_bus="ide"))
    # when
    admin = replace(user, roles=sent)
    # then
    assert admin.create(hw_disk_bus="ide").status_int == 201


def test_an_exemption_lifts_what_it_names_only(
    under: MakeUser, plain: User
) -> None:
    # given
    user = under(exemption(project=plain.project))
    # when
    text = message(user.create(hw_disk_bus="ide", hw_vif_model="e1000"))
    # then
    assert "hw_vif_model='e1000'" in text
    assert "hw_disk_bus" not in text
    assert message(user.create(hw_disk_bus="fdc"))


def test_other_projects_are_not_exempt(under: MakeUser, plain: User) -> None:
    # given
    policy = exemption(project="0123456789abcdef0123456789abcdef")
    # then
    assert message(under(policy).create(hw_disk_bus="ide"))


def test_an_exemption_that_ended_is_void(under: MakeUser, plain: User) -> None:
    policy = exemption(project=plain.project, until="2020-01-01")
    assert message(under(policy).create(hw_disk_bus="ide"))


def test_an_image_cannot_bring_the_exemption_of_its_owner_along(
    under: MakeUser, plain: User
) -> None:
    """A user may not name another project as the owner of an image."""
    # given
    exempted = User(plain.app)
    user = under(exemption(project=exempted.project))
    # when
    response = user.create(hw_disk_bus="ide", owner=exempted.project)
    # then
    assert response.status_int == 403
    assert plain.images() == exempted.images() == []


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_warn_and_audit_let_pass_with_an_event(
    under: MakeUser, plain: User, log: pytest.LogCaptureFixture, mode: str
) -> None:
    # given
    user = under(f"mode: {mode}\n")
    image = plain.create().json["id"]
    # when
    created = user.create(hw_disk_bus="ide", name="new")
    changed = user.update(image, add("/hw_disk_bus", "ide"))
    # then
    assert (created.status_int, changed.status_int) == (201, 200)
    assert {each["hw_disk_bus"] for each in plain.images()} == {"ide"}
    for event in events(log):
        assert event["outcome"] == event["mode"] == mode
        assert event["rules"] == ["guest_devices.disk_bus"]
    assert [event["operation"] for event in events(log)] == [
        "upload",
        "update",
    ]
    warned = [r for r in log.records if r.levelname == "WARNING"]
    records = [r for r in warned if "hw_disk_bus" in r.getMessage()]
    assert len(records) == (2 if mode == "warn" else 0)


def test_the_mode_of_one_rule(under: MakeUser) -> None:
    # given
    user = under("guest_devices: {disk_bus: {mode: warn}}\n")
    # then
    assert user.create(hw_disk_bus="ide").status_int == 201
    text = message(user.create(hw_disk_bus="ide", hw_vif_model="e1000"))
    assert "hw_disk_bus" not in text


def test_the_mode_of_a_project(under: MakeUser, plain: User) -> None:
    # given
    user = under(f"projects: [{{projects: [{plain.project}], mode: audit}}]\n")
    stranger = User(user.app)
    # then
    assert user.create(hw_disk_bus="ide").status_int == 201
    assert message(stranger.create(hw_disk_bus="ide"))


def test_the_mode_of_a_domain(under: MakeUser) -> None:
    # given
    user = under("projects: [{domains: [pilot], mode: audit}]\n")
    member = User(user.app, domain="pilot")
    # then
    assert member.create(hw_disk_bus="ide").status_int == 201
    assert message(user.create(hw_disk_bus="ide"))


def test_break_glass(under: MakeUser, log: pytest.LogCaptureFixture) -> None:
    # given
    user = under("enabled: false\n")
    # when
    response = user.create(hw_disk_bus="ide")
    # then
    assert response.status_int == 201
    assert [event["outcome"] for event in events(log)] == ["disabled"]


def test_a_refusal_has_an_event(
    gated: User, log: pytest.LogCaptureFixture
) -> None:
    # when
    gated.create(hw_disk_bus="ide", hw_vif_model="e1000")
    # then
    (event,) = events(log)
    assert event["gate"] == "glance-api"
    assert event["operation"] == "upload"
    assert event["outcome"] == "refuse"
    assert event["rules"] == [
        "guest_devices.disk_bus",
        "guest_devices.vif_model",
    ]
    assert event["subject"]["project"] == gated.project
    assert event["policy"]
    assert event["microseconds"] >= 0
