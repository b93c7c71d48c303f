# SPDX-License-Identifier: Apache-2.0
"""Source image of a volume, for exemptions by image."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nova_vhard.common.log import get_logger
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import Subject

LOG = get_logger(__name__)


def image_of(volume: Mapping[str, Any]) -> Any:
    """Return the ID of the image that a volume was made from, or None.

    Nova removes the ID from the metadata that it builds a guest from. Neither
    a RequestSpec nor a server's own metadata has it.
    """
    return (volume.get("volume_image_metadata") or {}).get("image_id")


def with_image(
    policy: Policy,
    subject: Subject,
    volumes: Any,
    context: Any,
    devices: Callable[[], Any],
) -> Subject:
    """Return a subject with the source image of its root volume.

    Cinder is asked only if the project has an exemption by image. If Cinder
    does not answer, these exemptions do not apply.

    :param volumes: nova.volume.cinder.API
    :param context: nova.context.RequestContext
    :param devices: returns the BlockDeviceMappingList of the server
    """
    # An exemption by image must name projects (``check.conflicts``), so that
    # this set is complete.
    has_exemption = subject.project in policy.image_projects
    if subject.image or not subject.server or not has_exemption:
        return subject
    try:
        root = devices().root_bdm()
        volume_id = root.get("volume_id", None)
        if volume_id is None:
            # The volume of a new server does not exist yet.
            volume_id = volumes.get_snapshot(context, root.snapshot_id)[
                "volume_id"
            ]
        image = image_of(volumes.get(context, volume_id))
    except Exception as error:  # noqa: BLE001 - Nova's databases, or Cinder
        # Closed on this side: without the image no exemption by image holds.
        # It must not fail the request, since most are allowed without one.
        LOG.warning("The image of a root volume is not known: %s", error)
        return subject
    return replace(subject, image=image)
