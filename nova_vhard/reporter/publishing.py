# SPDX-License-Identifier: Apache-2.0
"""The configured publishers, and one report to all of them."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from oslo_config import cfg
from stevedore import named

from nova_vhard.common.log import ThrottledLog, get_logger
from nova_vhard.daemon.interrupts import TimeLimit
from nova_vhard.host.report import HostReport
from nova_vhard.reporter.publishers.base import (
    Publisher,
    PublishError,
    Record,
)

LOG = get_logger(__name__)

NAMESPACE = "nova_vhard.publishers"


def publishers(conf: cfg.ConfigOpts) -> list[Publisher]:
    """Return the configured publishers, in their order, the last ones last.

    :raises ValueError: where one is not installed, or cannot be loaded
    """
    manager = named.NamedExtensionManager(
        NAMESPACE,
        conf.vhard_reporter.publishers,
        invoke_on_load=True,
        invoke_args=(conf,),
        name_order=True,
        on_load_failure_callback=_unusable,
        on_missing_entrypoints_callback=_missing,
    )
    result: list[Publisher] = [item.obj for item in manager]
    for item in manager:
        item.obj.name = item.name
    return sorted(result, key=lambda item: item.last)


def _unusable(manager: Any, entry_point: Any, error: BaseException) -> None:
    text = f"{entry_point.name} cannot be loaded: {error}"
    if isinstance(error, ImportError):
        text += " (what publishers need is in nova-vhard[node])"
    raise ValueError(f"[vhard_reporter] publishers: {text}") from error


def _missing(names: set[str]) -> None:
    raise ValueError(f"[vhard_reporter] publishers: no {', '.join(names)}")


def publish(
    report: HostReport,
    targets: Sequence[Publisher],
    record: Record,
    limited: Callable[[], AbstractContextManager[None]],
) -> dict[str, str]:
    """Publish a report everywhere; one failure does not stop the others.

    :param record: how publishing went so far; added to
    :param limited: the limit of time for one publisher
    :returns: name of each publisher that failed, and why
    """
    failed: dict[str, str] = {}
    for target in targets:
        name = target.name
        target.record = record
        record.errors.setdefault(name, 0)
        told = record.troubles.setdefault(
            name, ThrottledLog(LOG, logging.ERROR)
        )
        trouble = None
        try:
            with limited():
                target.publish(report)
        except TimeLimit:
            trouble = "it took too long"
        except PublishError as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - one must not stop the rest
            trouble = f"{type(error).__name__}: {error}"
        if trouble is None:
            told.over("Published again: %s", name)
            record.published[name] = report.time.timestamp()
            continue
        record.errors[name] += 1
        failed[name] = trouble
        told.say("Not published, tried again later: %s: %s", name, trouble)
    return failed
