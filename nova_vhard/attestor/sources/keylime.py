# SPDX-License-Identifier: Apache-2.0
"""Source ``keylime``: the verifier of Keylime, by its API with mutual TLS.

The status PASS proves nothing: an agent has it from the moment that it is
added, and for a minute after it has vanished (Keylime 7.14). Only the time of
the last successful verification counts.
"""

import json
import ssl
from collections import Counter
from collections.abc import Mapping
from typing import Any

import requests
from oslo_config import cfg
from requests.adapters import HTTPAdapter

from nova_vhard.attestor.sources.base import Source, SourceError, Verdict
from nova_vhard.common.text import clean

#: Version of the API; a newer verifier answers it too.
VERSION = "v2.5"

#: Bytes of an answer: 10,000 agents have about 10 MB.
LIMIT = 64 * 1024 * 1024

_OK = 200
#: TIMEOUT: an agent in push mode that has fallen silent.
_FAILED = ("FAIL", "TIMEOUT")
_STATUSES = (*_FAILED, "PASS", "PENDING")
#: That a tpm_policy can name: not 10, which is IMA's and has a policy of its
#: own, nor 16, by which Keylime binds data to a quote.
_REGISTERS = 0xFFFFFF & ~(1 << 10 | 1 << 16)
_CHUNK = 1 << 20
_PLAIN = "identity"
#: Seconds since the epoch, in the year 9999.
_LAST = 253_402_300_799
_NO_LIST = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)
_FIX = (
    "see [vhard_attestor] keylime_url and the keylime_*_file options, and "
    "that keylime_verifier runs"
)


class _OfName(HTTPAdapter):
    """Expects a certificate's name that is not the one in the URL."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool with the name to expect."""
        kwargs["assert_hostname"] = self._name
        kwargs["server_hostname"] = self._name
        super().init_poolmanager(*args, **kwargs)


class Keylime(Source):
    """Asks the verifier for all agents in one request."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Make a session; nothing is asked yet.

        :raises ValueError: for an option that is not set, or a file that
            makes no certificate
        """
        super().__init__(conf)
        options = conf.vhard_attestor
        missing = [
            name
            for name in (
                "keylime_ca_file",
                "keylime_cert_file",
                "keylime_key_file",
                "keylime_url",
            )
            if not options[name]
        ]
        if missing:
            raise ValueError(f"[vhard_attestor] lacks {', '.join(missing)}")
        self._url = f"{options.keylime_url.rstrip('/')}/{VERSION}/agents/"
        self._timeout = float(options.timeout)
        # Files that make no TLS context are an error before the first round.
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(options.keylime_ca_file)
            context.load_cert_chain(
                options.keylime_cert_file, options.keylime_key_file
            )
        except OSError as error:
            raise ValueError(
                "[vhard_attestor] keylime_ca_file, keylime_cert_file or "
                f"keylime_key_file: {clean(error, 200)}: they must be PEM "
                "files that this user can read, the key without a password"
            ) from error
        self._session = requests.Session()
        # Neither a proxy nor a .netrc of the environment.
        self._session.trust_env = False
        self._session.headers["Accept-Encoding"] = _PLAIN
        self._session.verify = options.keylime_ca_file
        self._session.cert = (
            options.keylime_cert_file,
            options.keylime_key_file,
        )
        if options.keylime_hostname:
            self._session.mount("https://", _OfName(options.keylime_hostname))

    def verdicts(self) -> Mapping[str, Verdict]:
        """Return what the verifier says of its agents.

        :raises SourceError: without an answer, or with one that makes no
            sense
        """
        try:
            body = self._answer()
        except (requests.RequestException, OSError) as error:
            raise SourceError(
                f"{self._url}: {clean(error, 300)}: {_FIX}"
            ) from error
        try:
            answer = json.loads(body, object_pairs_hook=_object)
            entries = list(answer["results"].items())
            if entries and not any(
                type(entry) is dict for _, entry in entries
            ):
                raise ValueError("no entry is an agent")
        except _NO_LIST as error:
            raise SourceError(
                f"{self._url}: the answer is not a list of agents "
                f"({clean(repr(error), 100)}): see that keylime_url is a "
                "verifier's, not a registrar's"
            ) from error
        accepted = self.conf.vhard_attestor.attest_without_policy
        return {
            str(agent): _verdict(entry, accepted) for agent, entry in entries
        }

    def _answer(self) -> bytes:
        """Return the body of the answer.

        :raises requests.RequestException: without one
        :raises SourceError: for another status, or more than the limit
        """
        # A Content-Type of JSON without a body would be answered by 400.
        with self._session.get(
            self._url,
            params={"bulk": "true"},
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            packed = response.headers.get("Content-Encoding", _PLAIN)
            if packed.lower() != _PLAIN:
                # A few kilobytes may stand for more than any memory holds.
                raise SourceError(
                    f"{self._url}: the answer has Content-Encoding "
                    f"{clean(packed, 40)}, which was not requested"
                )
            body = b""
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > LIMIT:
                    raise SourceError(f"{self._url}: more than {LIMIT} bytes")
            if response.status_code == _OK:
                return body
            start = clean(body[:200].decode(errors="replace"))
            raise SourceError(
                f"{self._url}: status {response.status_code}: {start}: {_FIX}"
            )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON.

    :raises ValueError: for a name that stands twice: one value would hide
        the other, a PASS a FAIL
    """
    result = dict(pairs)
    if len(result) != len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"duplicate key {clean(name)}")
    return result


def _verdict(entry: Any, accepted: bool) -> Verdict:
    """Return what an agent's entry says.

    :param accepted: whether an agent of which nothing is demanded is verified
    """
    if not isinstance(entry, dict):
        return Verdict(nonsense="is not an agent's entry")
    status = entry.get("attestation_status")
    if status not in _STATUSES:
        known = ", ".join(_STATUSES)
        text = (
            f"attestation_status is {_words(status)}, but must be one of "
            f"{known}"
        )
        return Verdict(nonsense=text)
    failed = status in _FAILED
    last = entry.get("last_successful_attestation")
    # Neither NaN nor infinity is a time, which Python's JSON knows.
    if last is not None and not (
        type(last) in (int, float) and 0 <= last <= _LAST
    ):
        if not failed:
            text = (
                f"last_successful_attestation is {_words(last)}, which is not "
                "a time"
            )
            return Verdict(nonsense=text)
        # A refusal needs none.
        last = None
    return Verdict(
        failed=failed,
        attested_at=float(last) if last else None,
        reason=_words(entry.get("last_event_id") or status),
        undemanded=not accepted and not _demands(entry),
    )


def _demands(entry: dict[str, Any]) -> bool:
    """Return whether the verifier demands more of an agent than a TPM."""
    if 1 in (entry.get("has_mb_refstate"), entry.get("has_runtime_policy")):
        return True
    try:
        mask = int(json.loads(entry["tpm_policy"])["mask"], 0)
    except _NO_LIST:
        return False
    return bool(mask & _REGISTERS)


def _words(value: object) -> str:
    """Return a value of the verifier's as text, of a bounded length."""
    if isinstance(value, str):
        return clean(value)
    try:
        return clean(repr(value))
    except (RecursionError, ValueError):
        return "nested too deep, or too long a number"
