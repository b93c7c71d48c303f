# SPDX-License-Identifier: Apache-2.0
"""The root pre-step: a few keys of nova.conf, written where all may read."""

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from typing import Any

from nova_vhard.common import files
from nova_vhard.host import nova_facts
from nova_vhard.reporter import nova_conf
from nova_vhard.reporter.nova_conf import FactsError, Sources


def publish(
    sources: Sources, run_dir: str, now: datetime.datetime
) -> dict[str, Any]:
    """Read Nova's configuration and leave what the checks need.

    Where it cannot be read, the reason is left in place of what held before;
    where that cannot be written either, nothing is left.

    :param run_dir: folder on this machine
    :param now: aware time
    :returns: what was written
    :raises FactsError: if nothing that can be believed was written
    """
    stamp = {"version": nova_facts.VERSION, "time": now.isoformat()}
    target = os.path.join(run_dir, nova_facts.FILE)
    try:
        with _forgetting(target):
            try:
                result = {**stamp, **nova_conf.read(sources)}
            except FactsError as error:
                _write(target, {**stamp, "error": str(error)})
                raise
            _write(target, result)
    except OSError as error:
        raise FactsError(f"{target}: {error.strerror}") from error
    return result


@contextlib.contextmanager
def _forgetting(target: str) -> Iterator[None]:
    """Remove what was left before if anything but a reason comes of it."""
    try:
        yield
    except FactsError:
        raise
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        raise


def _write(target: str, content: dict[str, Any]) -> None:
    """Replace a file in one step; everybody may read it."""
    files.replace(target, json.dumps(content, indent=2), mode=0o644)
