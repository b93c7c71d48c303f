# SPDX-License-Identifier: Apache-2.0
"""Who asks, by the context of a service."""

from types import SimpleNamespace

import pytest

from nova_vhard.policy.subject import BOOT, fold_roles, subject_of
from tests.unit.helpers import TODAY, policy


def context(project="p1", roles=("Member", "ADMIN"), domain="d1"):
    return SimpleNamespace(
        project_id=project, project_domain_id=domain, roles=roles
    )


def test_roles_are_folded():
    subject = subject_of(BOOT, context(), "p1")
    assert subject.roles == {"member", "admin"}
    assert subject.domain == "d1"


@pytest.mark.parametrize("roles", [None, (), []])
def test_no_roles(roles):
    assert fold_roles(roles) == frozenset()


@pytest.mark.parametrize("project", [None, "", 7, ["p1"]])
def test_a_project_that_is_none_is_the_callers(project):
    subject = subject_of(BOOT, context(), project)
    assert subject.project == "p1"
    assert subject.roles


def test_another_project_has_no_use_of_the_callers_roles():
    subject = subject_of(BOOT, context(), "p2")
    assert subject.project == "p2"
    assert subject.roles == frozenset()
    assert subject.domain is None


def test_a_service_without_a_context():
    subject = subject_of(BOOT, None, "p2")
    assert subject.project == "p2"
    assert subject.roles == frozenset()


def test_image_and_flavor_are_named():
    flavor = SimpleNamespace(name="m1.small", flavorid="7")
    subject = subject_of(BOOT, context(), "p1", "an-image", flavor)
    assert subject.image == "an-image"
    assert (subject.flavor, subject.flavor_id) == ("m1.small", "7")
    without = subject_of(BOOT, context(), "p1")
    assert (without.flavor, without.flavor_id) == (None, None)


def test_an_image_that_is_no_text_is_none():
    assert subject_of(BOOT, context(), "p1", ["image"]).image is None


@pytest.mark.parametrize("written", ["admin", "Admin", "ADMIN"])
@pytest.mark.parametrize("sent", ["admin", "Admin", "ADMIN"])
def test_a_role_in_any_case_is_exempted(written, sent):
    rules = policy(
        exemptions=[
            {
                "id": "a",
                "reason": "b",
                "roles": [written],
                "rules": {"guest_devices.disk_bus": ["ide"]},
                "until": "2999-12-31",
            }
        ]
    )
    subject = subject_of(BOOT, context(roles=(sent,)), "p1")
    other = subject_of(BOOT, context(roles=("admins",)), "p1")
    (exemption,) = rules.exemptions
    assert exemption.covers(subject, TODAY)
    assert not exemption.covers(other, TODAY)
