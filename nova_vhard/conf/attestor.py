# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_attestor``, for nova-vhard-attestor."""

from oslo_config import cfg

from nova_vhard.conf import groups

GROUP = cfg.OptGroup(
    "vhard_attestor",
    title="Attestor",
    help="Which verifier nova-vhard-attestor asks about the hosts, and the "
    "key that it makes its marks by. It runs on no compute node. The group "
    "placement says how it logs in; its user needs the role vhard-attestor, "
    "admin or service.",
)

OPTS = [
    cfg.IntOpt(
        "interval",
        default=60,
        min=5,
        max=600,
        help="Seconds between two rounds, jittered by a tenth. A host that "
        "the verifier refuses keeps its trait for that long.",
    ),
    cfg.IntOpt(
        "max_age",
        default=600,
        min=60,
        max=86400,
        help="Seconds for which a verification counts. When the verifier has "
        "not verified a host with success for that long, or cannot be asked "
        "for that long, the host is not attested. It is also how long a host "
        "whose owner has nova-compute's password can go on to count after it "
        "was last verified. Less than three intervals, and the service does "
        "not start: one round that fails would cost every host its "
        "attestation.",
    ),
    cfg.StrOpt(
        "source",
        default="keylime",
        help="Who says which machines are verified: keylime, file, or another "
        "that is plugged in under nova_vhard.verdicts. One that is not "
        "installed: the service does not start.",
    ),
    cfg.StrOpt(
        "mapping_file",
        default="/etc/nova-vhard/attested-hosts.yaml",
        help="File that names the agent of each host, owned by root and "
        "writable by root only. If it is invalid, or names an agent twice, "
        "no further host is attested, attested hosts stay attested for their "
        "max_age, and the log has every fault with its line. It is read again "
        "in each round.",
    ),
    cfg.StrOpt(
        "key_file",
        default="/etc/nova-vhard/attestation.key",
        help="File with the key that marks are made by, owned by root, which "
        "this service's user can read and others cannot. One key a line, of "
        "64 hexadecimal digits or more (openssl rand -hex 32); the first one "
        "makes marks, each one proves them. Without one the service does not "
        "start. The same file is [vhard] attestation_key_file of "
        "nova-scheduler and nova-api; it must not lie on a compute node.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=30,
        min=1,
        max=300,
        help="Seconds that the verifier may take for its whole answer. After "
        "that it counts as one that cannot be asked.",
    ),
    cfg.StrOpt(
        "textfile_directory",
        default="",
        help="Folder, as in node_exporter's option "
        "--collector.textfile.directory, in which nova_vhard_attestor.prom is "
        "replaced in each round. Empty, there are no metrics; if it cannot "
        "be written, the old file stays and an error is logged.",
    ),
    cfg.StrOpt(
        "keylime_url",
        default="",
        regex=r"^(https://[^\s?#]+)?\Z",
        help="Of Keylime's verifier, such as https://verifier:8881. Needed "
        "for the source keylime: without it the service does not start.",
    ),
    cfg.StrOpt(
        "keylime_ca_file",
        default="",
        help="PEM file of the authority that the verifier's certificate is "
        "of (cacert.crt of its cv_ca). Needed for the source keylime; with a "
        "wrong one the verifier cannot be asked.",
    ),
    cfg.StrOpt(
        "keylime_cert_file",
        default="",
        help="PEM file of a client certificate that the verifier takes. "
        "Needed for the source keylime; with one that it does not take it "
        "cannot be asked.",
    ),
    cfg.StrOpt(
        "keylime_key_file",
        default="",
        help="PEM file of its key, without a password. Needed for the source "
        "keylime. Whoever has it can have the verifier take a machine for "
        "good: it must not lie on a compute node.",
    ),
    cfg.StrOpt(
        "keylime_hostname",
        default="",
        help="Name that the verifier's certificate is made out to, where it "
        "is not the one in keylime_url. With a wrong one the verifier cannot "
        "be asked.",
    ),
    cfg.BoolOpt(
        "attest_without_policy",
        default=False,
        help="Whether a host can be attested although Keylime's verifier "
        "demands nothing of its agent: the tpm_policy names no register, and "
        "there is no measured boot policy and no runtime policy. With true, "
        "any program can be started on such a host and it stays attested. "
        "Otherwise it is not attested, and nova-vhard-attestor status and "
        "openstack vhard host list name it.",
    ),
    cfg.StrOpt(
        "verdicts_file",
        default="",
        help="List of the source file: when each agent was last verified "
        "with success, or FAIL. The file and its folder must be owned by "
        "root and writable by root only; otherwise the verifier counts as not "
        "reachable.",
    ),
]

#: Rounds that a verification must outlast.
_ROUNDS = 3


def register(conf: cfg.ConfigOpts) -> None:
    """Register this group."""
    groups.register(conf, GROUP, OPTS)


def check(conf: cfg.ConfigOpts) -> None:
    """Look whether options go together.

    :raises ValueError: if they do not
    """
    options = conf.vhard_attestor
    if options.max_age < _ROUNDS * options.interval:
        raise ValueError(
            f"[vhard_attestor] max_age is {options.max_age}, less than "
            f"{_ROUNDS} times interval ({options.interval}): one round that "
            "fails would cost every host its attestation"
        )
