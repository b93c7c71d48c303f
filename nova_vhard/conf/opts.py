# SPDX-License-Identifier: Apache-2.0
"""What oslo-config-generator lists for the namespace ``nova_vhard``."""

from oslo_config import cfg

from nova_vhard.conf import vhard


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return every option group with its options."""
    return [(vhard.GROUP, vhard.OPTS)]
