# SPDX-License-Identifier: Apache-2.0
"""The contract of a source of verdicts."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass

from oslo_config import cfg


class SourceError(Exception):
    """Raised when nobody says anything that counts: place, cause and fix."""


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of one machine.

    :ivar failed: whether its last word is that the machine is not as it
        should be
    :ivar attested_at: when it last verified the machine with success, in
        seconds since the epoch; None for never
    :ivar reason: why it failed, in the verifier's words; may be empty
    :ivar nonsense: what makes no sense in the answer; empty for an answer
        that does
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
        """Keep the configuration; ask nobody yet.

        :raises ValueError: for options that make no sense
        """
        self.conf = conf

    @abc.abstractmethod
    def verdicts(self) -> Mapping[str, Verdict]:
        """Return a verdict for every machine that the verifier watches.

        Ask once for all of them. It may be broken off at any step by an
        exception that is no ``Exception``: let it through.

        :returns: id of the machine's agent to what is said of it; a machine
            that is not in it counts as not attested, at once
        :raises SourceError: if the verifier cannot be asked, or the whole
            answer makes no sense
        """
