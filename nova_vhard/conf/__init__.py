# SPDX-License-Identifier: Apache-2.0
"""Options, one file an option group."""

from oslo_config import cfg

from nova_vhard.conf import vhard


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options of the gates with a service's configuration."""
    vhard.register(conf)
