# SPDX-License-Identifier: Apache-2.0
"""The policy's verdict as data, found again from the dashboard's copy.

Nova and Glance answer with text only, which is not parsed. The dashboard
judges the same request by its own copy of the policy instead.
"""

import datetime
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.explain import fixes, messages, search
from nova_vhard.policy.hardware import IMAGE, Holder
from nova_vhard.policy.model import Policy
from nova_vhard.policy.subject import (
    BOOT,
    REBUILD,
    RESCUE,
    UPDATE,
    UPLOAD,
    subject_of,
)
from nova_vhard.policy.top_violations import leading
from nova_vhard.policy.verdict import Violation
from nova_vhard.policy.watch import PolicyUnavailable, today
from nova_vhard.request.lookups import Image
from nova_vhard.request.server_request import ServerRequest, of_image
from nova_vhard_dashboard.policy import policy_file

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Caller:
    """The user of a request, as the policy expects it."""

    project_id: str
    project_domain_id: str | None
    roles: tuple[str, ...]


def caller(user: Any) -> _Caller:
    """Return the caller.

    :param user: openstack_auth's user of a request
    """
    project = user.token.project
    roles = tuple(role["name"] for role in user.roles)
    return _Caller(user.tenant_id, project.get("domain_id"), roles)


def seen(request: HttpRequest, image_id: str) -> Image:
    """Return an image as the user of a request sees it."""
    # Django finds this module where there is no Horizon, too.
    from openstack_dashboard.api import glance

    image = glance.glanceclient(request).images.get(image_id)
    disk_format = image.get("disk_format")
    holder = Holder(image.get("id"), image.get("owner"), disk_format)
    return Image(image, disk_format, IMAGE, holder)


def of_server(
    request: HttpRequest, image: Image, operation: str
) -> ServerRequest:
    """Return the request to put a server on an image.

    Its flavor, volumes and ports are not looked at.
    """
    who = caller(request.user)
    return of_image(image, subject_of(operation, who, None, image.holder.id))


def explained(
    policy: Policy,
    violations: Sequence[Violation],
    request: ServerRequest,
    day: datetime.date,
) -> dict[str, Any]:
    """Return violations and their fix as data.

    :returns: ``violations``; ``more``, the number of those that are not in
        it; ``fix``, text with commands between backticks; ``changes`` of the
        image properties that the form of an upload or update sets, or an
        empty list. A change without a value removes the property
    """
    fix = search.fix(policy, violations, request, day)
    first = leading(violations)
    in_form = request.subject.operation in (UPLOAD, UPDATE)
    old = request.before.properties if request.before else {}
    return {
        "violations": [_violation(each, in_form) for each in first.shown],
        "more": first.left_out,
        "changes": [
            {**each, "value": each["value"] or old.get(str(each["property"]))}
            for each in fix.changes
            if in_form
        ],
        "fix": fixes.words(fix),
        "left": len(fix.left),
    }


def _violation(violation: Violation, in_form: bool) -> dict[str, Any]:
    """Return a violation.

    :returns: ``property`` and ``value`` are None if no field of the form has
        it; ``text`` is the whole sentence
    """
    kind = KINDS.get(violation.cause.what)
    about = (kind.why, kind.needs) if kind else ()
    choice = violation.cause.choice if in_form else None
    if choice is not None and choice.implied is not None:
        choice = None
    return {
        "text": messages.describe([violation]),
        "property": choice and choice.setting,
        "value": choice and (choice.written or choice.value),
        "allowed": ", ".join(violation.allowed) or "no value",
        "advice": "; ".join(filter(None, about)),
        "rule": violation.rule,
    }


def refused(request: HttpRequest, message: str) -> dict[str, Any] | None:
    """Return why a request was refused, as data.

    :param message: the gate's refusal
    :returns: None if the dashboard does not come to the same refusal: a form
        is not in ``_FORMS``, there is no policy or another one, or something
        else is refused too, such as the flavor
    """
    try:
        policy, day = policy_file().current(), today()
        for pattern, read in _FORMS:
            if match := re.search(pattern, request.path):
                wanted = read(request, *match.groups())
                refusals = wanted.verdict(policy, day).refusals
                data = explained(policy, refusals, wanted, day)
                told = messages.describe(refusals, data["fix"])
                if refusals and told in message:
                    return data
    except PolicyUnavailable:
        pass
    except Exception:
        # The gate's text says it all.
        LOG.exception("A refusal could not be judged again")
    return None


def _upload(request: HttpRequest) -> ServerRequest:
    data = request.DATA
    subject = subject_of(UPLOAD, caller(request.user), None)
    return of_image(Image(data, data.get("disk_format")), subject)


def _update(request: HttpRequest, image_id: str) -> ServerRequest:
    before = seen(request, image_id)
    updated = request.DATA["updated"]
    gone = set(request.DATA.get("removed") or ()) - updated.keys()
    kept = {k: v for k, v in before.properties.items() if k not in gone}
    after = {**kept, **updated}
    # glanceclient sends what differs.
    touched = frozenset(
        name
        for name in gone | updated.keys()
        if before.properties.get(name) != after.get(name)
    )
    who, holder = caller(request.user), before.holder
    return of_image(
        Image(after, before.disk_format, IMAGE, holder),
        subject_of(UPDATE, who, holder.project, image_id),
        before,
        touched,
    )


def _boot(request: HttpRequest) -> ServerRequest:
    image = seen(request, request.DATA["source_id"])
    return of_server(request, image, BOOT)


def _other_image(request: HttpRequest, operation: str) -> ServerRequest:
    image = seen(request, request.POST["image"])
    return of_server(request, image, operation)


#: Paths of Horizon, and the readers of what is sent there.
_FORMS: tuple[tuple[str, Callable[..., ServerRequest]], ...] = (
    (r"/api/glance/images/\Z", _upload),
    (r"/api/glance/images/([^/]+)/properties/\Z", _update),
    (r"/api/nova/servers/\Z", _boot),
    (rf"/project/instances/[^/]+/({REBUILD}|{RESCUE})\Z", _other_image),
)
