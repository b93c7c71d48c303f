# SPDX-License-Identifier: Apache-2.0
"""Free ports on loopback."""

import contextlib
import random
import socket

# Below those that the kernel gives to outgoing connections by default, so
# that none of them takes a port between its choice and its use.
_RANGE = range(10_000, 32_000)


def choose(names):
    """Choose a free TCP port for each name.

    :returns: dict of names to ports
    """
    with contextlib.ExitStack() as held:
        return {name: held.enter_context(_bound()) for name in names}


@contextlib.contextmanager
def _bound():
    # Not a seeded choice: two clouds on one machine shall not meet.
    while True:
        port = random.choice(_RANGE)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            yield port
            return
