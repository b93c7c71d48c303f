# SPDX-License-Identifier: Apache-2.0
"""Source ``file``: a list that something else keeps up to date.

agents:
  d432fbb3-d2f1-4a97-9ef7-75bd81c00000: 2026-11-27T02:41:29+00:00
  compute2: FAIL
"""

import datetime
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from nova_vhard.attestor.sources.base import Source, SourceError, Verdict
from nova_vhard.common import source, yaml_lines
from nova_vhard.common.text import clean

_FAIL = "FAIL"
_WHAT = "a time with its zone (2026-11-27T02:41:29+00:00) or FAIL"


class ListFile(Source):
    """Reads when each machine was last verified with success."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Keep the path.

        :raises ValueError: if there is none
        """
        super().__init__(conf)
        self._path = conf.vhard_attestor.verdicts_file
        if not self._path:
            raise ValueError("[vhard_attestor] lacks verdicts_file")

    def verdicts(self) -> Mapping[str, Verdict]:
        """Return what the list says.

        :raises SourceError: for a file that is missing, open to others, or
            no list
        """
        try:
            text = source.read_private(self._path, secret=False)
        except source.UnreadableError as error:
            raise SourceError(f"{self._path} {error}") from error
        data, _, problems = yaml_lines.load(self._path, text, lambda _: ())
        if problems:
            raise SourceError(str(problems[0]))
        if not isinstance(data, dict) or set(data) != {"agents"}:
            raise SourceError(f"{self._path}:1: must have the key agents")
        agents = data["agents"]
        if not isinstance(agents, dict):
            raise SourceError(f"{self._path}: agents must name {_WHAT} each")
        return {str(name): _verdict(value) for name, value in agents.items()}


def _verdict(value: Any) -> Verdict:
    if value == _FAIL:
        return Verdict(failed=True)
    time = _time(value)
    if time is None or time.tzinfo is None:
        return Verdict(nonsense=f"{clean(repr(value))} is not {_WHAT}")
    return Verdict(attested_at=time.timestamp())


def _time(value: Any) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
