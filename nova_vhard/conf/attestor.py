# SPDX-License-Identifier: Apache-2.0
"""Options of group ``vhard_attestor``, for nova-vhard-attestor."""

from oslo_config import cfg

from nova_vhard.conf import groups

GROUP = cfg.OptGroup(
    "vhard_attestor",
    title="Attestor",
    help="Verifier that nova-vhard-attestor queries about the hosts, and the "
    "key of its marks. Do not run it on a compute node. It logs in to "
    "Placement with the options of group placement; its user needs the role "
    "vhard-attestor, admin or service.",
)

OPTS = [
    cfg.IntOpt(
        "interval",
        default=60,
        min=5,
        max=600,
        help="Seconds between two rounds, with 10 percent jitter. A host that "
        "fails verification keeps its trait for up to this long.",
    ),
    cfg.IntOpt(
        "max_age",
        default=600,
        min=60,
        max=86400,
        help="Seconds for which a verification counts. If the verifier has "
        "not verified a host successfully for this long, or cannot be queried "
        "for this long, the host is not attested. A host's owner who has "
        "nova-compute's password can make the host count for this long after "
        "its last verification. If the value is less than three times "
        "interval, the service does not start: one failed round would cost "
        "every host its attestation.",
    ),
    cfg.StrOpt(
        "source",
        default="keylime",
        help="Source of the verdicts: keylime, file, or a plug-in in the "
        "namespace nova_vhard.verdicts. If it is not installed, the service "
        "does not start.",
    ),
    cfg.StrOpt(
        "mapping_file",
        default="/etc/nova-vhard/attested-hosts.yaml",
        help="File that maps each host to its agent, owned by root and "
        "writable only by root. It is read in each round. If it is invalid or "
        "names an agent twice, every fault is logged with its line and no "
        "further host is attested. Attested hosts are judged by the last "
        "valid mapping; after a restart of the service, they stay attested "
        "until max_age.",
    ),
    cfg.StrOpt(
        "key_file",
        default="/etc/nova-vhard/attestation.key",
        help="File with the keys of the marks, owned by root and readable by "
        "this service's user, but not by others. One key per line, of 64 "
        "hexadecimal digits or more (openssl rand -hex 32); the first one "
        "creates marks, all of them verify marks. Without a valid file, the "
        "service does not start. nova-scheduler and nova-api need the same "
        "file ([vhard] attestation_key_file). Do not store it on a compute "
        "node.",
    ),
    cfg.FloatOpt(
        "timeout",
        default=30,
        min=1,
        max=300,
        help="Seconds within which the verifier must send its whole answer. "
        "After that, it counts as unreachable.",
    ),
    cfg.StrOpt(
        "textfile_directory",
        default="",
        help="Folder for nova_vhard_attestor.prom, which is replaced in each "
        "round: that of node_exporter's option "
        "--collector.textfile.directory. If empty, no metrics are written. If "
        "the file cannot be written, the old one stays and an error is "
        "logged.",
    ),
    cfg.StrOpt(
        "keylime_url",
        default="",
        regex=r"^(https://[^\s?#]+)?\Z",
        help="URL of Keylime's verifier, such as https://verifier:8881. "
        "Required for the source keylime; without it, the service does not "
        "start.",
    ),
    cfg.StrOpt(
        "keylime_ca_file",
        default="",
        help="PEM file with the CA of the verifier's certificate (cacert.crt "
        "in its cv_ca). Required for the source keylime; with a wrong CA, the "
        "verifier cannot be queried.",
    ),
    cfg.StrOpt(
        "keylime_cert_file",
        default="",
        help="PEM file with a client certificate that the verifier accepts. "
        "Required for the source keylime; with another one, the verifier "
        "cannot be queried.",
    ),
    cfg.StrOpt(
        "keylime_key_file",
        default="",
        help="PEM file with the key of the client certificate, without a "
        "password. Required for the source keylime; with another key, the "
        "service does not start. Anyone who has it can make the verifier "
        "accept any machine: do not store it on a compute node.",
    ),
    cfg.StrOpt(
        "keylime_hostname",
        default="",
        help="Host name in the verifier's certificate, if it differs from "
        "that in keylime_url. With a wrong name, the verifier cannot be "
        "queried.",
    ),
    cfg.BoolOpt(
        "attest_without_policy",
        default=False,
        help="Whether a host can be attested if Keylime's verifier demands "
        "nothing of its agent: tpm_policy names no register, and there is no "
        "measured boot policy and no runtime policy. If true, any program can "
        "be started on such a host and it stays attested. Otherwise it is not "
        "attested, and nova-vhard-attestor status and openstack vhard host "
        "list show it.",
    ),
    cfg.StrOpt(
        "verdicts_file",
        default="",
        help="List of verdicts for the source file: the time of each agent's "
        "last successful verification, or FAIL. Without it, the service does "
        "not start. The list and its folder must be owned by root and "
        "writable only by root; otherwise the verifier counts as unreachable.",
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
