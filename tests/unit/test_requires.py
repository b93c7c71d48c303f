# SPDX-License-Identifier: Apache-2.0
"""``requires``: asked of the code that runs, and kept with what it is for."""

import importlib.metadata
import json

import pytest
from packaging.version import Version

from nova_vhard.common.problems import PolicyError
from nova_vhard.policy import document, release
from nova_vhard.policy.watch import PolicyFile
from tests.unit.helpers import write

HEAD = 'version: "1"\n'
NEWER = f'{HEAD}mode: audit\nrequires: ">=1.1"\n'


@pytest.fixture
def versions(monkeypatch):
    """Call with the version that runs, and the one on the disk."""

    def are(running, installed):
        monkeypatch.setattr(release, "RUNNING", running and Version(running))
        on_disk = installed and Version(installed)
        monkeypatch.setattr(release, "installed", lambda: on_disk)

    return are


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


def texts(path):
    """Return what is wrong with a policy file, each with its line."""
    with pytest.raises(PolicyError) as caught:
        document.load(str(path))
    return [(each.line, each.message) for each in caught.value.problems]


def test_what_runs_is_what_was_installed_when_it_began():
    assert release.installed() == release.RUNNING
    assert release.RUNNING.base_version == str(release.RUNNING)
    assert release.restart() == ""


def test_without_metadata_nothing_is_known(monkeypatch):
    monkeypatch.setattr(release, "_NAME", "no-such-package-of-ours")
    assert release.installed() is None
    assert release.restart() == ""


@pytest.mark.parametrize(
    "metadata", [None, b"", b"Version:\n", b"Version: x y\n", b"\xff\xfe\n"]
)
def test_metadata_that_are_being_written_say_nothing(
    monkeypatch, tmp_path, path, metadata
):
    """Then what is wrong with a policy is said all the same."""
    folder = tmp_path / "half_written-1.0.dist-info"
    folder.mkdir()
    if metadata is not None:
        (folder / "METADATA").write_bytes(metadata)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(release, "_NAME", "half-written")
    assert release.installed() is None
    write(path, f"{HEAD}mode: enforced\n")
    ((line, text),) = texts(path)
    assert line == 2 and "enforced" in text


def test_half_written_metadata_may_be_a_key_error(monkeypatch):
    """As where importlib_metadata has been imported, and reads them."""

    def version(name):
        raise KeyError("Version")

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert release.installed() is None


@pytest.mark.parametrize(
    ("running", "installed", "expected"),
    [
        (
            "1.0.0",
            "1.0.0",
            [
                (
                    3,
                    "this policy needs nova-vhard '>=1.1' and 1.0.0 is "
                    "installed; upgrade the package on this host first",
                )
            ],
        ),
        (
            "1.0.0",
            "1.0.5",
            [
                (
                    1,
                    "this process runs nova-vhard 1.0.0, and 1.0.5 is "
                    "installed by now; restart it",
                ),
                (
                    3,
                    "this policy needs nova-vhard '>=1.1' and 1.0.5 is "
                    "installed; upgrade the package on this host first",
                ),
            ],
        ),
        (
            "1.0.0",
            "1.1.0",
            [
                (
                    1,
                    "this process runs nova-vhard 1.0.0, and 1.1.0 is "
                    "installed by now; restart it",
                ),
                (
                    3,
                    "this policy needs nova-vhard '>=1.1' and this process "
                    "runs 1.0.0",
                ),
            ],
        ),
        (
            None,
            None,
            [
                (
                    3,
                    "this policy needs nova-vhard '>=1.1' and none is "
                    "installed; upgrade the package on this host first",
                )
            ],
        ),
    ],
    ids=["too old", "still too old", "not restarted", "unknown"],
)
def test_a_version_that_does_not_do(
    versions, path, running, installed, expected
):
    write(path, NEWER)
    versions(running, installed)
    assert texts(path) == expected


def test_a_package_that_is_replaced_beneath_a_service(versions, path):
    """The code that runs is the old one, whatever is on the disk."""
    versions("1.0.0", "1.0.0")
    file = PolicyFile(write(path, f"{HEAD}mode: warn\n"))
    file.current()
    versions("1.0.0", "1.1.0")
    write(path, NEWER)
    assert file.current().mode == "warn"
    assert "restart it" in str(file.error)


@pytest.mark.parametrize("installed", ["1.0.0", None])
def test_a_package_that_goes_leaves_the_service_as_it_is(
    versions, path, installed
):
    versions("1.1.0", installed)
    write(path, NEWER)
    assert document.load(str(path)).mode == "audit"


def test_any_fault_of_a_service_that_was_not_restarted_says_so(versions, path):
    """As where a shipped policy has what only the new one knows."""
    versions("1.0.0", "1.1.0")
    write(path, f"{HEAD}something_new: 1\n")
    assert [line for line, _ in texts(path)] == [1, 2]


@pytest.fixture
def chain(tmp_path, path):
    """A policy that extends another; each needs a version."""
    write(tmp_path / "base.yaml", f'{HEAD}requires: ">=1.1"\n')
    text = f'{HEAD}requires: ">=1.0,<2"\nextends: base.yaml\n'
    return write(path, text)


def test_versions_that_two_files_need_add_up(versions, chain):
    versions("1.1.0", "1.1.0")
    data, _ = document.effective(chain)
    assert data["requires"] == "<2,>=1.0,>=1.1"
    tree, files = document.merged(chain)
    assert (tree["requires"].file, tree["requires"].line) == (files[0], 2)


@pytest.mark.parametrize("own", ["", 'requires: ">=1.0"\n'])
@pytest.mark.parametrize("base", ["", 'requires: ">=1.0"\n'])
def test_what_one_file_needs_is_left_as_it_is_written(
    versions, tmp_path, path, own, base
):
    versions("1.1.0", "1.1.0")
    write(tmp_path / "base.yaml", f"{HEAD}{base}")
    write(path, f"{HEAD}{own}extends: base.yaml\n")
    data, _ = document.effective(str(path))
    assert data.get("requires") == (">=1.0" if own or base else None)


def test_a_copy_that_a_newer_version_kept_is_none_of_an_older_one(
    versions, chain, tmp_path
):
    """Also where the outermost file is content with the older one."""
    state = tmp_path / "state" / "policy.json"
    versions("1.1.0", "1.1.0")
    PolicyFile(chain, str(state)).current()
    versions("1.0.0", "1.0.0")
    kept = json.loads(state.read_text())
    with pytest.raises(PolicyError, match="needs nova-vhard"):
        document.restore(kept["data"], str(state))


def test_what_all_files_require_fits_into_the_copy(path):
    """Else the copy would be refused for its length, when it is needed."""
    base = path.with_name("base.yaml")
    for file, major in ((base, 8), (path, 9)):
        spec = ",".join(f"!={major}.{minor}" for minor in range(30))
        write(file, f'{HEAD}requires: "{spec}"\n')
    document.load(str(path))
    with path.open("a") as policy:
        policy.write("extends: base.yaml\n")
    text = "is longer than 255 characters, all files together"
    assert texts(path) == [(2, text)]
