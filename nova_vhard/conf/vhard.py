# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard``, read by every gate in its service's file."""

from oslo_config import cfg

from nova_vhard.common import links
from nova_vhard.conf import groups

#: Where a policy is, unless an option says otherwise.
POLICY_FILE = "/etc/nova-vhard/policy.yaml"

#: Topic of notifications.
NOTIFICATION_TOPIC = "vhard_notifications"

GROUP = cfg.OptGroup(
    "vhard",
    title="Hardening of virtual hardware",
    help="Options of the gates of nova-vhard. Use the same values in "
    "nova.conf and glance-api.conf.",
)

OPTS = [
    cfg.StrOpt(
        "policy_file",
        default=POLICY_FILE,
        help="Path of the policy file. It is reloaded when it changes, "
        "without a restart. Replace it in one step (write another file and "
        "rename it), so that no half-written file is read. If the file "
        "cannot be used, the last valid policy stays in force and the log "
        "says why. If there never was a valid one, nova-scheduler does not "
        "start, and nova-api and glance-api answer 503 to the requests that "
        "the policy would judge. If a file with this path and the suffix "
        ".disabled exists, nothing is refused.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/nova-vhard",
        help="Folder in which each service keeps a copy of the last valid "
        "policy (one file of mode 0600), for a restart while the policy file "
        "is invalid. The service's user must be able to write there. If it "
        "cannot, a warning is logged, an older copy is removed, and the last "
        "valid policy is kept in memory only: after a restart with an invalid "
        "policy file there is no policy. On a read-only file system the older "
        "copy stays, and is then the policy.",
    ),
    cfg.StrOpt(
        "help_url",
        default="",
        regex=rf"^({links.PAGE})?\Z",
        help="URL of a page of your documentation with an anchor for each "
        "rule (#rule-guest-devices-disk-bus), such as nova-vhard's page for "
        "users. An API refusal ends with this URL and the anchor of its first "
        "rule. At most 512 characters, with http or https and without an "
        "anchor; with any other value, the service does not start. Whether "
        "the page exists is not checked. If empty, no URL is added.",
    ),
    cfg.BoolOpt(
        "notifications",
        default=False,
        help="Whether each decision is also sent to the message bus, as the "
        "notification vhard.decision, for nova-vhard-exporter and others. The "
        "bus is that of the service's own notifications "
        "([oslo_messaging_notifications] transport_url, else [DEFAULT] "
        "transport_url), even if the service sends none. Each process has its "
        "own thread and connection for them. Requests do not wait for the "
        "bus: if it cannot be reached, up to 1000 decisions wait in each "
        "process, and further ones are dropped and counted in a warning. The "
        "log has all decisions in any case. Enable it together with the "
        "exporter, or limit the queue: without a consumer, the bus keeps all "
        "of them.",
    ),
    cfg.StrOpt(
        "notification_topic",
        default=NOTIFICATION_TOPIC,
        regex=r"^[A-Za-z0-9_.-]{1,128}\Z",
        help="Topic of these notifications. It must equal that of "
        "nova-vhard-exporter, which otherwise counts nothing. If other "
        "notifications use the same topic, their consumers, such as "
        "Ceilometer, receive decisions, and the exporter takes messages from "
        "them. At most 128 letters, digits, dots, hyphens and underscores; "
        "with any other value and notifications enabled, the service does not "
        "start.",
    ),
    cfg.IntOpt(
        "posture_ttl",
        default=60,
        min=1,
        max=600,
        help="Seconds after which a service asks Placement again which "
        "checks hosts have passed, with 10 percent jitter; it stops when no "
        "request has needed the answer for posture_max_age. A host that "
        "loses a check can still get guests that require it for this long; a "
        "smaller value cannot do harm, but queries Placement more often. Read "
        "by nova-scheduler and nova-api.",
    ),
    cfg.IntOpt(
        "posture_max_age",
        default=600,
        min=60,
        max=7200,
        help="Seconds after which an answer of Placement is no longer used. "
        "If Placement cannot be reached for that long, no host counts as "
        "having passed a check, and requests that require checks are refused. "
        "Read by nova-scheduler and nova-api.",
    ),
    cfg.IntOpt(
        "posture_timeout",
        default=30,
        min=1,
        max=600,
        help="Seconds within which Placement must answer which hosts passed "
        "which checks, for all requests together, independent of [placement] "
        "timeout. After that, the next request asks again. A request waits "
        "only if there is no answer younger than posture_max_age, 5 seconds "
        "at most; then it is refused. If Placement is always slower than "
        "this, no host counts as having passed a check after "
        "posture_max_age. Read by nova-scheduler and nova-api.",
    ),
    cfg.StrOpt(
        "attestation_key_file",
        default="",
        help="File with the key of nova-vhard-attestor's marks, owned by root "
        "and readable by the service's user, but not by others (root:nova, "
        "mode 0640). Required if the policy requires attested or sets trust: "
        "attested. Without it, with another key or if others can read it, no "
        "host counts as attested: a request that requires it is refused and "
        "the log says why. It is read again each time, without a restart. "
        "Anyone who has it can make any host attested: do not store it on a "
        "compute node. Read by nova-scheduler and nova-api.",
    ),
    cfg.IntOpt(
        "attestation_max_age",
        default=600,
        min=60,
        max=86400,
        help="Maximum seconds that an attestation lasts; set it to max_age of "
        "[vhard_attestor]. A mark that lasts more than a minute longer was "
        "made by a clock that is ahead, and does not count. If the value is "
        "smaller than the attestor's, attested hosts cannot be recognized; if "
        "it is larger, a host can count for that much too long. Read by "
        "nova-scheduler and nova-api.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)
