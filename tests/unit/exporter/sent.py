# SPDX-License-Identifier: Apache-2.0
"""Payloads of notifications, as the gates make them."""

import json

from nova_vhard.policy import events, notify
from nova_vhard.policy.subject import BOOT, Subject
from tests.unit.docs import judged


def event(properties=None, gate="nova-api", seconds=61e-6):
    """Return the decision event on an image's properties, as JSON."""
    verdict = judged("baseline", properties or {})
    return events.write(gate, Subject(BOOT, "p1"), verdict, seconds)


def payload(properties=None, gate="nova-api", seconds=61e-6, dropped=0):
    """Return what is sent of it."""
    about = {"version": notify.VERSION, "dropped": dropped}
    return {**json.loads(event(properties, gate, seconds)), **about}
