# SPDX-License-Identifier: Apache-2.0
"""The contract of a source of verdicts."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass

from oslo_config import cfg


class SourceError(Exception):
    """Raised if there is no valid answer; names place, cause and fix."""


@dataclass(frozen=True)
class Verdict:
    """Verdict of a verifier on one machine.

    :ivar failed: whether the last verification failed
    :ivar attested_at: time of the last successful verification, in seconds
        since the epoch; None for never
    :ivar reason: why it failed, in the verifier's words; may be empty
    :ivar nonsense: what is invalid in the answer; empty for a valid answer
    :ivar undemanded: whether any machine with a TPM would be verified
    """

    failed: bool = False
    attested_at: float | None = None
    reason: str = ""
    nonsense: str = ""
    undemanded: bool = False


class Source(abc.ABC):
    """Knows which machines have been verified.

    Plugged in under ``nova_vhard.verdicts`` and chosen by
    ``[vhard_attestor] source``.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Keep the configuration; send no request yet.

        :raises ValueError: if an option is invalid
        """
        self.conf = conf

    @abc.abstractmethod
    def verdicts(self) -> Mapping[str, Verdict]:
        """Return a verdict for every machine that the verifier watches.

        Ask once for all of them. An exception that is not an ``Exception``
        may interrupt any step: do not catch it.

        :returns: id of the machine's agent to its verdict; a machine that is
            missing counts as not attested, at once
        :raises SourceError: if the verifier cannot be asked, or the whole
            answer is invalid
        """
