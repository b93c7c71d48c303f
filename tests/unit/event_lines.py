# SPDX-License-Identifier: Apache-2.0
"""Decision events as services write them into their logs."""

import contextlib
import io
import logging

from oslo_context.context import RequestContext
from oslo_log import formatters

from nova_vhard.policy import events, subject
from tests import clean, logged
from tests.unit.docs import judged

#: What somebody gives to a service to be found in its log.
FORGED = (
    '{"request":null,"gate":"scheduler","operation":"boot","subject":{},'
    '"rules":[],"violations":[],"exemptions":[],"mode":"enforce",'
    '"outcome":"refuse","service":false,"policy":"0","microseconds":1}'
)


FORMATTERS = {
    "bare": logging.Formatter("%(message)s"),
    "context": clean.formatter(),
    "json": formatters.JSONFormatter(),
}


@contextlib.contextmanager
def written(name, logger):
    """Give a stream, to which a logger writes in a format."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FORMATTERS[name])
    RequestContext(request_id="req-1", user_id="u", overwrite=True)
    with logged.handled(logger.name, handler):
        yield stream


def event(name, properties=None, gate="nova-api", seconds=61e-6):
    """Return the line of a decision event on an image's properties."""
    verdict = judged("baseline", properties or {})
    with written(name, events.LOG) as stream:
        events.write(
            gate, subject.Subject(subject.BOOT, "p1"), verdict, seconds
        )
    (line,) = stream.getvalue().splitlines()
    return line
