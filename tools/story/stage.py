# SPDX-License-Identifier: Apache-2.0
"""Objects and users of the story's steps, and the check of results."""

import datetime
import traceback

from cloud import clients, place, policies, users
from story import cleaner, telling
from story.telling import NotAsTold, Outcome

_EXEMPTION = """\
exemptions:
  - id: heritage-router
    reason: the vendor's router image has no virtio driver
    projects: ["{project}"]
    rules:
      guest_devices.disk_bus: [ide]
      guest_devices.machine_type: [pc]
    until: {until}
"""


class Stage:
    """Objects that the steps share.

    :ivar member: clients of a tenant like any other
    :ivar heritage: clients of a tenant with an exemption
    :ivar admin: clients of the administrator
    :ivar images: images that later steps need, by a short name
    :ivar servers: likewise servers
    :ivar fix: the last refusal that suggests a command
    :ivar fleet: table of the hosts, to be printed below that of the steps
    :ivar counted: figures of the walk, by name
    """

    def __init__(self, cloud):
        self.cloud, self.facts = cloud, cloud.facts
        self.member, self.heritage, self.admin = (
            clients.Client(cloud.facts, user)
            for user in (users.MEMBER, users.HERITAGE, users.ADMIN)
        )
        self.cleaner = cleaner.Cleaner(cloud.facts)
        self.images, self.servers, self.counted = {}, {}, {}
        self.fix = self.fleet = ""
        self.decisions = place.Events(cloud.place).new

    def policy(self, text):
        """Replace the policy file. Nothing is started again."""
        policies.write(self.cloud.place.policy, text)

    def enforce(self, rules="", mode="enforce"):
        """Write baseline with one project's exemption, and more rules."""
        # No date in this file can be in the future for ever.
        until = datetime.date.today() + datetime.timedelta(days=90)
        project = self.heritage.project
        exemption = _EXEMPTION.format(project=project, until=until)
        self.policy(f"{policies.BASELINE}mode: {mode}\n{rules}{exemption}")

    def play(self, step):
        """Play a step; a failure of any kind is an Outcome not as told."""
        self.decisions()
        try:
            return step.play(self)
        except NotAsTold as problem:
            return Outcome("", str(problem), False)
        except Exception as error:
            with open(self.cloud.place.logs / "story.log", "a") as out:
                print(step.title, traceback.format_exc(), sep="\n", file=out)
            return Outcome("", f"{type(error).__name__}: {error}", False)

    def refused(self, gate, text, *names):
        """Judge a refusal.

        :param gate: the gate that must have answered, as events name it
        :param text: the explanation as the user sees it
        :param names: rules that must have been broken, and words that the
            explanation must have
        """
        telling.expect(text, *(name for name in names if "." not in name))
        rules = {name for name in names if "." in name}
        for event in self.decisions():
            if (event["gate"], event["outcome"]) == (gate, "refuse"):
                if lacking := rules - set(event["rules"]):
                    raise NotAsTold(f"the event lacks {sorted(lacking)}")
                return Outcome(telling.GATES[gate], text)
        raise NotAsTold(f"no decision event of {gate} refuses it: {text}")

    def passed(self, text, outcome, *gates):
        """Judge that something was let through.

        :param text: what came of it
        :param outcome: what an event of each of the gates must say; without
            gates there are no events
        """
        if not self.facts.gates:
            return Outcome("none", text)
        seen = {(each["gate"], each["outcome"]) for each in self.decisions()}
        if {(gate, outcome) for gate in gates} - seen:
            raise NotAsTold(f"not all of {gates} say {outcome}; {text}")
        if any(said == "refuse" for _, said in seen):
            raise NotAsTold(f"an event says refuse: {seen}; {text}")
        names = ", ".join(telling.GATES[gate] for gate in gates)
        return Outcome(f"{names}: {outcome}", text)

    def landed(self, server, machine, status="ACTIVE"):
        """Judge where a server is; return a sentence about it."""
        text = telling.shown(server, status)
        host = self.admin.host(server)
        if host != machine.name:
            raise NotAsTold(
                f"not refused: server {server.name} is on {host}, which has "
                "not passed iommu"
            )
        return f"{text} on {host}"
