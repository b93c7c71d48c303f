# SPDX-License-Identifier: Apache-2.0
"""The policy reference has every key, kind, rule and error."""

import json
import re
import uuid
from datetime import date
from pathlib import Path

import pytest

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.catalogue.passthrough import PORTS
from nova_vhard.catalogue.properties import LEGACY_NAMES
from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document
from nova_vhard.policy.hosts import (
    FLAVOR_REQUIRE,
    HOSTS_REQUIRE,
    PASSTHROUGH_REQUIRE,
)
from nova_vhard.policy.schema import SCHEMA
from nova_vhard.policy.subject import UPLOAD, Subject
from nova_vhard.policy.verdict import PASSTHROUGH_ALLOW, evaluate
from nova_vhard.request import image as image_reader
from tests.unit.docs import (
    PAGES,
    REFERENCE,
    ROOT,
    blocks,
    extension,
    judged,
    words,
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_reference_has_every_device_kind_in_full(kind):
    text = extension().device_kinds()
    _, result, entry = text.partition(f".. _device-kind-{kind.name}:")
    entry = entry.partition(".. _")[0].replace("\\", "")
    assert result
    assert f":ref:`{kind.name} <device-kind-{kind.name}>`" in text
    names = kind.image_properties
    legacy = [old for old, new in LEGACY_NAMES.items() if new in names]
    choices = kind.values if kind.value_type == "enum" else ()
    for word in (
        *names,
        *kind.extra_specs,
        *choices,
        *kind.aliases,
        *legacy,
    ):
        assert f"``{word}``" in entry
    for text in (kind.title, kind.why, kind.needs, kind.fix):
        assert text in entry


def shipped(name):
    """Return what the reference says of a shipped policy, and the policy."""
    text = extension().shipped_policies().replace("\\", "")
    section = text.partition(f".. _policy-{name}:")[2].partition(".. _")[0]
    data = document.Reading(document.shipped(name)).data
    return section, data


@pytest.mark.parametrize("name", document.SHIPPED)
def test_reference_has_every_shipped_rule_with_its_reason(name):
    section, data = shipped(name)
    rows = section.split("\n   * - ")
    assert len(rows) == len(data["guest_devices"]) + 2
    for kind, rule in data["guest_devices"].items():
        (row,) = [each for each in rows if each.startswith(f":ref:`{kind} ")]
        assert " ".join(rule["reason"].split()) in row
        for value in rule["allow"]:
            assert f"``{str(value).lower()}``" in row


@pytest.mark.parametrize("name", document.SHIPPED)
def test_reference_has_what_a_shipped_policy_asks_of_hosts(name):
    section, data = shipped(name)
    for kind, names in data["passthrough"]["allow"].items():
        text = ", ".join(f"``{each}``" for each in names) or "none"
        assert f"- ``passthrough.allow.{kind}``: {text}\n" in section
    required = ", ".join(
        f"``{each}``" for each in data["passthrough"]["require"]
    )
    assert f"- ``passthrough.require``: {required}\n" in section
    for key, mode in data["moves"].items():
        assert f"- ``moves.{key}``: ``{mode}``\n" in section


def test_pages_include_what_the_extension_writes(tmp_path):
    reference = extension()
    reference.write(tmp_path)
    written = {path.name for path in (tmp_path / reference.FOLDER).iterdir()}
    included = re.findall(
        rf"include:: \.\./{reference.FOLDER}/(\S+)",
        "".join(page.read_text(encoding="utf-8") for page in PAGES),
    )
    assert sorted(included) == sorted(written)


def keys(part):
    """Yield every key that a policy file can have, but names of kinds."""
    for name, value in part.get("properties", {}).items():
        if name not in KINDS:
            yield name
        if name != "rules":
            yield from keys(value)
    if "items" in part:
        yield from keys(part["items"])


def test_reference_explains_every_key():
    text = words(REFERENCE)
    unsaid = {name for name in keys(SCHEMA) if f"``{name}``" not in text}
    assert unsaid == set()


@pytest.mark.parametrize(
    "word",
    [
        PASSTHROUGH_ALLOW,
        PASSTHROUGH_REQUIRE,
        HOSTS_REQUIRE,
        FLAVOR_REQUIRE,
        *PORTS,
    ],
)
def test_reference_names_what_is_judged_of_hosts(word):
    assert f"``{word}``" in words(REFERENCE)


def test_reference_shows_the_errors_of_a_policy(tmp_path):
    (broken,) = [
        each for each in blocks(REFERENCE, "yaml") if "virtoi" in each
    ]
    path = tmp_path / "policy.yaml"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(PolicyError) as error:
        document.load(str(path))
    problems = [
        str(each).removeprefix(f"{tmp_path}/") for each in error.value.problems
    ]
    assert " ".join(problems) in words(REFERENCE)


def test_the_table_of_presets_and_images_is_what_they_come_to():
    path = ROOT / "tests" / "data" / "image-properties.json"
    images = json.loads(path.read_text(encoding="utf-8"))
    public = {each["name"] for each in images if "osism" in each["origin"]}
    rows = {}
    for name in document.SHIPPED:
        passed = [
            each["name"] in public
            for each in images
            if not judged(
                name, each["properties"], each["disk_format"]
            ).refusals
        ]
        rows[name] = sum(passed), len(passed) - sum(passed)
    text = REFERENCE.read_text(encoding="utf-8")
    shown = re.findall(r"^``(\w+)`` +(\d+) pass +(\d+) pass$", text, re.M)
    assert {name: (int(a), int(b)) for name, a, b in shown} == rows
    assert rows["scs"][0] == len(public) == 19
    assert rows["strict"] == (0, 0)


def test_the_optional_rules_of_strict_can_be_taken_over(tmp_path):
    text = Path(document.shipped("strict")).read_text(encoding="utf-8")
    rules = text.partition("\n#guest_devices:\n")[2]
    taken = "\n".join(line.removeprefix("#") for line in rules.splitlines())
    path = tmp_path / "policy.yaml"
    path.write_text(
        f'version: "1"\nextends: strict\nguest_devices:\n{taken}\n'
    )
    policy = document.load(str(path))
    optional = (
        *OF_FILE,
        "firmware_type",
        "secure_boot",
        "mem_encryption",
        "mem_encryption_model",
        "tpm_secret_security",
    )
    # None of them holds by itself.
    strict = document.load(document.shipped("strict")).guest_devices
    for kind in optional:
        assert policy.guest_devices[kind] != strict.get(kind)
    given = {
        "hw_firmware_type": "uefi",
        "os_secure_boot": "required",
        "hw_mem_encryption": "true",
        "hw_mem_encryption_model": "amd-sev-snp",
        "img_signature": "c2lnbmVk",
        "img_signature_certificate_uuid": str(uuid.UUID(int=1)),
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": "RSA-PSS",
    }
    request = image_reader.read(given)
    judged_kinds = {
        item.choice.kind
        for item in evaluate(
            policy, request, Subject(UPLOAD), date(2026, 1, 1)
        ).refusals
    }
    assert not judged_kinds & set(optional)
    for name, value in (
        ("hw_firmware_type", "bios"),
        ("os_secure_boot", "optional"),
        ("hw_mem_encryption", "false"),
        ("hw_mem_encryption_model", "amd-sev"),
        ("img_signature_hash_method", "SHA-224"),
        ("img_signature_key_type", "DSA"),
        ("img_signature", ""),
    ):
        result = evaluate(
            policy,
            image_reader.read({**given, name: value}),
            Subject(UPLOAD),
            date(2026, 1, 1),
        )
        rules = {item.choice.kind for item in result.refusals}
        assert rules & set(optional), name
    empty = evaluate(
        policy, image_reader.read({}), Subject(UPLOAD), date(2026, 1, 1)
    )
    missing = {item.choice.kind for item in empty.refusals}
    assert {"firmware_type", "secure_boot", "mem_encryption"} <= missing
    assert missing >= set(OF_FILE)
