# SPDX-License-Identifier: Apache-2.0
"""Attestation: the key is here, and some host is attested by it."""

import datetime

from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.checks import ATTESTED
from nova_vhard.cmd.status_checks.answers import fail, fine, warn
from nova_vhard.cmd.status_checks.node import Node
from nova_vhard.common.text import clean
from nova_vhard.placement import marks
from nova_vhard.placement.client import Placement, PlacementError
from nova_vhard.placement.upkeep import attested_hosts
from nova_vhard.policy.model import Policy, Trust

_NONE = (
    "No host is attested by this key: no guest that requires it can run. Look "
    "at nova-vhard-attestor status, and compare the key files."
)


def attestation(node: Node) -> Result:
    """Judge whether anybody can be chosen who has to be attested.

    =======  ==========================================================
    SUCCESS  some host is attested, or nothing asks for it
    WARNING  Placement does not say
    FAILURE  there is no key, or no host is attested by it
    =======  ==========================================================
    """
    path = node.nova.vhard.attestation_key_file
    needed = _is_needed(node.policy)
    if not path and not needed:
        return fine("The policy asks for no attested host.")
    try:
        count = len(_attested(node.placement, _keys(path)))
    except marks.KeyFileError as error:
        return _no_key(error)
    except PlacementError as error:
        return _no_answer(error)
    if count:
        return fine(f"{count} hosts are attested.")
    return (fail if needed else warn)(_NONE)


def _keys(path: str) -> tuple[bytes, ...]:
    if not path:
        raise marks.KeyFileError("it is not set")
    return marks.read_keys(path)


def _attested(placement: Placement, keys: tuple[bytes, ...]) -> frozenset[str]:
    """Return the hosts that count as attested, by their uuids."""
    hosts = {host.uuid for host in attested_hosts(placement)}
    names = placement.marks()
    now = datetime.datetime.now(datetime.UTC)
    return marks.attested(names, keys, now) & hosts


def _no_key(error: marks.KeyFileError) -> Result:
    return fail(
        f"No host counts as attested: [vhard] attestation_key_file: {error}. "
        "Fix: bring the attestor's key file here."
    )


def _no_answer(error: PlacementError) -> Result:
    return warn(
        "It is not known which hosts are attested, because Placement did not "
        f"answer ({clean(error, 200)}). See check Placement."
    )


def _is_needed(policy: Policy) -> bool:
    """Return whether a rule of a policy needs attested hosts.

    A flavor's own demand is not looked for.
    """
    rule, hosts = policy.passthrough, policy.hosts
    required = hosts.require | (rule.require if rule else frozenset())
    trusting = hosts.trust is Trust.ATTESTED and bool(required)
    return ATTESTED in required or trusting
