# SPDX-License-Identifier: Apache-2.0
"""The policy reference has every key, kind, rule and error."""

import json
import re
import uuid
from pathlib import Path

import pytest

from nova_vhard.catalogue.devices import KINDS, OF_FILE
from nova_vhard.catalogue.passthrough import PORTS
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
    TODAY,
    blocks,
    extension,
    judged,
    schema_keys,
    words,
)


def test_pages_include_what_the_extension_writes(tmp_path):
    reference = extension()
    reference.write(tmp_path)
    written = {path.name for path in (tmp_path / reference.FOLDER).iterdir()}
    included = re.findall(
        rf"include:: \.\./{reference.FOLDER}/(\S+)",
        "".join(page.read_text(encoding="utf-8") for page in PAGES),
    )
    assert sorted(included) == sorted(written)


def test_reference_explains_every_key_and_rule():
    text = words(REFERENCE)
    keys = {path[-1] for path in schema_keys(SCHEMA)} - KINDS.keys()
    rules = {PASSTHROUGH_ALLOW, PASSTHROUGH_REQUIRE, FLAVOR_REQUIRE}
    rules |= {HOSTS_REQUIRE, *PORTS}
    unsaid = {name for name in keys | rules if f"``{name}``" not in text}
    assert unsaid == set()


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


OPTIONAL = {
    *OF_FILE,
    *("firmware_type", "secure_boot", "tpm_secret_security"),
    *("mem_encryption", "mem_encryption_model"),
}
GOOD = {
    "hw_firmware_type": "uefi",
    "os_secure_boot": "required",
    "hw_mem_encryption": "true",
    "hw_mem_encryption_model": "amd-sev-snp",
    "img_signature": "c2lnbmVk",
    "img_signature_certificate_uuid": str(uuid.UUID(int=1)),
    "img_signature_hash_method": "SHA-256",
    "img_signature_key_type": "RSA-PSS",
}


@pytest.fixture(scope="module")
def strictest(tmp_path_factory):
    """Return strict with its optional rules, as the page shows them."""
    text = Path(document.shipped("strict")).read_text(encoding="utf-8")
    rules = text.partition("\n#guest_devices:\n")[2]
    taken = "\n".join(line.removeprefix("#") for line in rules.splitlines())
    path = tmp_path_factory.mktemp("strictest") / "policy.yaml"
    path.write_text(
        f'version: "1"\nextends: strict\nguest_devices:\n{taken}\n'
    )
    return document.load(str(path))


def test_no_optional_rule_of_strict_holds_on_its_own(strictest):
    strict = document.load(document.shipped("strict")).guest_devices
    for kind in OPTIONAL:
        assert strictest.guest_devices[kind] != strict.get(kind)


@pytest.mark.parametrize(
    ("properties", "refused"),
    [
        (GOOD, set()),
        ({**GOOD, "hw_firmware_type": "bios"}, {"firmware_type"}),
        ({**GOOD, "os_secure_boot": "optional"}, {"secure_boot"}),
        ({**GOOD, "hw_mem_encryption": "false"}, {"mem_encryption"}),
        (
            {**GOOD, "hw_mem_encryption_model": "amd-sev"},
            {"mem_encryption_model"},
        ),
        (
            {**GOOD, "img_signature_hash_method": "SHA-224"},
            {"image_signature_hash"},
        ),
        (
            {**GOOD, "img_signature_key_type": "DSA"},
            {"image_signature_key_type"},
        ),
        ({**GOOD, "img_signature": ""}, {"image_signature"}),
        ({}, {*OF_FILE, "firmware_type", "secure_boot", "mem_encryption"}),
    ],
)
def test_the_optional_rules_of_strict(strictest, properties, refused):
    request = image_reader.read(properties)
    verdict = evaluate(strictest, request, Subject(UPLOAD), TODAY)
    kinds = {item.choice.kind for item in verdict.refusals}
    assert kinds & OPTIONAL == refused
