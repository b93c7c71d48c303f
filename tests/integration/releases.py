# SPDX-License-Identifier: Apache-2.0
"""Another version of nova-vhard than the one that the cloud was started with.

The *later* version is this checkout with what a next minor version may bring:
a check, a kind of device with a rule in the shipped policies, keys in events.
Whatever this version has to do with, it has to do with that one. The *old*
version is this checkout as it is; to try an earlier state of it, name a commit
in ``NOVA_VHARD_OLD``: it is taken out of git.
"""

import configparser
import dataclasses
import importlib.metadata
import os
import pathlib
import shutil
import subprocess

from packaging.version import Version

from cloud import infrastructure, services
from tests.integration.people import restart

_ROOT = pathlib.Path(__file__).parents[2]
_PACKAGE = "nova_vhard"
_ENTRY_POINTS = "entry_points.txt"
#: This version, and the next one.
NOW = Version(Version(importlib.metadata.version("nova-vhard")).base_version)
NEXT = Version(f"{NOW.major}.{NOW.minor + 1}.0")

#: The commit that the old version is taken from; empty for this checkout.
COMMIT = os.environ.get("NOVA_VHARD_OLD", "")

#: The check, and the trait by which a host proves it.
CHECK = "later"
TRAIT = "CUSTOM_VHARD_LATER"
_CHECK = '''\
# SPDX-License-Identifier: Apache-2.0
"""A check of a version to come: passes where iommu does."""

from nova_vhard.host.checks.iommu import Iommu


class Later(Iommu):
    """A check of a version to come."""

    name = "later"
    id = "Check-Virt-99"
'''
_KIND = """\
    DeviceKind(
        name="later_bus",
        title="later bus",
        why="it is an example",
        fix="use another",
        values=("virtio", "ide"),
        image_properties=("hw_later_bus",),
    ),
"""
_RULE = """\
  later_bus:
    allow: [virtio]
    reason: it is an example
"""
#: File to a text, and the text to insert after it.
_NEW = {
    "catalogue/checks.py": ('"Check-Virt-44",\n', '"later": "Check-Virt-99",'),
    "catalogue/devices.py": ("_KINDS = (\n", _KIND),
    "policy/events.py": ('"service": service,\n', '"later": {"a": [1]},'),
    "policy/notify.py": ('VERSION = "1.0"\n', 'VERSION = "1.1"\n'),
    "policy/shipped/baseline.yaml": ("\nguest_devices:\n", _RULE),
}


def later(folder):
    """Make the later version in a folder; return the folder."""
    _copy(folder, NEXT, f"{CHECK} = nova_vhard.host.checks.later:Later\n")
    package = folder / _PACKAGE
    for name, (before, new) in _NEW.items():
        text = (package / name).read_text()
        assert text.count(before) == 1, f"{name} has not one {before!r}"
        (package / name).write_text(text.replace(before, before + new))
    (package / "host/checks/later.py").write_text(_CHECK)
    return folder


def old(folder):
    """Make the old version in a folder; return the folder."""
    if not COMMIT:
        _copy(folder, NOW)
        return folder
    packed = folder.with_suffix(".tar")
    command = ["git", "archive", f"--output={packed}", COMMIT, _PACKAGE]
    subprocess.run([*command, "setup.cfg"], cwd=_ROOT, check=True)
    shutil.unpack_archive(packed, folder, filter="data")
    config = configparser.ConfigParser()
    config.read(folder / "setup.cfg")
    entries = config["options.entry_points"]
    text = "".join(f"[{name}]\n{entries[name]}\n" for name in entries)
    (folder / "setup.cfg").unlink()
    _describe(folder, Version(config["metadata"]["version"]), text)
    return folder


def replace(folder, other):
    """Put another version in the place of one, as a package manager does."""
    for path in folder.iterdir():
        shutil.rmtree(path)
    shutil.copytree(other, folder, dirs_exist_ok=True)


def _copy(folder, version, more=""):
    """Copy this checkout's package as that of a version.

    :param more: lines for the entry points of checks
    """
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_ROOT / _PACKAGE, folder / _PACKAGE, ignore=ignored)
    own = importlib.metadata.distribution("nova-vhard")
    group = "[nova_vhard.host_checks]\n"
    text = own.read_text(_ENTRY_POINTS).replace(group, group + more)
    _describe(folder, version, text)


def _describe(folder, version, entry_points):
    """Write by what Python knows an installed package."""
    about = folder / f"{_PACKAGE}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: nova-vhard\nVersion: {version}\n"
    )
    (about / _ENTRY_POINTS).write_text(entry_points)


class Releases:
    """Daemons of one version and of another, in one cloud.

    :ivar old: folder of the version that is upgraded
    :ivar later: folder of the version that it is upgraded to
    :ivar versions: name of a daemon to the folder of its version; the cloud's
        own are not in it
    """

    def __init__(self, cloud, folder):
        folder.mkdir()
        self._cloud = cloud
        self._folder = folder
        self._beside = []
        self.versions = {}
        self.old = old(folder / "old")
        self.later = later(folder / "later")

    def copy_of_old(self):
        """Return another folder with the old version, to be replaced."""
        return shutil.copytree(self.old, self._folder / "replaced")

    def begin(self, name, version):
        """Start a daemon in a version, in the place of the one that runs.

        :param version: folder of the version
        """
        self._cloud.stop(name)
        daemon = services.named(self._cloud.facts, name)
        self._cloud.daemons.start(_of(daemon, version))
        self.versions[name] = version

    def run(self, name, version):
        """Do so, and wait until it listens, if it does."""
        self.begin(name, version)
        service = name.removesuffix("-api")
        if service in self._cloud.facts.ports:
            self._cloud.listening(service)

    def beside(self, service, version):
        """Start an API of another controller; return what to call it.

        It has a state path and a log of its own; policy, databases and
        message bus are those of the first one.
        """
        facts, name = self._cloud.facts, f"second-{service}"
        (facts.ports[name],) = infrastructure.choose_ports([name]).values()
        home = _second_home(facts.place, service, name)
        daemon = services.api(facts, service)
        ports = {str(facts.ports[service]): str(facts.ports[name])}
        command = tuple(ports.get(word, word) for word in daemon.command)
        more = {f"OS_{service.upper()}_CONFIG_DIR": str(home)}
        environment = {**daemon.environment, **more}
        daemon = dataclasses.replace(
            daemon,
            name=f"{name}-api",
            command=command,
            environment=environment,
        )
        self._cloud.daemons.start(_of(daemon, version))
        self._beside.append(daemon.name)
        return name

    def end(self):
        """Stop the second APIs; the others are the cloud's own again."""
        self._cloud.daemons.stop(*self._beside)
        for name, version in self.versions.items():
            if version != self.old:
                restart(self._cloud, name)
        for name in self._beside:
            del self._cloud.facts.ports[name.removesuffix("-api")]


def _of(daemon, version):
    """Return a daemon that runs a version."""
    path = f"{version}:{daemon.environment['PYTHONPATH']}"
    environment = {**daemon.environment, "PYTHONPATH": path}
    return dataclasses.replace(daemon, environment=environment)


def _second_home(place, service, name):
    """Write the configuration of a service on another controller."""
    first, home = place.home(service), place.home(name)
    home.mkdir(mode=0o700)
    api = "nova-api" if service == "nova" else service
    for path in (*first.glob("*.conf"), *first.glob("*.ini")):
        text = path.read_text()
        for before, after in (
            (f"{first}/vhard", f"{home}/vhard"),
            (f"{place.logs}/{api}.log", f"{place.logs}/{name}.log"),
        ):
            text = text.replace(before, after)
        (home / path.name).write_text(text)
    return home
