# SPDX-License-Identifier: Apache-2.0
"""The policy file that the dashboard reads."""

import functools

from django.conf import settings

from nova_vhard.policy.watch import PolicyFile

#: Where the policy file is, unless NOVA_VHARD_POLICY_FILE says otherwise.
POLICY_FILE = "/etc/nova-vhard/policy.yaml"


@functools.cache
def policy_file() -> PolicyFile:
    """Return the policy file, which is read when it is needed."""
    path = getattr(settings, "NOVA_VHARD_POLICY_FILE", POLICY_FILE)
    return PolicyFile(path)
