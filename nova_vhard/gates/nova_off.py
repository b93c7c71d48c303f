# SPDX-License-Identifier: Apache-2.0
"""Who asked for what, while the policy is switched off.

Nothing is looked up then, so that nothing can fail: of the subject there is
what the request itself says. Its project is the caller's, not the server's.
"""

from collections.abc import Mapping
from typing import Any

from nova_vhard.policy.subject import (
    ATTACH,
    BOOT,
    FLAVOR,
    REBUILD,
    RESCUE,
    RESIZE,
    SNAPSHOT,
    UNSHELVE,
    UPDATE,
    Subject,
)

#: What a route asks for (``nova_api.ROUTES``), actions apart.
OPERATIONS: Mapping[str, str] = {
    "create": BOOT,
    "interface": ATTACH,
    "volume": ATTACH,
    "image": UPDATE,
    "flavor": FLAVOR,
}
ACTIONS: Mapping[str, str] = {
    "rebuild": REBUILD,
    "rescue": RESCUE,
    "resize": RESIZE,
    "unshelve": UNSHELVE,
    "createImage": SNAPSHOT,
    "createBackup": SNAPSHOT,
}


def subject(route: str, context: Any, body: Any) -> Subject:
    """Return the subject of a request that is judged by nothing.

    :param route: name of the route
    :param context: nova.context.RequestContext
    :param body: as it was read; of an action a dictionary
    """
    if route == "action":
        operation = next(ACTIONS[one] for one in body if one in ACTIONS)
    else:
        operation = OPERATIONS[route]
    return Subject(
        operation=operation,
        project=context.project_id,
        domain=context.project_domain_id,
        roles=frozenset(role.lower() for role in context.roles),
    )
