# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard``, read by every gate in its service's file."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "vhard",
    title="Hardening of virtual hardware",
    help="Where the gates of nova-vhard find their policy. The same group "
    "stands in nova.conf and in glance-api.conf.",
)

OPTS = [
    cfg.StrOpt(
        "policy_file",
        default="/etc/nova-vhard/policy.yaml",
        help="Path of the policy file. It is read again when it changes; no "
        "restart is needed. Replace it in one step (write another file and "
        "rename it), so that no half-written file is read. If the file "
        "cannot be used, the last good policy goes on to hold and the log "
        "says why. If there never was a good one, nova-scheduler does not "
        "start, and nova-api and glance-api answer 503 to the requests that "
        "the policy would judge.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/nova-vhard",
        help="Folder in which each service keeps a copy of the last good "
        "policy (one file of mode 0600), so that a worker that is started "
        "again while the policy file is broken has it too. The service's "
        "user must be able to write there. If it cannot, one warning is "
        "logged and the copy is kept in memory only: after a restart with a "
        "broken policy file there is then no policy.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    conf.register_group(GROUP)
    conf.register_opts(OPTS, group=GROUP)
