# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard``: each is known, and has a value it can have."""

import difflib
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.common.text import clean, line
from nova_vhard.conf import vhard
from nova_vhard.status.answers import (
    NotHere,
    fail,
    together,
    warn,
)
from nova_vhard.status.node import Node

_NAMES = frozenset(option.name for option in vhard.OPTS)
#: Each is a path; a relative one is looked for where the service was started.
_PATHS = ("policy_file", "state_path", "attestation_key_file")


def options(node: Node) -> Result:
    """Check the options in group ``vhard`` of nova.conf and glance-api.conf.

    =======  ==========================================================
    SUCCESS  every option is known and has a valid value
    WARNING  a name is not an option, so it is ignored, or a path is
             relative
    FAILURE  a value is not valid for its option
    =======  ==========================================================

    :raises NotHere: if neither file is on this node
    """
    confs = [conf for _, conf in node.gated()]
    if not confs:
        raise NotHere("nova.conf or glance-api.conf")
    return together(
        (result for conf in confs for result in _judge(conf)),
        "[vhard]: every option can be used.",
    )


def _judge(conf: cfg.ConfigOpts) -> Iterator[Result]:
    where = f"[vhard] of {line(conf.config_file[-1])}"
    for name in sorted(_NAMES):
        try:
            value = conf.vhard[name]
        except cfg.Error as error:
            yield fail(f"{name} in {where} cannot be used: {line(error)}")
            continue
        if name in _PATHS and value and not os.path.isabs(value):
            yield warn(
                f"{name} in {where} is {clean(value)}, which is relative to "
                "the working directory of the service: use an absolute "
                "path."
            )
    # Files that oslo.config reads, including those of its folders.
    more = (Path(folder).glob("*.conf") for folder in conf.config_dir)
    for file in (*conf.config_file, *map(str, sorted(chain(*more)))):
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(file, sections).parse()
        for name in sorted(sections.get("vhard", {}).keys() - _NAMES):
            near = difflib.get_close_matches(name, _NAMES, 1)
            hint = (
                f": is {near[0]} meant?"
                if near
                else "; see its documentation."
            )
            yield warn(
                f"{clean(name)} in [vhard] of {line(file)} is not an option "
                f"of nova-vhard and is ignored{hint}"
            )
