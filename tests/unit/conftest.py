# SPDX-License-Identifier: Apache-2.0
"""Threads of these tests, beside those of an older Nova and Glance."""

import sys

import pytest

from tests import services

# oslo.messaging, which some import, chooses for the whole process otherwise.
if services.NOVA < services.THREADS:
    services.choose_threads()


@pytest.fixture(autouse=True)
def _silent():
    """Let no thread that sends notifications speak in the tests after it."""
    yield
    if notify := sys.modules.get("nova_vhard.policy.notify"):
        for each in notify._SENDERS.values():
            for worker in each._workers.values():
                worker._runs = dict
        notify._SENDERS.clear()
