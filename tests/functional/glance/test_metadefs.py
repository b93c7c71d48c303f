# SPDX-License-Identifier: Apache-2.0
"""openstack vhard policy metadefs, on Glance's own definitions."""

import functools
import json
import os
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_vhard.osc.policy.definitions import MARK
from tests.functional.glance import identity, keystone
from tests.functional.glance.shell import Command
from tests.functional.glance.test_image_audit import rows_of
from tests.functional.glance.wire import User, Wire

POLICY = """
version: "1"
guest_devices:
  disk_bus: {allow: [virtio, scsi]}
  cdrom_bus: {allow: [sata]}
  video_model: {allow: []}
  rng_model: {allow: [virtio]}
  machine_type: {allow: ["pc-q35-*"]}
  tpm_model: {allow: ["tpm-*"]}
  vif_model: {allow: [lan9118, virtio]}
"""
LIBVIRT = "OS::Compute::LibvirtImage"
BUS = (LIBVIRT, "hw_disk_bus")
COMMAND = ("vhard", "policy", "metadefs")
OPTION = "--policy=policy.yaml"
ROOT = "/v2/metadefs/namespaces"


#: Of those that Glance ships: libvirt's, another hypervisor's, and others.
FILES = (
    *("compute-libvirt", "compute-libvirt-image", "compute-vtpm-hw"),
    *("compute-randomgen", "compute-vmware", "glance-common-image-props"),
    *("cim-storage-allocation-setting-data", "operating-system"),
)


def load(folder: Path, *options: bool) -> None:
    """Load the definitions, as glance-manage db_load_metadefs does."""
    from glance.db.sqlalchemy import api, metadata

    metadata.db_load_metadefs(api.get_engine(), str(folder), *options)


@pytest.fixture(scope="module")
def loaded(directory: Path) -> Path:
    """Give a folder of definitions that Glance has loaded."""
    folder = directory / "metadefs"
    folder.mkdir()
    shipped = Path(sys.prefix) / "etc" / "glance" / "metadefs"
    for name in FILES:
        shutil.copy(shipped / f"{name}.json", folder)
    load(folder)
    return folder


@pytest.fixture
def member(
    loaded: Path, tmp_path: Path, plain: User, monkeypatch: pytest.MonkeyPatch
) -> User:
    """Give the user, with a policy in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return plain


@pytest.fixture
def admin(member: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """Let everybody be an administrator."""
    roles = "admin,member,reader"
    as_admin = functools.partial(identity.token, roles=roles)
    monkeypatch.setattr(keystone.identity, "token", as_admin)
    return replace(member, roles=roles)


def answered(user: User, namespace: str, name: str) -> bytes:
    response = user.send(Wire("GET", f"{ROOT}/{namespace}/properties/{name}"))
    assert response.status_int == 200, response.text
    return bytes(response.body)


def definitions(user: User) -> dict[tuple[str, str], Any]:
    """Return every property's definition.

    In the list of a namespace Glance repeats the name in each property that
    was ever written through its API, regardless of later writes.
    """
    listed = user.send(Wire("GET", f"{ROOT}?limit=100")).json["namespaces"]
    return {
        (entry["namespace"], name): {**definition, "name": name}
        for entry in listed
        for name, definition in user.send(
            Wire("GET", f"{ROOT}/{entry['namespace']}/properties")
        )
        .json["properties"]
        .items()
    }


def test_what_is_offered_and_its_undo(openstack: Command, admin: User) -> None:
    before = definitions(admin)

    def done(*options: str) -> tuple[dict[tuple[str, str], Any], str]:
        status, output = openstack(*COMMAND, *options, "-fjson")
        assert status == 0, output
        rows = rows_of(output)
        return {
            (row["Namespace"], row["Property"]): row for row in rows
        }, output

    # without --yes nothing happens
    rows, _ = done(OPTION)
    assert {row["State"] for row in rows.values()} == {"would be set"}
    assert rows[BUS]["Offered"] == ["scsi", "virtio"]
    assert "ide" in rows[BUS]["Before"]
    assert definitions(admin) == before
    bytes_before = {place: answered(admin, *place) for place in rows}

    # with it just those are changed
    done(OPTION, "--yes", "--journal=kept.json")
    assert stat.S_IMODE(os.stat("kept.json").st_mode) == 0o600
    after = definitions(admin)
    changed = {place for place in before if before[place] != after[place]}
    assert changed == set(rows)
    enums = {
        name: after[LIBVIRT, name]["enum"]
        for place, name in changed
        if place == LIBVIRT
    }
    assert enums == {
        "hw_disk_bus": ["scsi", "virtio"],
        "hw_cdrom_bus": ["sata"],
        "hw_video_model": [],
        "hw_vif_model": ["virtio", "lan9118"],
    } | {name: enums[name] for name in enums.keys() & {"hw_rng_model"}}
    stated = after[BUS]["description"]
    assert stated.endswith(f"{MARK} scsi, virtio.")

    # what it writes is what it finds
    found, output = done(OPTION)
    assert found == {}
    assert output.endswith(
        "\n0 definitions differ from what the policy allows"
    )

    # and the undo restores what the API answers, byte for byte
    for state in ("restored", "as before already"):
        undone, _ = done("--undo=kept.json")
        assert {row["State"] for row in undone.values()} == {state}
        now = {place: answered(admin, *place) for place in rows}
        assert now == bytes_before
    assert definitions(admin) == before


def test_definitions_that_are_loaded_again_are_noticed(
    openstack: Command, admin: User, loaded: Path
) -> None:
    asked = (*COMMAND, OPTION, "--yes")
    assert openstack(*asked, "--journal=kept.json")[0] == 0
    # when an upgrade loads its own: PATH MERGE PREFER_NEW
    load(loaded, True, True)

    # changed definitions are not undone
    _, output = openstack(*COMMAND, "--undo=kept.json", "-fjson")
    assert {row["State"] for row in rows_of(output)} <= {
        "as before already",
        "changed since: left alone",
    }
    # and it can be written again
    assert openstack(*asked, "--journal=more.json")[0] == 0
    assert openstack(*COMMAND, "--undo=more.json")[0] == 0


@pytest.mark.parametrize(
    ("options", "ended", "stated"),
    [
        (("--journal=a.json",), 2, "--journal requires --yes"),
        (("--undo=none.json",), 1, "none.json: cannot be read"),
        (("--undo=policy.yaml",), 1, "policy.yaml: no file that"),
        (("--undo=strange.json",), 1, "was written at elsewhere"),
        (
            (OPTION, "--yes", "--journal=policy.yaml"),
            1,
            "policy.yaml: cannot be written: File exists; nothing was changed",
        ),
        # A member may not change them.
        ((OPTION, "--yes", "--journal=kept.json"), 1, "failed: "),
    ],
)
def test_an_error_is_told_and_nothing_is_done(
    openstack: Command,
    member: User,
    options: tuple[str, ...],
    ended: int,
    stated: str,
) -> None:
    strange = {"metadefs": 1, "cloud": "elsewhere", "properties": []}
    Path("strange.json").write_text(json.dumps(strange))
    before = answered(member, *BUS)
    status, output = openstack(*COMMAND, *options)
    assert (status, "Traceback" in output) == (ended, False)
    assert stated in output
    assert answered(member, *BUS) == before
