# SPDX-License-Identifier: Apache-2.0
"""Options for oslo-config-generator.

Namespace ``nova_vhard`` is for nova.conf and glance-api.conf, namespace
``nova_vhard.reporter`` for the reporter's own file, namespace
``nova_vhard.exporter`` for the exporter's, namespace ``nova_vhard.cleaner``
for the cleaner's, namespace ``nova_vhard.guard`` for the guard's, namespace
``nova_vhard.attestor`` for the attestor's.
"""

from oslo_config import cfg

from nova_vhard.conf import (
    attestor,
    cleaner,
    exporter,
    guard,
    placement,
    reporter,
    vhard,
)

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


def list_exporter_opts() -> _Listed:
    """Return the groups that the exporter reads."""
    return [(exporter.GROUP, exporter.OPTS)]


def list_cleaner_opts() -> _Listed:
    """Return the groups that the cleaner reads."""
    return [
        (cleaner.GROUP, cleaner.OPTS),
        (placement.GROUP, placement.list_opts()),
    ]


def list_attestor_opts() -> _Listed:
    """Return the groups that the attestor reads."""
    return [
        (attestor.GROUP, attestor.OPTS),
        (placement.GROUP, placement.list_opts()),
    ]


def list_guard_opts() -> _Listed:
    """Return the groups that the guard reads."""
    return [(guard.GROUP, guard.OPTS)]
