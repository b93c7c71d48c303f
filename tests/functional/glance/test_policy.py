# SPDX-License-Identifier: Apache-2.0
"""Who is judged by which policy, and what becomes of a verdict."""

from dataclasses import replace

import pytest

from tests import logged
from tests.functional.glance.conftest import MakeUser
from tests.functional.glance.wire import User, add, message


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Give what is logged from information level on."""
    caplog.set_level("INFO", "nova_vhard")
    return caplog


def exemption(whom: str) -> str:
    """Return a policy's exemption of ide for some users."""
    return f"""
exemptions:
  - id: old-appliance
    reason: its image has no virtio driver
    {whom}
    rules: {{guest_devices.disk_bus: [ide]}}
    until: 2999-12-31
"""


@pytest.mark.parametrize("written", ["admin", "Admin"])
@pytest.mark.parametrize("sent", ["admin", "Admin", "member,ADMIN"])
def test_an_exempted_role_in_any_case(
    under: MakeUser, written: str, sent: str
) -> None:
    """Keystone has one role of all these names."""
    # given
    user = under(exemption(f"roles: [{written}]"))
    assert message(user.create(hw_disk_bus="ide"))
    # when
    admin = replace(user, roles=sent)
    # then
    assert admin.create(hw_disk_bus="ide").status_int == 201


def test_an_image_cannot_bring_the_exemption_of_its_owner_along(
    under: MakeUser, plain: User
) -> None:
    """A user may not name another project as the owner of an image."""
    # given
    exempted = User(plain.app)
    user = under(exemption(f"projects: [{exempted.project}]"))
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
    rules = ["guest_devices.disk_bus"]
    assert [
        (event["operation"], event["outcome"], event["mode"], event["rules"])
        for event in logged.decisions(log)
    ] == [("upload", mode, mode, rules), ("update", mode, mode, rules)]
    warned = [r for r in log.records if r.levelname == "WARNING"]
    records = [r for r in warned if "hw_disk_bus" in r.getMessage()]
    assert len(records) == (2 if mode == "warn" else 0)


@pytest.mark.parametrize("key", ["projects", "domains"])
def test_the_mode_of_a_project_or_domain(
    under: MakeUser, plain: User, key: str
) -> None:
    # given
    whom = plain.project if key == "projects" else "pilot"
    user = under(f"projects: [{{{key}: [{whom}], mode: audit}}]\n")
    # then
    member = replace(user, domain="pilot")
    assert member.create(hw_disk_bus="ide").status_int == 201
    assert message(User(user.app).create(hw_disk_bus="ide"))
