# SPDX-License-Identifier: Apache-2.0
"""Attestation: the key is on this node, and attests at least one host."""

import datetime

from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.checks import ATTESTED
from nova_vhard.common.text import clean
from nova_vhard.placement import marks
from nova_vhard.placement.client import PlacementError
from nova_vhard.placement.fleet import UNDEMANDED
from nova_vhard.placement.upkeep import attested_hosts
from nova_vhard.policy.model import Trust
from nova_vhard.status.answers import fail, fine, named, warn
from nova_vhard.status.node import Node

_NONE = (
    "No host is attested by this key: no guest that requires it can run. Look "
    "at nova-vhard-attestor status, and compare the key files, the clocks and "
    "[vhard] attestation_max_age with the attestor's max_age."
)
_BARE = (
    " The verifier demands nothing of {} hosts ({}), which are not attested: "
    "give their agents a policy that names registers, a measured boot policy "
    "or a runtime policy."
)


def attestation(node: Node) -> Result:
    """Check that hosts are attested if the policy requires it.

    =======  ==========================================================
    SUCCESS  some host is attested, or nothing asks for it
    WARNING  Placement does not say, or the verifier demands nothing of a host
    FAILURE  there is no key, or no host is attested by it
    =======  ==========================================================
    """
    path = node.nova.vhard.attestation_key_file
    # A flavor's own demand is not looked for.
    rule, hosts = node.policy.passthrough, node.policy.hosts
    required = hosts.require | (rule.require if rule else frozenset())
    trusting = hosts.trust is Trust.ATTESTED and bool(required)
    needed = ATTESTED in required or trusting
    if not path and not needed:
        return fine("The policy does not require attested hosts.")
    try:
        if not path:
            raise marks.KeyFileError("it is not set")
        keys = marks.read_keys(path)
        uuids = {host.uuid for host in attested_hosts(node.placement)}
        names = node.placement.marks()
    except marks.KeyFileError as error:
        return fail(
            "No host counts as attested: [vhard] attestation_key_file: "
            f"{error}. Fix: bring the attestor's key file here."
        )
    except PlacementError as error:
        return warn(
            "It is not known which hosts are attested, because Placement did "
            f"not answer ({clean(error, 200)}). See check Placement."
        )
    attested = marks.attested(
        names,
        keys,
        datetime.datetime.now(datetime.UTC),
        node.nova.vhard.attestation_max_age,
    )
    count = len(attested & uuids)
    text = f"{count} hosts are attested." if count else _NONE
    if bare := marks.named(names, UNDEMANDED):
        text += _BARE.format(len(bare), named(bare))
    if count and not bare:
        return fine(text)
    return (warn if count or not needed else fail)(text)
