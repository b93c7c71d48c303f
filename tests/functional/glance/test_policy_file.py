# SPDX-License-Identifier: Apache-2.0
"""The policy file under a running Glance: edited, broken, gone.

A Glance that has never had a valid one is in test_alone.py.
"""

from pathlib import Path

import pytest

from tests.functional.glance.conftest import BASELINE, MakeUser
from tests.functional.glance.wire import message

BROKEN = BASELINE + "guest_devices: {disk_bus: {allow: [virtoi]}}\n"


@pytest.mark.refused_policy
def test_an_edited_policy_is_obeyed_and_a_broken_one_is_not(
    under: MakeUser, policy_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user = under("guest_devices: {disk_bus: {allow: [virtio, ide]}}\n")
    assert user.create(hw_disk_bus="ide").status_int == 201
    for text in (BASELINE, BROKEN, ""):
        policy_file.write_text(text)
        # also to a worker that is started now
        for each in (user, under(None)):
            assert message(each.create(hw_disk_bus="ide"))
            assert each.create(hw_disk_bus="virtio").status_int == 201
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert all(str(policy_file) in each.getMessage() for each in errors)
    assert errors
    policy_file.unlink()
    for each in (user, under(None)):
        assert message(each.create(hw_disk_bus="ide"))
