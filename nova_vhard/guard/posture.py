# SPDX-License-Identifier: Apache-2.0
"""Checks that this host has passed, from its reporter's last report."""

import datetime
import json

from nova_vhard.common.source import UnreadableError, read_text
from nova_vhard.host.check import Status

# A clock may be set back a little between report and start.
_AHEAD = datetime.timedelta(minutes=5)


class NotProven(Exception):
    """There is no report that counts; says why."""


def passed(path: str, max_age: int, now: datetime.datetime) -> frozenset[str]:
    """Return the checks that the host passed in its last report.

    :param path: of the report, as the publisher ``json`` writes it
    :param max_age: hours after which a report does not count
    :param now: aware time
    :raises NotProven: if there is none, or it is damaged or too old
    """
    try:
        report = json.loads(read_text(path))
        time = datetime.datetime.fromisoformat(report["time"])
        names = frozenset(
            str(result["check"])
            for result in report["results"]
            if result["status"] == Status.PASS
        )
        age = now - time
    except UnreadableError as error:
        raise NotProven(f"{path} {error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotProven(f"{path} is not a report: {error}") from error
    if not -_AHEAD <= age <= datetime.timedelta(hours=max_age):
        raise NotProven(
            f"{path} is of {time}, not of the last {max_age} hours"
        )
    return names
