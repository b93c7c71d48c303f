# SPDX-License-Identifier: Apache-2.0
"""The request of nova-vhard-status probe, with and without the gate."""

from nova_vhard.status import probe
from tests.functional.glance.wire import User, create, message

BODY = {"name": probe.NAME, "disk_format": probe.NAME, "hw_disk_bus": "ide"}


def test_the_gate_refuses_it_in_the_words_that_count(gated: User) -> None:
    answer = gated.send(create(BODY))
    assert answer.status_int == 403
    assert message(answer).startswith(probe._REFUSES)


def test_glance_refuses_it_and_nothing_is_left_behind(plain: User) -> None:
    before = plain.images()
    answer = plain.send(create(BODY))
    assert answer.status_int == 400
    assert probe._REFUSES not in answer.text
    assert plain.images() == before
