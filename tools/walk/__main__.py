# SPDX-License-Identifier: Apache-2.0
"""Audit, fix, quarantine, restore, sync, list and report; count each.

Run by ``tox -e walk``. Each figure that a command prints is compared with one
that was counted apart from it.
"""

import json
import re
import sys

from common import place
from demo import __main__ as demo
from demo import clients, identity, policies, reporters, startup
from demo.machines import MACHINES
from walk import fleet

#: Seconds: hundreds of images are changed, on a machine that may be busy.
_LONG = 900
_POLICY = """\
version: "1"
extends: baseline
mode: {mode}
guest_devices:
  disk_bus: {{allow: [virtio, scsi], replace: {{ide: virtio}}}}
passthrough:
  allow: {{aliases: [gpu, fpga]}}
"""


class Walk:
    """The steps, and how many of them were not as counted."""

    def __init__(self, running):
        self._cloud = running
        self._admin = clients.Client(running, identity.ADMIN)
        self._tenant = clients.Client(running, identity.ALICE)
        self._home = running.place.root / "walk"
        self._home.mkdir()
        self.wrong = 0

    def walk(self):
        """Walk the whole way."""
        made = fleet.make(self._tenant)
        self.policy("audit")
        before = fleet.snapshot(self._admin)
        self.audits(made)
        self.policy("enforce")
        self.mends(made)
        self.goes_back(before)
        self.hosts()
        self.page(made)

    def policy(self, mode):
        """Replace the policy that every gate and command reads."""
        policies.write(self._cloud.place.policy, _POLICY.format(mode=mode))

    def audits(self, made):
        """Know what would break, and nothing changes."""
        rows = self.rows("image", "audit", "--all")
        self.same("images that violate", made.violating, _ids(rows))
        servers = self.rows("server", "audit", "--all-projects")
        old = [one for one in servers if one["Rule"] != "-"]
        self.same("servers that violate", made.servers, _ids(old))

    def mends(self, made):
        """Fix what is safe to fix, and quarantine the rest."""
        fixed = self.rows(
            "image", "audit", "--all", "--fix", "--yes", self.journal("fix")
        )
        self.same("images fixed", made.violating, _ids(fixed))
        left = self.rows("image", "audit", "--all")
        self.same("images left", made.worse, _ids(left))
        gone = self.rows(
            "image",
            "audit",
            "--all",
            "--deactivate",
            "--yes",
            self.journal("quarantine"),
        )
        done = [one for one in gone if one["State"] == "deactivated"]
        self.same("images deactivated", made.active, _ids(done))
        now = fleet.snapshot(self._admin).values()
        status = sum(one["status"] == "deactivated" for one in now)
        self.same("of them, as Glance says", made.active, status)

    def goes_back(self, before):
        """Roll the policy back, and undo everything."""
        self.policy("audit")
        for name in ("quarantine", "fix"):
            path = str(self._home / f"{name}.journal")
            states = {
                one["State"] for one in self.rows("image", "restore", path)
            }
            self.same(f"ways that {name} ended", 1, len(states))
        after = fleet.snapshot(self._admin)
        different = [key for key in before if before[key] != after.get(key)]
        self.same("images that differ", 0, len(different))
        self.same("images in all", len(before), len(after))

    def hosts(self):
        """Prove the hosts, and tell Placement what flavors need."""
        reported = reporters.Reporters(
            self._cloud.place, self._cloud.url("keystone")
        )
        reported.report(*MACHINES)
        rows = self.rows("host", "list")
        fresh = [one for one in rows if one["Status"] == "fresh"]
        self.same("hosts that report", len(MACHINES), len(fresh))
        synced = self.rows("flavor", "sync", "--yes")
        self.same("flavors synced", 2, len(synced))
        audited = self.rows("flavor", "audit")
        good = [one for one in audited if one["State"] == "in sync"]
        self.same("flavors in sync", 2, len(good))

    def page(self, made):
        """Write it all on one page."""
        path = self._home / "report.html"
        self.command("report", "--html", str(path))
        text = path.read_text(encoding="utf-8")
        found = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", text))
        named = sum(one in found for one in self._violating())
        self.same("images on the page", made.violating, named)

    def _violating(self):
        for key, one in fleet.snapshot(self._admin).items():
            if one.get("hw_disk_bus") == "ide":
                yield key

    def journal(self, name):
        """Give the option that names a journal."""
        return f"--journal={self._home / name}.journal"

    def rows(self, *words):
        """Run a command of openstack vhard; return its rows."""
        text = self.command(*words, "-f", "json")
        rows, _ = json.JSONDecoder().raw_decode(text[text.index("[") :])
        return rows

    def command(self, *words):
        """Run a command of openstack vhard; return what it printed."""
        policy = str(self._cloud.place.policy)
        if words[:2] not in (("image", "restore"), ("host", "list")):
            words = (*words, "--policy", policy)
        answer = self._admin.command("vhard", *words, seconds=_LONG)
        if not answer.success:
            raise RuntimeError(f"{' '.join(words)}: {answer.text}")
        return answer.text

    def same(self, what, counted, found):
        """Compare a figure with one that was counted apart from it."""
        good = counted == found
        self.wrong += not good
        mark = "ok" if good else "WRONG"
        print(f"{mark:6} {what}: {counted} counted, {found} found", flush=True)


def _ids(rows):
    return len({one.get("ID") or one.get("Server") for one in rows})


def main():
    """Walk.

    :returns: exit status: 0 when every figure agrees
    :raises processes.Failed: if a service does not start
    """
    progress = demo.Progress()
    try:
        with startup.running(demo.PLACE.root, True, progress) as one:
            walk = Walk(one)
            walk.walk()
    except place.InUse as error:
        print(f"{error}: wait until it has ended", file=sys.stderr)
        return 1
    print(f"{progress.seconds():.0f} seconds; {walk.wrong} figures disagree")
    return 1 if walk.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
