# SPDX-License-Identifier: Apache-2.0
"""The options of a service by which its gates find a policy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oslo_config import cfg

from nova_vhard.conf import vhard


@contextmanager
def policy_option(folder: Path, text: str) -> Iterator[Path]:
    """Set the policy of all gates that are created until the block ends.

    :param folder: empty folder for the policy file and the last valid policy
    :param text: the policy
    """
    path = folder / "policy.yaml"
    path.write_text(text)
    (folder / "state").mkdir()
    vhard.register(cfg.CONF)
    # A service of the same process may have been configured before.
    alone = not cfg.CONF._namespace
    if alone:
        cfg.CONF([], project="nova", default_config_files=[])
    cfg.CONF.set_override("policy_file", str(path), "vhard")
    cfg.CONF.set_override("state_path", str(folder / "state"), "vhard")
    try:
        yield path
    finally:
        cfg.CONF.clear_override("policy_file", "vhard")
        cfg.CONF.clear_override("state_path", "vhard")
        if alone:
            cfg.CONF.reset()
