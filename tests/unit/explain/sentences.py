# SPDX-License-Identifier: Apache-2.0
"""Texts for the user of a request."""

from nova_vhard.explain import fixes, messages
from tests.unit.explain.requests import found
from tests.unit.helpers import TODAY


def answered(rules, request, read=None):
    """Return the complete answer of an API."""
    refusals, fix = found(rules, request, read)
    return messages.api_message(refusals, fixes.words(fix))


def fixed(rules, request, read=None):
    """Return only the fix."""
    _, fix = found(rules, request, read)
    return fixes.words(fix)


def fault(rules, request, read=None):
    """Return the text of a server's fault."""
    return messages.fault_message(request.verdict(rules, TODAY).refusals)


SAYING = {"answer": answered, "fix": fixed, "fault": fault}
