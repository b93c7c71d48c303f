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


@pytest.mark.parametrize(
    ("entry", "failed", "ever"),
    [
        (agent(), False, True),
        (agent("PENDING"), False, True),
        # there from the moment that an agent is added
        (agent("PASS", **NEVER), False, False),
        (agent("PASS", last_successful_attestation=None), False, False),
        (agent("FAIL"), True, True),
        (agent("TIMEOUT"), True, True),
    ],
)
def test_what_an_agent_is_said_to_be(
    keylime_conf, verifier, entry, failed, ever
):
    verifier.agents = {"a": entry}
    verdict = Keylime(keylime_conf).verdicts()["a"]
    assert not verdict.nonsense
    assert (verdict.failed, verdict.attested_at is not None) == (failed, ever)


def policy(mask, **registers):
    return {"tpm_policy": json.dumps({**registers, "mask": mask})}


@pytest.mark.parametrize(
    ("demanded", "undemanded"),
    [
        (policy("0x0"), True),
        (policy("0"), True),
        # of IMA, and of Keylime's own data, which no policy can name
        (policy("0x10400"), True),
        (policy("0x1000000"), True),
        (policy(None), True),
        (policy(7), True),
        (policy("x"), True),
        ({"tpm_policy": None}, True),
        ({"tpm_policy": "{}"}, True),
        ({"tpm_policy": "[" * 5000}, True),
        (policy("0x400000"), False),
        (policy("0x1"), False),
        (policy("0x0") | {"has_mb_refstate": 1}, False),
        (policy("0x400") | {"has_runtime_policy": 1}, False),
        ({"tpm_policy": None, "has_runtime_policy": 1}, False),
    ],
)
def test_an_agent_of_which_nothing_is_demanded(
    keylime_conf, verifier, demanded, undemanded
):
    verifier.agents = {"a": agent(**demanded)}
    verdict = Keylime(keylime_conf).verdicts()["a"]
    assert (verdict.undemanded, verdict.failed) == (undemanded, False)
    keylime_conf.set_override("attest_without_policy", True, GROUP)
    assert not Keylime(keylime_conf).verdicts()["a"].undemanded


def test_the_reason_of_a_fail_is_the_verifiers(keylime_conf, verifier):
    event = "pcr_validation.invalid_pcr_23"
    verifier.agents = {"a": agent("FAIL", last_event_id=event)}
    assert Keylime(keylime_conf).verdicts()["a"].reason == event


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        {},
        agent("GOOD"),
        agent(None),
        agent(last_successful_attestation="today"),
        agent(last_successful_attestation=-1),
        agent(last_successful_attestation=True),
        agent(last_successful_attestation=[1]),
        agent(last_successful_attestation=float("nan")),
        agent(last_successful_attestation=float("inf")),
        agent(last_successful_attestation=10**400),
        agent(last_successful_attestation=1e300),
    ],
)
def test_an_entry_that_makes_no_sense(keylime_conf, verifier, entry):
    verifier.agents = {"a": entry, "b": agent()}
    verdicts = Keylime(keylime_conf).verdicts()
    assert verdicts["a"].nonsense
    assert verdicts["a"].attested_at is None
    assert not verdicts["b"].nonsense


@pytest.mark.parametrize("last", ["today", -1, 10**400])
def test_a_fail_with_a_time_that_makes_no_sense(keylime_conf, verifier, last):
    verifier.agents = {"a": agent("FAIL", last_successful_attestation=last)}
    verdict = Keylime(keylime_conf).verdicts()["a"]
    assert (verdict.failed, verdict.attested_at) == (True, None)


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
    # As a verifier that was not asked for all of its agents says it.
    b'{"results": {"uuids": []}}',
    b'{"results": {"uuids": [["a"]]}}',
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
    **{
        f"body {number}": ({"body": body}, "not a list of agents")
        for number, body in enumerate(BODIES)
    },
    **{
        f"{name} twice": ({"body": body.encode()}, f"{name} stands twice")
        for name, body in TWICE.items()
    },
    **{
        str(status): ({"status": status}, f"status {status}")
        for status in (301, 400, 401, 404, 500, 503)
    },
    **{
        name: (
            {"body": PACKED, "headers": {"Content-Encoding": name}},
            "is packed",
        )
        for name in ("gzip", "deflate", "GZIP, gzip")
    },
}


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none(keylime_conf, verifier, answer, said):
    vars(verifier).update(answer)
    with pytest.raises(SourceError, match=said):
        Keylime(keylime_conf).verdicts()
    assert verifier.encodings == ["identity"]


def test_an_answer_without_end(keylime_conf, verifier, monkeypatch):
    monkeypatch.setattr(keylime, "LIMIT", 100)
    verifier.body = b" " * 1000
    with pytest.raises(SourceError, match="more than 100 bytes"):
        Keylime(keylime_conf).verdicts()


def test_nobody_there(keylime_conf):
    keylime_conf.set_override("keylime_url", "https://localhost:1", GROUP)
    with pytest.raises(SourceError, match="keylime_verifier runs"):
        Keylime(keylime_conf).verdicts()


def test_a_server_of_another_authority(keylime_conf, certificates):
    ca = str(certificates / "other.crt")
    keylime_conf.set_override("keylime_ca_file", ca, GROUP)
    with pytest.raises(SourceError, match="certificate"):
        Keylime(keylime_conf).verdicts()


def test_a_client_that_the_verifier_does_not_know(
    keylime_conf, verifier, certificates
):
    for kind in ("cert", "key"):
        end = {"cert": "crt"}.get(kind, kind)
        path = str(certificates / f"stranger.{end}")
        keylime_conf.set_override(f"keylime_{kind}_file", path, GROUP)
    with pytest.raises(SourceError):
        Keylime(keylime_conf).verdicts()
    assert verifier.requests == []


def test_the_name_of_the_certificate(keylime_conf, verifier):
    verifier.agents = {"a": agent()}
    keylime_conf.set_override("keylime_hostname", NAME, GROUP)
    assert Keylime(keylime_conf).verdicts()
    keylime_conf.set_override("keylime_hostname", "else.example", GROUP)
    with pytest.raises(SourceError, match=r"else\.example"):
        Keylime(keylime_conf).verdicts()


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
