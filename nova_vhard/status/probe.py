# SPDX-License-Identifier: Apache-2.0
"""The running APIs: does each refuse what the policy refuses?

Each request is one that the gate refuses and that the service itself refuses
where there is no gate, so that nothing is left behind: a server of a flavor
that does not exist, an image of a format that does not exist.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.common.text import clean
from nova_vhard.policy.model import Mode
from nova_vhard.status.answers import (
    Broken,
    NotHere,
    fail,
    fine,
    warn,
)
from nova_vhard.status.node import Node

_KIND = "disk_bus"
_PROPERTY = "hw_disk_bus"
#: Of what is asked for, and of a server that a killed run may leave.
NAME = "nova-vhard-probe"
#: What to ask for, the first that the policy refuses.
_BUSES = ("ide", "usb", "sata", "scsi", "virtio")
#: How gates begin what they answer; the status alone may be anybody's.
_REFUSES = "This cloud's hardening policy refuses the request:"
_SPEAKS = "hardening policy of this cloud"
_UNKNOWN_USER = (401,)


def nova(node: Node) -> Result:
    """Probe the pipeline of ``/v2.1``."""
    return _probe(node, "compute", lambda url: f"{url}/servers", _server)


def nova_legacy(node: Node) -> Result:
    """Probe the pipeline of ``/v2``, which serves the same requests."""
    return _probe(
        node,
        "compute",
        lambda url: f"{'/v2'.join(url.rsplit('/v2.1', 1))}/servers",
        _server,
    )


def glance(node: Node) -> Result:
    """Probe the pipeline of the Glance API."""
    return _probe(
        node,
        "image",
        lambda url: f"{url.removesuffix('/v2')}/v2/images",
        # a bus, and an invalid format
        lambda bus: {"name": NAME, "disk_format": NAME, _PROPERTY: bus},
    )


#: Name to function, in the order of the table.
CHECKS: dict[str, Callable[[Node], Result]] = {
    "Nova API, /v2.1": nova,
    "Nova API, /v2": nova_legacy,
    "Glance API": glance,
}


def _server(value: str) -> dict[str, Any]:
    """Return a body with a bus, and with a flavor that does not exist."""
    disk = {
        "boot_index": -1,
        "source_type": "blank",
        "destination_type": "local",
        "volume_size": 1,
        _KIND: value,
    }
    server = {"name": NAME, "flavorRef": NAME}
    return {"server": {**server, "block_device_mapping_v2": [disk]}}


def _probe(
    node: Node,
    service: str,
    place: Callable[[str], str],
    body: Callable[[str], Mapping[str, Any]],
) -> Result:
    """Ask an endpoint as often as the command was told to.

    :param place: from the endpoint of the catalogue to the URL to ask
    :param body: from a refused value to the request's body
    """
    value = _refused_value(node)
    session = node.cloud.session
    endpoint = node.cloud.config.get_session_client(service).get_endpoint()
    if not endpoint:
        raise NotHere(f"endpoint of {service} in the catalogue")
    url = place(str(endpoint).rstrip("/"))
    answers = Counter(
        _answer(session, url, body(value)) for _ in range(node.conf.times)
    )
    total = sum(answers.values())
    where = f"POST {clean(url, 200)} with {_KIND} {value}"
    listed = ", ".join(
        f"{count} {text}" for text, count in sorted(answers.items())
    )
    if set(answers) == {"refused by the gate"}:
        return fine(f"{where}: {total} of {total} refused by the gate.")
    text = f"{where}, {total} times: {listed}."
    if set(answers) == {"the login was not accepted"}:
        return warn(f"{text} Name a cloud of clouds.yaml with --os-cloud.")
    more = "Workers differ. " if len(answers) > 1 else ""
    return fail(
        f"{text} {more}Run nova-vhard-status upgrade check on each node, and "
        "restart the service there."
    )


def _refused_value(node: Node) -> str:
    """Return a bus that the policy refuses in mode enforce.

    :raises Broken: if there is none, so that no answer would tell anything
    """
    policy = node.policy
    rule = policy.guest_devices.get(_KIND)
    mode = (rule.mode if rule else None) or policy.mode
    if not policy.enabled or rule is None or mode is not Mode.ENFORCE:
        raise Broken(
            f"the policy does not enforce {_KIND}, so that no gate would "
            "refuse anything; look for decision events instead"
        )
    for value in _BUSES:
        if value not in rule.allow:
            return value
    raise Broken(f"the policy allows every {_KIND}, so that none is refused")


def _answer(session: Any, url: str, body: Mapping[str, Any]) -> str:
    """Return what an answer is, in a word or two; a new connection each."""
    response = session.request(
        url,
        "POST",
        json=body,
        headers={"Connection": "close"},
        raise_exc=False,
    )
    text = response.text[:4096]
    if _REFUSES in text:
        return "refused by the gate"
    if _SPEAKS in text:
        return f"{response.status_code} of a gate that cannot judge"
    if response.status_code in _UNKNOWN_USER:
        return "the login was not accepted"
    return f"{response.status_code} without a word of the gate"
