# SPDX-License-Identifier: Apache-2.0
"""The gate of image imports: a plugin of Glance's import tasks.

For what arrives inside the task: properties that ``glance-download`` copies
and that ``inject_image_metadata`` adds. It must be the last plugin::

    [image_import_opts]
    image_import_plugins = ['inject_image_metadata', 'vhard']

It is not run for ``copy-image`` and plain uploads, whose properties the gate
of the Glance API has seen.
"""

from typing import Any

from glance.common import exception
from taskflow import task
from taskflow.patterns import linear_flow

from nova_vhard.catalogue.gates import GLANCE_IMPORT
from nova_vhard.common.log import get_logger
from nova_vhard.common.text import line
from nova_vhard.gates import http
from nova_vhard.gates.enforcer import PolicyEnforcer
from nova_vhard.policy.hardware import NOBODY, Holder
from nova_vhard.policy.subject import UPLOAD, subject_of
from nova_vhard.policy.watch import PolicyUnavailable
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import of_image

LOG = get_logger(__name__)


class JudgeImage(task.Task):  # type: ignore[misc]
    """Judge an image before its data becomes active.

    Everything happens in ``execute``: an exception while the flow is made
    would have Glance skip the plugin.
    """

    def __init__(
        self,
        name: str,
        context: Any,
        repo: Any,
        image_id: str,
        *,
        copied: bool = False,
    ) -> None:
        """Keep what the task is about.

        :param copied: whether it copies properties of another image, which
            it would do again
        """
        self._context = context
        self._copied = copied
        self._repo = repo
        self._image_id = image_id
        super().__init__(name=name)

    def execute(self) -> None:
        """Judge the properties that the image has now.

        :raises UploadException: the only exception whose text the user
            reads in the task's message; also without a policy
        """
        try:
            # Here and not in ``__init__``: if ``get_flow`` raises, stevedore
            # logs that it could not load the plugin, and Glance imports the
            # image without it.
            enforcer = PolicyEnforcer(GLANCE_IMPORT, "glance-api")
            # Load the policy first: without one, nothing is looked up.
            policy = enforcer.policy()
            image = self._repo.get(self._image_id)
            # An import plugin may have set another type, and a Holder must
            # be hashable.
            disk_format = str(image.disk_format) if image.disk_format else None
            holder = Holder(self._image_id, image.owner, disk_format)
            request = of_image(
                Image(
                    dict(image.extra_properties),
                    disk_format,
                    # Without a holder the advice is to import again from a
                    # better source. An edit of this image would not last: the
                    # next import copies the same again.
                    holder=NOBODY if self._copied else holder,
                ),
                subject_of(UPLOAD, self._context, image.owner, self._image_id),
            )
            # No exemption for services, unlike POST /v2/images: the task runs
            # after the request, without the header that says whether a service
            # token is valid.
            text = enforcer.refusal(policy, request)
        except PolicyUnavailable as error:
            raise exception.UploadException(http.NO_POLICY_TEXT) from error
        except exception.GlanceException as error:
            # for example, the owner has deleted the image since
            text = line(
                f"the hardening policy cannot judge this image: {error}"
            )
            raise exception.UploadException(text) from error
        except Exception as error:
            text = http.report_fault(LOG, self._context)
            raise exception.UploadException(text) from error
        # The failed task reverts: the image goes back to queued, and its data
        # never becomes active.
        if text:
            raise exception.UploadException(text)


def get_flow(**kwargs: Any) -> linear_flow.Flow:
    """Return the flow that Glance adds to its import task."""
    kind, task_id = kwargs["task_type"], kwargs["task_id"]
    asked = kwargs.get("import_req") or {}
    # With defaults: an exception here would make Glance skip the plugin.
    method = (asked.get("method") or {}).get("name")
    return linear_flow.Flow(kind).add(
        JudgeImage(
            f"{kind}-JudgeImage-{task_id}",
            kwargs["context"],
            kwargs["image_repo"],
            kwargs["image_id"],
            copied=method == "glance-download",
        )
    )
