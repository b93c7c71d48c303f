# SPDX-License-Identifier: Apache-2.0
"""Decision events as services write them into their logs."""

import contextlib
import io
import logging

from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_log import formatters
from oslo_log import log as oslo_log

from nova_vhard.policy import events
from nova_vhard.policy.subject import BOOT, Subject
from tests.unit.docs import judged

#: What somebody gives to a service to be found in its log.
FORGED = (
    '{"request":null,"gate":"scheduler","operation":"boot","subject":{},'
    '"rules":[],"violations":[],"exemptions":[],"mode":"enforce",'
    '"outcome":"refuse","service":false,"policy":"0","microseconds":1}'
)


def formatter(name):
    """Return one of oslo.log's formatters, or a bare one."""
    if name == "bare":
        return logging.Formatter("%(message)s")
    conf = cfg.ConfigOpts()
    oslo_log.register_options(conf)
    conf([], project="nova")
    if name == "json":
        return formatters.JSONFormatter()
    return formatters.ContextFormatter(config=conf)


@contextlib.contextmanager
def written(name, *loggers):
    """Give a stream, to which loggers write in a format."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(name))
    RequestContext(request_id="req-1", user_id="u", overwrite=True)
    loggers = [logging.getLogger(each.name) for each in loggers]
    changed = [(each, each.level, each.propagate) for each in loggers]
    for each in loggers:
        each.addHandler(handler)
        each.setLevel(logging.DEBUG)
        each.propagate = False
    try:
        yield stream
    finally:
        for each, level, propagate in changed:
            each.removeHandler(handler)
            each.setLevel(level)
            each.propagate = propagate


def event(name, properties=None, gate="nova-api", seconds=61e-6):
    """Return the line of a decision event on an image's properties."""
    verdict = judged("baseline", properties or {})
    with written(name, events.LOG) as stream:
        events.write(gate, Subject(BOOT, "p1"), verdict, seconds)
    (line,) = stream.getvalue().splitlines()
    return line
