# SPDX-License-Identifier: Apache-2.0
"""Tokens of the services that end in the middle."""

import re

import pytest
from cryptography.fernet import Fernet

from cloud.machines import PROVEN
from tests.integration.people import PROVEN_ONLY, restart, until

IOMMU = "CUSTOM_VHARD_IOMMU"
#: A line of a log that is ours and no event, with the status in its text: the
#: ids before it may have these digits too.
UNAUTHORIZED = re.compile(r" nova_vhard\.(?!decisions ).*?\] .*\b401\b")


@pytest.fixture
def void(cloud, admin, member, reader, heritage, service):
    """Call to make every token void that there is."""

    def now():
        for each in (cloud.place.home("keystone") / "keys").iterdir():
            each.write_bytes(Fernet.generate_key())
        # it has kept the tokens that it has seen
        restart(cloud, "placement-api")

    yield now
    for each in (admin, member, reader, heritage, service):
        each.session.invalidate()


def test_services_whose_tokens_are_void_go_on_with_fresh_ones(
    void, tree, policy, member, admin, logs
):
    policy(PROVEN_ONLY)
    with member.server("before", "clean"):
        void()
    with member.server("after", "clean") as server:
        assert admin.host(server) == PROVEN.name
    # and when
    tree(PROVEN, "vtd-off")
    until(lambda: IOMMU not in admin.traits(PROVEN.node))
    for name in ("nova-scheduler", f"reporter-{PROVEN.name}"):
        assert not [each for each in logs(name) if UNAUTHORIZED.search(each)]
