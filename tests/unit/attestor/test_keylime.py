# SPDX-License-Identifier: Apache-2.0
"""Source keylime, by real HTTPS with certificates on both sides."""

import json
import sys
import time
import zlib

import pytest

from nova_vhard.attestor.sources import keylime
from nova_vhard.attestor.sources.base import SourceError
from nova_vhard.attestor.sources.keylime import Keylime
from nova_vhard.attestor.sources.loading import load
from tests.unit.attestor.verifier import NAME, NEVER, agent

GROUP = "vhard_attestor"


def test_all_agents_in_one_request(keylime_conf, verifier):
    verifier.agents = {f"agent{number}": agent() for number in range(1000)}
    verdicts = load(keylime_conf).verdicts()
    assert len(verdicts) == 1000
    assert verifier.requests == ["/v2.5/agents/?bulk=true"]
    last = verdicts["agent7"].attested_at
    assert last is not None and abs(time.time() - 2 - last) < 60


def policy(mask, **registers):
    return {"tpm_policy": json.dumps({**registers, "mask": mask})}


#: Whether it has failed, was ever verified, makes no sense, has no demand.
PASSED = (False, True, False, False)
NEVER_PASSED = (False, False, False, False)
FAILED = (True, True, False, False)
NONSENSE = (False, False, True, False)
UNDEMANDED = (False, True, False, True)
ENTRIES = {
    "PASS": (agent(), PASSED),
    "PENDING": (agent("PENDING"), PASSED),
    # there from the moment that an agent is added
    "never": (agent("PASS", **NEVER), NEVER_PASSED),
    "null": (agent("PASS", last_successful_attestation=None), NEVER_PASSED),
    "FAIL": (agent("FAIL"), FAILED),
    "TIMEOUT": (agent("TIMEOUT"), FAILED),
    **{
        f"policy {demanded}": (agent(**demanded), UNDEMANDED)
        for demanded in (
            policy("0x0"),
            policy("0"),
            # of IMA, and of Keylime's own data, which no policy can name
            policy("0x10400"),
            policy("0x1000000"),
            policy(None),
            policy(7),
            policy("x"),
            {"tpm_policy": None},
            {"tpm_policy": "{}"},
        )
    },
    "deep policy": (agent(tpm_policy="[" * 5000), UNDEMANDED),
    **{
        f"policy {demanded}": (agent(**demanded), PASSED)
        for demanded in (
            policy("0x400000"),
            policy("0x1"),
            policy("0x0") | {"has_mb_refstate": 1},
            policy("0x400") | {"has_runtime_policy": 1},
            {"tpm_policy": None, "has_runtime_policy": 1},
        )
    },
    **{f"entry {entry!r:.5}": (entry, NONSENSE) for entry in (None, 7, {})},
    **{
        f"status {status}": (agent(status), NONSENSE)
        for status in ("GOOD", None)
    },
    **{
        f"time {time!r:.9}": (
            agent(last_successful_attestation=time),
            NONSENSE,
        )
        for time in (
            *("today", -1, True, [1], float("nan"), float("inf"), 1e300),
            10**400,
        )
    },
    **{
        f"FAIL at {time!r:.9}": (
            agent("FAIL", last_successful_attestation=time),
            (True, False, False, False),
        )
        for time in ("today", -1, 10**400)
    },
}


@pytest.mark.parametrize(("entry", "expected"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry(keylime_conf, verifier, entry, expected):
    verifier.agents = {"a": entry, "b": agent()}
    verdicts = Keylime(keylime_conf).verdicts()
    a, ever = verdicts["a"], verdicts["a"].attested_at is not None
    assert (a.failed, ever, bool(a.nonsense), a.undemanded) == expected
    assert not verdicts["b"].nonsense
    keylime_conf.set_override("attest_without_policy", True, GROUP)
    assert not Keylime(keylime_conf).verdicts()["a"].undemanded


def test_the_reason_of_a_fail_is_the_verifiers(keylime_conf, verifier):
    event = "pcr_validation.invalid_pcr_23"
    verifier.agents = {"a": agent("FAIL", last_event_id=event), "b": None}
    assert {
        name: verdict.reason or verdict.nonsense
        for name, verdict in Keylime(keylime_conf).verdicts().items()
    } == {"a": event, "b": "is not an agent's entry"}


def test_a_deep_entry_is_nobody_elses(keylime_conf, verifier):
    # Python 3.11 reads no JSON that is deeper than its own stack may be.
    depth = 5000 if sys.version_info >= (3, 12) else 300
    deep = b"[" * depth + b"]" * depth
    verifier.body = (
        b'{"results": {"a": {"attestation_status": %s}, "b": '
        b'{"attestation_status": "FAIL", "last_event_id": %s}}}'
    ) % (deep, deep)
    verdicts = Keylime(keylime_conf).verdicts()
    assert verdicts["a"].nonsense
    assert verdicts["b"].failed


FAIL, PASS = (json.dumps(agent(status)) for status in ("FAIL", "PASS"))
BODIES = [
    b"",
    b"<html>",
    b"[]",
    b"7",
    b"{}",
    b'{"results": null}',
    b'{"results": ["a"]}',
    b'{"results": {"a": 1}',
    b"\xff",
    b"[" * 200_000,
]
#: Names that are there twice.
TWICE = {
    "a": f'{{"results": {{"a": {FAIL}, "a": {PASS}}}}}',
    "results": f'{{"results": {{"a": {FAIL}}}, "results": {{}}}}',
    "attestation_status": (
        f'{{"results": {{"a": {FAIL[:-1]}, "attestation_status": "PASS"}}}}}}'
    ),
}
#: A thousandth of what it is when unpacked: no limit sees that in time.
PACKED = zlib.compress(b" " * (1 << 20), wbits=31)
#: What the verifier answers, and what is said.
ANSWERS = {
    # The connection stays open, and the body never comes.
    "silence": (
        {
            "body": b"",
            "headers": {"Content-Length": "9", "Connection": "keep-alive"},
            "timeout": 3,
        },
        "timed out",
    ),
    **{
        f"body {number}": ({"body": body}, "not a list of agents")
        for number, body in enumerate(BODIES)
    },
    # As a verifier that was not asked for all of its agents says it.
    **{
        f"only names {number}": ({"body": body}, "'no entry is an agent'")
        for number, body in enumerate(
            (
                b'{"results": {"uuids": []}}',
                b'{"results": {"uuids": [["a"]]}}',
            )
        )
    },
    **{
        f"{name} twice": ({"body": body.encode()}, f"duplicate key {name}")
        for name, body in TWICE.items()
    },
    **{
        str(status): (
            {"status": status, "body": b"why"},
            f"status {status}: why: ",
        )
        for status in (301, 400, 401, 404, 500, 503)
    },
    **{
        name: (
            {"body": PACKED, "headers": {"Content-Encoding": name}},
            f"Encoding {name[:39]}…?, which was not requested",
        )
        for name in ("gzip", "deflate", "GZIP, gzip", "gzip" * 15)
    },
}


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none(keylime_conf, verifier, answer, said):
    vars(verifier).update(answer)
    keylime_conf.set_override("timeout", answer.get("timeout", 30), GROUP)
    with pytest.raises(SourceError, match=said):
        Keylime(keylime_conf).verdicts()
    assert verifier.encodings == ["identity"]


def test_an_answer_without_end(keylime_conf, verifier, monkeypatch):
    monkeypatch.setattr(keylime, "LIMIT", 100)
    verifier.body = b" " * 1000
    with pytest.raises(SourceError, match="more than 100 bytes"):
        Keylime(keylime_conf).verdicts()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "https://localhost:1"}, "keylime_verifier runs"),
        ({"ca_file": "other.crt"}, "certificate"),
        ({"cert_file": "stranger.crt", "key_file": "stranger.key"}, None),
        ({"hostname": "else.example"}, r"else\.example"),
    ],
    ids=["none there", "another authority", "a stranger", "another name"],
)
def test_who_is_not_known(keylime_conf, verifier, certificates, options, said):
    for name, value in options.items():
        if name.endswith("_file"):
            value = str(certificates / value)
        keylime_conf.set_override(f"keylime_{name}", value, GROUP)
    with pytest.raises(SourceError, match=said):
        Keylime(keylime_conf).verdicts()
    assert verifier.requests == []


def test_the_name_of_the_certificate(keylime_conf, verifier):
    verifier.agents = {"a": agent()}
    keylime_conf.set_override("keylime_hostname", NAME, GROUP)
    assert Keylime(keylime_conf).verdicts()


@pytest.mark.parametrize(
    "name",
    [
        "keylime_url",
        "keylime_ca_file",
        "keylime_cert_file",
        "keylime_key_file",
    ],
)
def test_an_option_that_is_missing_or_leads_nowhere(keylime_conf, name):
    keylime_conf.set_override(name, "", GROUP)
    with pytest.raises(ValueError, match=f"lacks {name}"):
        Keylime(keylime_conf)
    if name.endswith("_file"):
        keylime_conf.set_override(name, "/nowhere", GROUP)
        with pytest.raises(ValueError, match="PEM files"):
            Keylime(keylime_conf)


def test_a_source_that_is_not_installed(conf):
    conf.set_override("source", "oracle", GROUP)
    with pytest.raises(ValueError, match="source: oracle is not installed"):
        load(conf)
