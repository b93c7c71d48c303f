# SPDX-License-Identifier: Apache-2.0
"""Where each value of a policy was said."""

import pytest

from nova_vhard.policy import provenance
from nova_vhard.policy.provenance import Said


class Lines:
    """Lines of a file: as many as a path has names, and ten."""

    @staticmethod
    def of(path):
        return 10 + len(path)


CONTENT = {
    "mode": "warn",
    "guest_devices": {"disk_bus": {"allow": ["virtio", "scsi"]}},
    "exemptions": [{"id": "a", "roles": ["x"]}, {"id": "b"}],
    "projects": [],
}
TREE = {
    "mode": Said("warn", "f", 11),
    "guest_devices": {
        "disk_bus": {"allow": Said(["virtio", "scsi"], "f", 13)}
    },
    "exemptions": [
        {"id": Said("a", "f", 13), "roles": Said(["x"], "f", 13)},
        {"id": Said("b", "f", 13)},
    ],
    "projects": [],
}


def test_each_value_has_its_place():
    assert provenance.tree(CONTENT, "f", Lines) == TREE


def test_a_list_below_the_first_names_is_a_value():
    content = {"hosts": {"projects": ["p"]}, "requires": ["q"]}
    assert provenance.tree(content, "f", Lines) == {
        "hosts": {"projects": Said(["p"], "f", 12)},
        "requires": Said(["q"], "f", 11),
    }


def test_the_content_comes_back():
    assert provenance.plain(TREE) == CONTENT


def test_every_value_with_its_path():
    assert list(provenance.values(TREE)) == [
        (("mode",), TREE["mode"]),
        (
            ("guest_devices", "disk_bus", "allow"),
            TREE["guest_devices"]["disk_bus"]["allow"],
        ),
        (("exemptions", 0, "id"), Said("a", "f", 13)),
        (("exemptions", 0, "roles"), Said(["x"], "f", 13)),
        (("exemptions", 1, "id"), Said("b", "f", 13)),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), "warn"),
        (("mode",), "warn"),
        (("guest_devices",), ["virtio", "scsi"]),
        (("guest_devices", "disk_bus", "allow", 1), ["virtio", "scsi"]),
        (("exemptions", 1), "b"),
        # the next around it
        (("guest_devices", "disk_bus", "mode"), ["virtio", "scsi"]),
        (("exemptions", 2), "a"),
        (("passthrough", "allow"), "warn"),
        (("passthrough", "exemptions"), "warn"),
        (("projects",), None),
    ],
)
def test_what_is_said_at_a_path(path, value):
    place = provenance.find(TREE, path)
    assert (place and place.value) == value
