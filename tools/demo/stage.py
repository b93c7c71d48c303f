# SPDX-License-Identifier: Apache-2.0
"""What the steps of the story play with, and who plays and judges them."""

import traceback

from common import events
from demo import cleaner, clients, identity, policies, reporters, telling


class Stage:
    """What the steps play with.

    :ivar alice: clients of a tenant like any other
    :ivar bob: clients of a tenant with an exemption
    :ivar admin: clients of the administrator
    :ivar reporters: demo.reporters.Reporters
    :ivar cleaner: demo.cleaner.Cleaner of compute1
    :ivar images: images that later steps need, by a short name
    :ivar servers: likewise servers
    :ivar notes: likewise texts
    """

    def __init__(self, cloud):
        self.cloud = cloud
        self.alice = clients.Client(cloud, identity.ALICE)
        self.bob = clients.Client(cloud, identity.BOB)
        self.admin = clients.Client(cloud, identity.ADMIN)
        self.reporters = reporters.Reporters(
            cloud.place, cloud.url("keystone")
        )
        self.cleaner = cleaner.Cleaner(cloud.place, cloud.url("keystone"))
        self.images = {}
        self.servers = {}
        self.notes = {}
        self._events = events.Events(lambda: cloud.logs)

    def policy(self, text):
        """Replace the policy file. Nothing is started again."""
        policies.write(self.cloud.place.policy, text)

    def decisions(self):
        """Give the decision events since this was last asked."""
        return self._events.new()

    def play(self, one):
        """Play a step.

        :returns: Outcome; a failure of any kind is one that is not as told
        """
        self.decisions()
        try:
            told = one.play(self)
        except telling.NotAsTold as problem:
            return telling.Outcome(one.title, "", str(problem), False)
        except Exception as error:
            log = self.cloud.place.logs / "story.log"
            with open(log, "a") as out:
                print(one.title, traceback.format_exc(), sep="\n", file=out)
            text = f"{type(error).__name__}: {error}"
            return telling.Outcome(one.title, "", text, False)
        return telling.Outcome(one.title, told.gate, told.said, True)

    def refused(self, gate, said, *names):
        """Judge a refusal.

        :param gate: the gate that must have answered, as events name it
        :param said: the explanation as the user sees it
        :param names: rules that must have been broken, and words that the
            explanation must have
        """
        telling.expect(said, *(name for name in names if "." not in name))
        rules = {name for name in names if "." in name}
        for event in self.decisions():
            if (event["gate"], event["outcome"]) == (gate, "refuse"):
                broken = rules - set(event["rules"])
                if broken:
                    raise telling.NotAsTold(
                        f"the event lacks {sorted(broken)}"
                    )
                return telling.Told(telling.GATES[gate], said)
        raise telling.NotAsTold(
            f"no decision event of {gate} refuses it: {said}"
        )

    def landed(self, server, machine, status="ACTIVE"):
        """Judge where a server is.

        :param machine: the demo.machines.Machine that it must be on
        :returns: a sentence about it
        """
        said = telling.shown(server, status)
        host = self.admin.host(server)
        if host != machine.name:
            raise telling.NotAsTold(
                f"not refused: server {server.name} is on {host}, which has "
                "not proven its IOMMU"
            )
        return f"{said} on {host}"

    def passed(self, said, outcome, *gates):
        """Judge that something was let through.

        :param said: what came of it
        :param outcome: what an event of each of the gates must say; without
            gates there are no events
        """
        if not self.cloud.gates:
            return telling.Told("none", said)
        found = self.decisions()
        refused = [one for one in found if one["outcome"] == "refuse"]
        if refused:
            raise telling.NotAsTold(f"an event says refuse: {refused[0]}")
        passing = {one["gate"] for one in found if one["outcome"] == outcome}
        if not set(gates) <= passing:
            raise telling.NotAsTold(
                f"not all of {gates} say {outcome}; {said}"
            )
        names = ", ".join(telling.GATES[gate] for gate in gates)
        return telling.Told(f"{names}: {outcome}", said)
