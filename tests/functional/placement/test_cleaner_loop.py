# SPDX-License-Identifier: Apache-2.0
"""The cleaner's loop: it goes on after failures, and stops when told."""

import os
import signal
import threading
from types import SimpleNamespace

from nova_vhard.daemon.runtime import Runtime
from tests.functional.placement.conftest import Answer


def test_it_goes_on_after_a_failure_and_stops_when_told(used):
    lines = []

    class Notifier:
        period = None

        def status(self, text):
            lines.append(text)
            used.cloud.faults.clear()
            if "nothing waits" in text:
                os.kill(os.getpid(), signal.SIGTERM)

        def __getattr__(self, name):
            return lambda **_: name == "alive" or lines.append(name)

    used.use()
    used.cloud.faults.append(lambda method, url: Answer(503, "down"))
    runtime = Runtime(Notifier())
    service = used.cleaner(runtime=runtime)
    service._options = SimpleNamespace(**{**service._options, "interval": 0.1})
    guard = threading.Timer(60, lambda: os.kill(os.getpid(), signal.SIGTERM))
    guard.start()
    runtime.run(service)
    guard.cancel()
    ready, trouble, *_, well, stopping = lines
    assert (ready, stopping) == ("ready", "stopping")
    assert trouble.startswith("Placement: ")
    assert well == "1 devices, nothing waits"
    assert used.candidates()


def test_a_broken_configuration_is_not_taken_up(used):
    runtime = Runtime()
    service = used.cleaner()

    def again():
        raise ValueError("interval: not a number")

    assert runtime._made_anew(service, again) is service
    fresh = used.cleaner()
    assert runtime._made_anew(service, lambda: fresh) is fresh
    used.use()
    assert fresh._summary() == "1 devices, nothing waits"
