# SPDX-License-Identifier: Apache-2.0
"""A simulated compute node: a tree that changes, and its reporter."""

import shutil

from nova_vhard.host import report
from nova_vhard.host.processes.check_process import in_process
from nova_vhard.reporter import hosts
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from nova_vhard.reporter.service import Reporter
from tests.trees import build, pci_host

ASLR = "/proc/sys/kernel/randomize_va_space"
IDENTITY = "/var/lib/nova/compute_id"
REMAPPED = " 24:  0  0  IR-PCI-MSI-0000:00:1f.2  0-edge  ahci\n"
ERRORS = '[["/sys/kernel/iommu_groups", "EACCES"]]'

#: Each is a way for a host to be, of which its checks say different things.
STATES = {
    "proven": {},
    "no iommu": {"unit": None, "groups": {}},
    "identity": {"kind": "identity"},
    "unreadable": {"files": {"/ERRORS.json": ERRORS}},
    "interrupts not remapped": {"files": {"/proc/interrupts": " 24: 0 PCI\n"}},
    "no aslr": {"files": {ASLR: "0\n"}},
    "half aslr": {"files": {ASLR: "1\n"}},
    "aslr unknown": {"files": {ASLR: None}},
    "nothing": {"empty": True},
}
_GROUPS = {"0": ["0000:00:01.0"], "1": ["0000:00:02.0", "0000:00:02.1"]}


class Machine:
    """A host with a reporter in this process.

    :param provider: uuid of its resource provider
    :ivar silent: whether its reporter does not run at the moment
    :ivar published: whether its last report arrived
    """

    def __init__(self, cloud, folder, provider, clock):
        self.provider = provider
        self.silent = False
        self.published = False
        self._folder = folder
        self._clock = clock
        conf = cloud.conf(
            root=str(folder / "root"), state_path=str(folder / "state")
        )
        self._conf = conf
        self.become("proven")
        self._reporter = Reporter(
            conf, [PlacementPublisher(conf)], now=clock, run=in_process
        )
        self._checks = report.load()

    def become(self, state):
        """Change the tree to one of STATES."""
        what = dict(STATES[state])
        self.state = state
        root = self._folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        content = {}
        if not what.pop("empty", False):
            files = what.pop("files", {})
            content = pci_host(**{"groups": _GROUPS, **what})
            content |= {ASLR: "2\n", "/proc/interrupts": REMAPPED, **files}
        build(root, {**content, IDENTITY: self.provider})

    def lose_identity(self):
        """Damage the file that says which provider this is."""
        build(self._folder / "root", {IDENTITY: "?"})

    def report(self):
        """Do one round."""
        self.published = self._reporter.once()

    def proven(self):
        """Return the checks that the tree proves now, asked afresh."""
        host = hosts.of_conf(self._conf)
        result = report.inspect(host, self._clock(), self._checks, in_process)
        return result.passed
