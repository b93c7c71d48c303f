# SPDX-License-Identifier: Apache-2.0
"""Volumes, read once in a request: by the Nova API's gate, and by Nova.

Nova makes the devices of a server from the image metadata of its root volume.
Where its API asks for a volume that the gate has judged in the same request,
it reads the answer that was judged. Whether a volume is free to be attached is
said by Cinder in any case, when Nova asks for the attachment.
"""

import copy
import weakref
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from nova.volume import cinder

from nova_vhard.common.log import get_logger
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject

LOG = get_logger(__name__)

#: What Cinder has answered, by the RequestContext of a request, and by kind
#: and id.
_answers: MutableMapping[Any, dict[tuple[str, str], Any]] = (
    weakref.WeakKeyDictionary()
)

_VOLUME, _SNAPSHOT = "volume", "snapshot"


def get(volumes: Any, context: Any, volume_id: str) -> dict[str, Any]:
    """Return a volume as nova.volume.cinder shows it, and keep the answer.

    :param volumes: nova.volume.cinder.API
    :param context: nova.context.RequestContext of the user
    :raises Exception: as Nova's client does
    """
    answer = volumes.get(context, volume_id)
    return _keep(context, (_VOLUME, volume_id), answer)


def get_snapshot(
    volumes: Any, context: Any, snapshot_id: str
) -> dict[str, Any]:
    """Return the snapshot of a volume likewise."""
    answer = volumes.get_snapshot(context, snapshot_id)
    return _keep(context, (_SNAPSHOT, snapshot_id), answer)


def image_of(volume: Mapping[str, Any]) -> Any:
    """Return the id of the image that a volume was made of, or None.

    Nova drops it from the metadata that it makes a guest of, so neither a
    RequestSpec nor a server's own metadata has it.
    """
    return (volume.get("volume_image_metadata") or {}).get("image_id")


def with_image(
    policy: Policy,
    subject: Subject,
    volumes: Any,
    context: Any,
    devices: Callable[[], Any],
) -> Subject:
    """Return a subject with the image that its root volume was made of.

    Cinder is asked only for a project that has an exemption by image. Where
    it does not answer, no such exemption holds.

    :param volumes: nova.volume.cinder.API
    :param context: nova.context.RequestContext
    :param devices: returns the BlockDeviceMappingList of the server
    """
    has_exemption = subject.project in policy.image_projects
    if subject.image or not subject.server or not has_exemption:
        return subject
    try:
        root = devices().root_bdm()
        volume_id = root.get("volume_id", None)
        if volume_id is None:
            # A new server, whose volume is not made yet.
            snapshot = volumes.get_snapshot(context, root.snapshot_id)
            volume_id = snapshot["volume_id"]
        image = image_of(volumes.get(context, volume_id))
    except Exception as error:  # noqa: BLE001 - Nova's databases, or Cinder
        LOG.warning("The image of a root volume is not known: %s", error)
        return subject
    return replace(subject, image=image)


def _keep(
    context: Any, key: tuple[str, str], answer: dict[str, Any]
) -> dict[str, Any]:
    """Have Nova read an answer in the rest of a request; the last counts."""
    _answers.setdefault(context, {})[key] = copy.deepcopy(answer)
    return answer


class Volumes(cinder.API):  # type: ignore[misc]
    """Nova's volume API, which reads what was judged in the same request."""

    def get(
        self, context: Any, volume_id: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Return a volume, from Cinder's answer to the gate where it has one.

        :param context: nova.context.RequestContext of the user
        :param args: a microversion, of which the gate knows no answer
        """
        kept = _answers.get(context, {}).get((_VOLUME, str(volume_id)))
        if kept is None or args or kwargs:
            return super().get(context, volume_id, *args, **kwargs)
        return copy.deepcopy(kept)

    def get_snapshot(self, context: Any, snapshot_id: Any) -> Any:
        """Return the snapshot of a volume likewise."""
        kept = _answers.get(context, {}).get((_SNAPSHOT, str(snapshot_id)))
        if kept is None:
            return super().get_snapshot(context, snapshot_id)
        return copy.deepcopy(kept)
