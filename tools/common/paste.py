# SPDX-License-Identifier: Apache-2.0
"""The paste files that Nova and Glance ship, with this project's gates."""

import pathlib
import sys

from nova_vhard.cmd import paste_file

_SHIPPED = {
    "nova": "etc/nova/api-paste.ini",
    "glance": "etc/glance/glance-api-paste.ini",
}


def nova(gate):
    """Give Nova's shipped api-paste.ini, as text.

    :param gate: whether to put the gate into it
    """
    return _shipped("nova", gate)


def glance(gate):
    """Give Glance's shipped glance-api-paste.ini, as text.

    :param gate: whether to put the gate into it
    """
    return _shipped("glance", gate)


def _shipped(service, gate):
    path = pathlib.Path(sys.prefix) / _SHIPPED[service]
    text = path.read_text(encoding="utf-8")
    return paste_file.add(text, paste_file.SERVICES[service]) if gate else text
