# SPDX-License-Identifier: Apache-2.0
"""A reporter in a process of its own, with something that goes wrong.

    python -m tests.unit.reporter.running CONFIG WHAT

WHAT is "" (nothing), ``check`` (a check hangs), ``publish`` (a publisher
hangs) or ``deep`` (a publisher hangs in a call of C that no exception
reaches).
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

from nova_vhard.cmd import reporter as command
from nova_vhard.host import report
from nova_vhard.host.check import Check, Status
from nova_vhard.reporter.publishers.json_file import JsonPublisher


def say(text):
    print(text, flush=True)


class Hangs(Check):
    name = "iommu"

    def answer(self, host):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        say(f"hangs {os.getpid()} {child.pid}")
        time.sleep(600)
        return Status.PASS, "never"


class Fast(Check):
    name = "kernel_aslr"

    def answer(self, host):
        return Status.PASS, "done"


def hang(self, current):
    say("hangs")
    while True:
        try:
            time.sleep(600)
        except Exception:
            say("a handler of exceptions saw it")


def hang_deep(self, current):
    libc = ctypes.CDLL(None)
    mutex = ctypes.create_string_buffer(256)
    libc.pthread_mutex_lock(mutex)
    say("hangs")
    libc.pthread_mutex_lock(mutex)


HANGS = {"publish": hang, "deep": hang_deep}


def main(config, what):
    checks = {"": report.load(), "check": [Hangs(), Fast()]}
    report.load = lambda: checks.get(what, [Fast()])
    JsonPublisher.publish = HANGS.get(what, JsonPublisher.publish)
    return command.main(["--config-file", config, "run"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
