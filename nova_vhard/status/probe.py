# SPDX-License-Identifier: Apache-2.0
"""Probes of running services: is there a gate, and which policy does it use?

The API probes send requests that the gate refuses. Without a gate, the service
itself rejects them, so nothing is created: the flavor of the server, or the
format of the image, does not exist.

A scheduler never refuses a request that the API gate has accepted, so only its
decision event proves that it checked one. This probe boots a server without a
network that the policy allows, and deletes it.
"""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openstack import exceptions as sdk
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.gates import SCHEDULER
from nova_vhard.common import decisions
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
#: Name of the requested server or image; also of a server that remains if the
#: command is killed.
NAME = "nova-vhard-probe"
#: Buses to try; the first that the policy refuses is requested.
_BUSES = ("ide", "usb", "sata", "scsi", "virtio")
#: How a gate's answer begins; its HTTP status could also be another's.
_REFUSES = "This cloud's hardening policy refuses the request:"
_SPEAKS = "hardening policy of this cloud"
_UNAUTHORIZED = 401
#: Seconds until a server is at rest, and between two looks at it.
_LIMIT = 300.0
_PAUSE = 0.5
#: Most bytes of a log that one probe reads.
_MOST = 1 << 26
_NO_NETWORK = "2.37"
_AT_REST = ("ACTIVE", "ERROR")


def nova(node: Node) -> Result:
    """Probe the pipeline of ``/v2.1``."""
    return _probe(node, "compute", lambda url: f"{url}/servers", _server_body)


def nova_legacy(node: Node) -> Result:
    """Probe the pipeline of ``/v2``, which serves the same requests."""
    return _probe(
        node,
        "compute",
        lambda url: f"{'/v2'.join(url.rsplit('/v2.1', 1))}/servers",
        _server_body,
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


def _server_body(value: str) -> dict[str, Any]:
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
    endpoint = node.cloud.config.get_session_client(service).get_endpoint()
    if not endpoint:
        raise Broken(f"the catalogue has no endpoint of {service}")
    url = place(str(endpoint).rstrip("/"))
    answers = Counter(
        _answer(node.cloud.session, url, body(value))
        for _ in range(node.conf.times)
    )
    total = sum(answers.values())
    where = f"POST {clean(url, 200)} with {_KIND} {value}"
    if set(answers) == {"refused by the gate"}:
        return fine(f"{where}: {total} of {total} refused by the gate.")
    listed = (f"{count} {text}" for text, count in sorted(answers.items()))
    text = f"{where}, {total} times: {', '.join(listed)}."
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
            f"the policy does not enforce {_KIND}, so no gate would refuse "
            "the probe; look for decision events in the logs instead"
        )
    for value in _BUSES:
        if value not in rule.allow:
            return value
    raise Broken(
        f"the policy allows every {_KIND}, so no gate would refuse the probe; "
        "look for decision events in the logs instead"
    )


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
    if response.status_code == _UNAUTHORIZED:
        return "the login was not accepted"
    return f"{response.status_code} without a word of the gate"


def scheduler(node: Node) -> Result:
    """Boot a server, and look for the scheduler's decision event.

    =======  ==============================================================
    SUCCESS  a scheduler judged it, by the policy that this command reads
    WARNING  by another policy
    FAILURE  none has judged it: the filter is not enabled, or its log is
             another file
    =======  ==============================================================
    """
    if not node.conf.scheduler_log:
        raise Broken(
            "--scheduler-log is missing: specify the log of each "
            "nova-scheduler, which contains its decision events"
        )
    try:
        logs = {
            path: os.stat(path).st_size for path in node.conf.scheduler_log
        }
    except OSError as error:
        raise NotHere(f"file {error.filename}") from error
    with _booted(node) as server:
        status = _at_rest(node.compute, server)
    events = [
        event
        for path, size in logs.items()
        for event in _appended(path, size)
        if event.get("gate") == SCHEDULER
        and isinstance(subject := event.get("subject"), dict)
        and subject.get("server") == server
    ]
    where = f"A server of the image and flavor (it became {clean(status)})"
    if not events:
        return fail(
            f"{where} was judged by no scheduler whose log was specified. "
            "Check that VirtHardeningFilter is in enabled_filters, that "
            "nova-scheduler was restarted since, that --scheduler-log names "
            "the log of every scheduler, and that the log includes level INFO "
            "of nova_vhard.decisions."
        )
    policies = {str(event.get("policy")) for event in events}
    if policies != {node.policy.digest}:
        listed = clean(", ".join(sorted(policies)), 200)
        return warn(
            f"{where} was judged by policy {listed}, but not by "
            f"{node.policy.digest}, which this command reads. Specify the "
            "scheduler's policy with --policy, or run nova-vhard-status "
            "upgrade check on its node."
        )
    return fine(
        f"{where} was judged by the scheduler, by policy {node.policy.digest}."
    )


@contextlib.contextmanager
def _booted(node: Node) -> Iterator[str]:
    """Boot a server; delete it in any case.

    :raises Broken: if it is refused, or image or flavor is not named
    """
    image, flavor = node.conf.probe_image, node.conf.probe_flavor
    if not image or not flavor:
        raise Broken("specify --probe-image and --probe-flavor")
    compute = node.compute
    try:
        server = compute.create_server(
            name=NAME,
            image_id=image,
            flavor_id=flavor,
            networks="none",
            microversion=_NO_NETWORK,
        )
    except sdk.SDKException as error:
        text = clean(error, 400).rstrip(".")
        raise Broken(
            f"the test server was refused and not created: {text} "
            "(--probe-image and --probe-flavor take ids, not names)"
        ) from error
    try:
        yield str(server.id)
    finally:
        compute.delete_server(server.id, ignore_missing=True)


def _at_rest(compute: Any, server: str) -> str:
    """Wait until a server is at rest; return its status, or the last one."""
    deadline = time.monotonic() + _LIMIT
    while True:
        status = str(compute.get_server(server).status)
        if status in _AT_REST or time.monotonic() > deadline:
            return status
        time.sleep(_PAUSE)


def _appended(path: str, size: int) -> Iterator[dict[str, Any]]:
    """Yield the decision events appended to a log since it had this size.

    A log that was rotated since then is read from the beginning.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size >= size:
            file.seek(size)
        lines = file.read(_MOST).splitlines()
    for line in lines:
        with contextlib.suppress(decisions.Unreadable):
            content = decisions.read(line)
            if isinstance(content, decisions.Event):
                yield content.data


#: Name to function, in the order of the table.
CHECKS: dict[str, Callable[[Node], Result]] = {
    "Nova API, /v2.1": nova,
    "Nova API, /v2": nova_legacy,
    "Glance API": glance,
}
#: Likewise, of the command that boots a server.
SCHEDULER_CHECKS: dict[str, Callable[[Node], Result]] = {
    "Nova scheduler": scheduler
}
