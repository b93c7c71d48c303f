# SPDX-License-Identifier: Apache-2.0
"""The catalogue of device kinds against the Nova that is installed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from nova.api.validation.extra_specs import validators
from nova.network.model import VNIC_TYPES_DIRECT_PASSTHROUGH
from nova.objects import fields, image_meta
from nova.virt.libvirt import config, driver

from nova_vhard.catalogue import devices, properties
from nova_vhard.policy.subject import START
from nova_vhard.policy.verdict import evaluate
from nova_vhard.request import domain, passthrough
from tests import services
from tests.unit.domain_texts import text
from tests.unit.helpers import TODAY, shipped

FIELDS = image_meta.ImageMetaProps.fields
KINDS = devices.KINDS
IMAGE_KINDS = [
    (kind, name) for kind in KINDS.values() for name in kind.image_properties
]
JUDGED = {name for _, name in IMAGE_KINDS}
TYPES = {
    fields.FlexibleBooleanField: "bool",
    fields.IntegerField: "int",
    fields.StringField: "text",
    # Any text but a UUID is a warning to Nova.
    fields.UUIDField: "text",
}


def test_every_image_property_is_judged_or_has_a_reason_not_to_be():
    assert set(FIELDS) <= JUDGED | set(properties.NOT_DEVICES)
    assert not JUDGED & set(properties.NOT_DEVICES)
    assert all(properties.NOT_DEVICES.values())


@services.needs_nova(services.NEWEST, "names of the catalogue")
def test_the_catalogue_names_no_property_that_nova_does_not_have():
    assert set(FIELDS) == JUDGED | set(properties.NOT_DEVICES)


@pytest.mark.parametrize(
    ("kind", "name"), IMAGE_KINDS, ids=[name for _, name in IMAGE_KINDS]
)
def test_the_values_are_those_that_nova_knows(kind, name):
    if name not in FIELDS:
        pytest.skip(f"this Nova has no {name}")
    field = FIELDS[name]
    known = getattr(field._type, "valid_values", None)
    if known is None:
        assert TYPES[type(field)] == kind.value_type
        return
    assert set(known) <= set(kind.values)
    if services.NOVA >= services.NEWEST:
        assert sorted(known) == sorted(kind.values)
        assert kind.value_type == "enum"


@pytest.mark.parametrize(
    ("kind", "name"), IMAGE_KINDS, ids=[name for _, name in IMAGE_KINDS]
)
def test_every_spelling_is_read_as_nova_reads_it(kind, name):
    if name not in FIELDS:
        pytest.skip(f"this Nova has no {name}")
    for value in (*kind.values, *kind.aliases):
        for spelling in (value, value.upper(), value.title()):
            nova = accepted(FIELDS[name], name, spelling)
            if nova is not None:
                assert kind.canonical(spelling) == nova
            elif services.NOVA >= services.NEWEST:
                assert kind.canonical(spelling) not in kind.values


def accepted(field, name, value):
    """Return the value that Nova reads, None where it reads none."""
    try:
        read = field.coerce(image_meta.ImageMetaProps(), name, value)
    except ValueError:
        return None
    return str(read).lower() if isinstance(read, bool) else str(read)


def test_every_legacy_name_leads_where_nova_leads_it():
    legacy = image_meta.ImageMetaProps._legacy_property_map
    read = JUDGED | {"os_distro", "img_block_device_mapping", "img_mappings"}
    expected = {old: new for old, new in legacy.items() if new in read}

    assert expected.items() <= properties.LEGACY_NAMES.items()
    assert properties.LEGACY_NAMES.items() <= legacy.items()


@pytest.mark.parametrize(
    "name", [name for kind in KINDS.values() for name in kind.extra_specs]
)
def test_every_extra_spec_is_one_that_nova_knows(name):
    if services.NOVA < services.NEWEST and name not in validators.VALIDATORS:
        pytest.skip(f"this Nova has no {name}")
    assert name in validators.VALIDATORS


def test_which_ports_have_no_card_of_a_model():
    assert set(VNIC_TYPES_DIRECT_PASSTHROUGH) == passthrough.DIRECT_VNIC


@pytest.mark.parametrize(
    ("preset", "rules"),
    [("baseline", []), ("strict", ["guest_devices.file_system"])],
)
def test_a_share_in_the_domain_that_nova_writes(preset, rules):
    guest = config.LibvirtConfigGuest()
    share = SimpleNamespace(tag="a")
    nova = SimpleNamespace(_get_share_mount_path=lambda *_: "/var/lib/nova/a")
    driver.LibvirtDriver._guest_add_virtiofs_for_share(
        nova, guest, None, [share]
    )
    (element,) = guest.devices
    read = domain.read(text(element.to_xml()), START, "x86_64")
    alone = replace(read.request, only=frozenset(("file_system",)))
    verdict = evaluate(shipped(preset), alone, read.subject, TODAY)
    assert [each.rule for each in verdict.violations] == rules
    assert not read.request.faults
