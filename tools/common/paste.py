# SPDX-License-Identifier: Apache-2.0
"""The paste files that Nova and Glance ship, with this project's gates."""

import pathlib
import sys

_NOVA = "etc/nova/api-paste.ini"
_GLANCE = "etc/glance/glance-api-paste.ini"


def nova(gate):
    """Give Nova's shipped api-paste.ini, as text.

    :param gate: whether to put the gate after ``keystonecontext``
    """
    return _adapt(_NOVA, gate and "nova_api", ("keystonecontext",))


def glance(gate):
    """Give Glance's shipped glance-api-paste.ini, as text.

    :param gate: whether to put the gate after ``context``
    """
    after = ("context", "unauthenticated-context")
    return _adapt(_GLANCE, gate and "glance_api", after)


def _adapt(shipped, gate, after):
    lines = (pathlib.Path(sys.prefix) / shipped).read_text().splitlines()
    if gate:
        lines = [_with_gate(line, after) for line in lines]
        lines += [
            "",
            "[filter:vhard]",
            f"paste.filter_factory = nova_vhard.gates.{gate}:filter_factory",
        ]
    return "\n".join(lines) + "\n"


def _with_gate(line, after):
    name, equals, value = line.partition("=")
    words = value.split()
    if line.startswith(("#", "[")) or not set(words) & set(after):
        return line
    place = next(i for i, word in enumerate(words) if word in after)
    words.insert(place + 1, "vhard")
    return f"{name.rstrip()} {equals} {' '.join(words)}"
