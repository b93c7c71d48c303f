# SPDX-License-Identifier: Apache-2.0
"""Who asks, by the context of a service."""

from types import SimpleNamespace

import pytest

from nova_vhard.policy.subject import BOOT, subject_of
from tests.unit.helpers import TODAY, policy

NONE = (None, (), [])


def context(project="p1", roles=("Member", "ADMIN"), domain="d1"):
    return SimpleNamespace(
        project_id=project, project_domain_id=domain, roles=roles
    )


OWN = ("p1", "d1", {"member", "admin"})
FLAVOR = SimpleNamespace(name="m1.small", flavorid="7")


@pytest.mark.parametrize(
    ("who", "project", "expected"),
    [
        (context(), "p1", OWN),
        *((context(roles=roles), "p1", ("p1", "d1", set())) for roles in NONE),
        # without a valid project, the caller's counts
        *((context(), project, OWN) for project in (None, "", 7, ["p1"])),
        # another project has no use of the caller's roles and domain
        (context(), "p2", ("p2", None, set())),
        # a service without a context
        (None, "p2", ("p2", None, set())),
    ],
)
def test_who_asks(who, project, expected):
    subject = subject_of(BOOT, who, project)
    assert (subject.project, subject.domain, subject.roles) == expected


@pytest.mark.parametrize(
    ("named", "facts"),
    [
        ([], (None, None, None)),
        (["an-image", FLAVOR], ("an-image", "m1.small", "7")),
        # an image id must be text
        ([["image"]], (None, None, None)),
    ],
)
def test_image_and_flavor_are_named(named, facts):
    subject = subject_of(BOOT, context(), "p1", *named)
    assert (subject.image, subject.flavor, subject.flavor_id) == facts


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
