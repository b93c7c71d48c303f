# SPDX-License-Identifier: Apache-2.0
"""Registering an option group, alike for every group."""

from collections.abc import Iterable

from oslo_config import cfg


def register(
    conf: cfg.ConfigOpts, group: cfg.OptGroup, opts: Iterable[cfg.Opt]
) -> None:
    """Register a group and its options.

    oslo.config keeps the values of options in the group object, copies
    included: each configuration gets a group of its own, so that what is
    set in one is not set in another.
    """
    fresh = cfg.OptGroup(group.name, title=group.title, help=group.help)
    conf.register_group(fresh)
    conf.register_opts(opts, group=group.name)
