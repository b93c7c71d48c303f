# SPDX-License-Identifier: Apache-2.0
"""What oslo-config-generator lists.

Namespace ``nova_vhard`` is for nova.conf and glance-api.conf, namespace
``nova_vhard.reporter`` for the reporter's own file.
"""

from oslo_config import cfg

from nova_vhard.conf import placement, reporter, vhard

_Listed = list[tuple[cfg.OptGroup, list[cfg.Opt]]]


def list_opts() -> _Listed:
    """Return the groups that the gates read."""
    return [(vhard.GROUP, vhard.OPTS)]


def list_reporter_opts() -> _Listed:
    """Return the groups that the reporter reads."""
    return [
        (reporter.GROUP, reporter.OPTS),
        (placement.GROUP, placement.list_opts()),
    ]
