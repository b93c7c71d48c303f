# SPDX-License-Identifier: Apache-2.0
"""No sequence of events puts a device on offer as a guest left it.

Two cleaners with the real journal and the real Placement module over a
Placement of a few dictionaries; guests, crashes, faults, full disks, lost and
damaged journals, operators and Nova's own forgetting come in any order, at
any point of a round. NOVA_VHARD_EXAMPLES=5000 makes a long search of it.
"""

import contextlib
import datetime
import functools
import json
import os
import pathlib
import shutil
import tempfile
from types import SimpleNamespace
from unittest import mock

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nova_vhard.cleaner import device, journal
from nova_vhard.cleaner.decide import OperatorRequest, Settings, Task, Waits
from nova_vhard.cleaner.device import Device
from nova_vhard.cleaner.journal import Journal
from nova_vhard.cleaner.rules import StepRule
from nova_vhard.cleaner.step import Outcome
from nova_vhard.cleaner.usage import Usage
from nova_vhard.host.pci.pci import Kind, PciDevice
from nova_vhard.host.root import HostRoot
from nova_vhard.placement.client import Placement, PlacementError, Provider
from nova_vhard.placement.devices import Offered
from tests import seeds

ADDRESS = "0000:3b:00.0"


ROOT, CLASS = "root", "CUSTOM_CARD"


def answer(status_code, body=None):
    """Return a response with the interface of keystoneauth's."""
    return SimpleNamespace(
        status_code=status_code, text=json.dumps(body), json=lambda: body
    )


class Cloud:
    """An HTTP client for ``Placement`` in a cloud that has one device.

    Generations work as in Placement: each write of an inventory, traits or an
    allocation increments the generation, and a write with an old generation
    is a conflict.

    :ivar before: called with the method and URL before each request
    :ivar after: called with the method and URL after each request
    :ivar on_offer: called when a write puts the device on offer
    """

    def __init__(self):
        self.providers, self.consumers = 0, []
        self.root = {"traits": [], "resource_provider_generation": 1}
        self.before = self.after = lambda method, url: None
        self.on_offer = lambda: None
        self.make()

    # Actions of Nova and of operators.

    def make(self):
        """Create the device's resource provider, or replace it."""
        self.providers += 1
        self.provider = f"provider-{self.providers}"
        self.reserved, self.generation = 0, 1

    def reserve(self, reserved):
        self.reserved = reserved
        self.generation += 1

    def allocate(self, consumer):
        """Return whether a boot got the device."""
        if self.consumers or self.reserved:
            return False
        self.consumers.append(consumer)
        self.generation += 1
        return True

    def free(self):
        self.consumers.clear()
        self.generation += 1

    @property
    def offered(self):
        return not self.consumers and not self.reserved

    # Requests of the cleaner.

    def get(self, url, version):
        return self._answer("GET", url)

    def put(self, url, data, version):
        return self._answer("PUT", url, data)

    def delete(self, url, version):
        return answer(204)

    def _answer(self, method, url, data=None):
        self.before(method, url)
        result = self._carried_out(method, url, data)
        self.after(method, url)
        return result

    def _carried_out(self, method, url, data):
        _, _, uuid, *part = f"{url}///".split("/")
        if url.startswith("/traits?name=in:"):
            # Each name exists.
            return answer(200, {"traits": url.partition(":")[2].split(",")})
        if url.startswith("/traits"):
            return answer(204)
        if uuid not in (ROOT, self.provider):
            return answer(404)
        if part[0] == "traits":
            # A write replaces the traits.
            self.root = {**self.root, **(data or {})}
            return answer(200, self.root)
        body = {"resource_provider_generation": self.generation}
        if part[0] == "allocations":
            body["allocations"] = {each: {} for each in self.consumers}
        elif method == "PUT":
            return self._inventory(data)
        else:
            fields = {"total": 1, "reserved": self.reserved}
            body["inventories"] = {CLASS: fields}
        return answer(200, body)

    def _inventory(self, data):
        if data["resource_provider_generation"] != self.generation:
            return answer(409)
        inventories = data.get("inventories", {CLASS: data})
        self.reserve(inventories[CLASS]["reserved"])
        if self.offered:
            self.on_offer()
        now = {"resource_provider_generation": self.generation}
        return answer(200, data | now)


class Killed(BaseException):
    """Simulate SIGKILL: our code must not catch it."""


class Host:
    """One host and its cleaners: the state that survives a kill.

    :ivar dirty: whether the device contains data of a guest
    :ivar guest: whether a guest is on the host
    :ivar excused: whether another party put the device on offer
    :ivar vouched: whether an operator put the device on offer with force
    :ivar force: whether an operator now vouches for the device
    :ivar trust: whether a device without a journal counts as clean
    :ivar late: whether a guest arrived that the cleaner has not seen yet
    :ivar works: whether the cleaning steps succeed
    :ivar silent: whether libvirt does not answer
    :ivar events: events, and the points of a round at which they happen
    """

    dirty = guest = excused = vouched = force = trust = late = False
    silent = disk_full = False
    works, rules, points = True, "first", 0
    clock = datetime.datetime(2026, 6, 15, tzinfo=datetime.UTC)

    def __init__(self, folder):
        self.folder, self.events = pathlib.Path(folder), {}
        self.cloud = Cloud()
        self.cloud.before = self.cloud.after = self.reach
        self.cloud.on_offer = self.offered

    def reach(self, *place):
        """Be at a point of a round at which anything may happen."""
        self.points += 1
        if event := self.events.pop(self.points, None):
            event()

    def offered(self):
        """Check that the cleaner may put the device on offer."""
        excused = self.force or self.late
        if not excused:
            assert not self.guest, "released while a guest has it"
            assert not self.dirty, "released as a guest left it"
        self.excused = self.vouched = excused

    # The cleaner's view of the host.

    def usage(self, *_):
        self.reach("look")
        if self.guest:
            self.late = False
        if self.silent:
            return Usage(unknown=("libvirt is silent",))
        return Usage(("a domain has it",) if self.guest else ())

    def plan(self, *_):
        if not self.rules:
            raise Waits("RULES", "no rules")
        card = PciDevice(ADDRESS, "1b36", "0010", Kind.PCI)
        steps = (StepRule("wipe", {}, 2, 1.0), StepRule("prove", {}, 1, 1.0))
        return Task(card, steps, self.rules)

    def run(self, step, job):
        self.reach(f"{step} begins")
        if step == "wipe" and self.works:
            self.dirty = False
        self.reach(f"{step} ends")
        return Outcome(not self.dirty, "proven" if not self.dirty else "not")

    def replace(self, path, text, mode=0o600):
        self.reach("before a write")
        if self.disk_full:
            raise OSError(28, "No space left on device")
        part = pathlib.Path(path).with_suffix(".new")
        part.write_text(text)
        part.rename(path)
        self.reach("after a write")

    # Guests.

    def boot(self):
        """A server gets the device, as Nova gives it out."""
        if self.cloud.allocate("server"):
            self.cloud.reserve(1)
            self.guest = self.dirty = True
            self.excused = self.vouched = self.force = False

    def leave(self):
        if self.guest:
            self.guest, self.dirty = False, True
        if self.cloud.consumers:
            self.cloud.free()

    def intrude(self):
        """A guest is started past Nova; only the host shows it.

        What comes and goes between two looks of a round leaves no trace, and
        is what a cleaner cannot see; one that comes between two rounds meets
        the steps of the next.
        """
        if self.cloud.reserved and not self.cloud.consumers:
            self.guest = self.dirty = self.late = True

    def sneak(self):
        """Somebody lowers ``reserved``, and a guest comes and goes."""
        self.lower()
        self.visit()

    def visit(self):
        self.boot()
        self.leave()

    def forget(self):
        """Nova recreates the provider, so every earlier use is lost."""
        if not self.cloud.consumers and (self.known or not self.trust):
            self.cloud.make()
            self.excused = True

    def lower(self):
        """Somebody lowers ``reserved`` by hand.

        Of a use that the cleaner has not seen yet nothing tells it then.
        """
        if not self.cloud.consumers:
            self.cloud.reserve(0)
            self.excused = True
            self.vouched = not (self.known and self.known.dirty)

    @property
    def known(self):
        """The cleaner's record of the device; None without a journal."""
        path = self.folder / "devices" / f"{ADDRESS}.json"
        return Journal(path.parent).read(ADDRESS) if path.exists() else None

    def touch(self):
        """Nova changes something else of the provider."""
        self.cloud.generation += 1

    def kill(self):
        raise Killed

    def fault(self):
        raise ConnectionError("reset by peer")


#: Events, and the points of a round at which they happen.
EVENTS = st.dictionaries(
    #: A round that cleans and releases has 35.
    st.integers(1, 38),
    st.sampled_from(
        (
            *("boot", "visit", "leave", "touch", "fault", "kill", "lower"),
            *("sneak", "intrude"),
        )
    ),
    max_size=2,
)
#: Faults of a host during a round; most rounds have none.
TROUBLES = st.sampled_from(
    ("none",) * 6 + ("disk", "libvirt", "steps", "no rules", "other rules")
)


class Model(RuleBasedStateMachine):
    """One device of one host."""

    @initialize(trust=st.booleans(), automatic=st.booleans())
    def start(self, trust, automatic):
        self.stack = contextlib.ExitStack()
        self.host = Host(self.stack.enter_context(_memory()))
        # Whoever trusts a new device says that it is clean.
        self.trust = self.host.trust = trust
        self.settings = Settings(automatic, 3, trust)
        for place, name, value in (
            (device.usages, "look", self.host.usage),
            (device, "plan", self.host.plan),
            (journal.files, "replace", self.host.replace),
            (journal, "_now", lambda: self.host.clock),
        ):
            self.stack.enter_context(mock.patch.object(place, name, value))
        self.cleaners = [self.cleaner(), self.cleaner()]

    def teardown(self):
        if hasattr(self, "stack"):
            self.stack.close()

    def cleaner(self):
        return functools.partial(
            Device,
            Placement(self.host.cloud),
            HostRoot(str(self.host.folder)),
            None,
            Journal(str(self.host.folder / "devices")),
            lambda: None,
            self.host.run,
            self.settings,
            lambda address, reason: None,
        )

    def round(self, which, happens, trouble="none", request=None):
        """Let a cleaner run a round; return whether it completed.

        :param trouble: fault of the host during the round
        """
        host = self.host
        host.disk_full, host.silent = trouble == "disk", trouble == "libvirt"
        host.works = trouble != "steps"
        host.rules = {"no rules": "", "other rules": "second"}.get(
            trouble, "first"
        )
        host.points, host.late = 0, False
        host.events = {at: getattr(host, name) for at, name in happens.items()}
        offered = Offered(ADDRESS, Provider(host.cloud.provider, "device"))
        try:
            self.cleaners[which](offered).attend(*filter(None, [request]))
        except Killed:
            self.cleaners[which] = self.cleaner()
            return False
        except (PlacementError, OSError):
            return False
        finally:
            host.events, host.force = {}, False
        return True

    @rule(
        which=st.integers(0, 1),
        visited=st.booleans(),
        happens=EVENTS,
        trouble=TROUBLES,
    )
    def cleans(self, which, visited, happens, trouble):
        if visited:
            self.host.visit()
        self.round(which, happens, trouble)

    @rule(which=st.integers(0, 1), trouble=TROUBLES)
    def cleans_in_peace(self, which, trouble):
        host = self.host
        if self.round(which, {}, trouble) and not host.vouched:
            if host.cloud.offered:
                assert not host.dirty, "on offer, dirty, after a quiet round"
            host.excused = False

    @rule(
        which=st.integers(0, 1),
        happens=EVENTS,
        old=st.integers(0, 2),
        what=st.sampled_from(("clean", "release", "force")),
        trouble=TROUBLES,
    )
    def is_asked(self, which, happens, old, what, trouble):
        host = self.host
        generation = host.cloud.generation - old
        wish = {what: "looked at" if what == "force" else True}
        request = OperatorRequest(generation=generation, **wish)
        # Whoever forces vouches for what is reserved at that moment.
        host.force = what == "force" and not old and bool(host.cloud.reserved)
        self.round(which, happens, trouble, request)

    @rule(
        name=st.sampled_from(
            (
                *("boot", "leave", "visit", "touch", "intrude"),
                # As often as all of them.
                *("forget", "lower", "forget", "lower"),
            )
        )
    )
    def others_do(self, name):
        getattr(self.host, name)()

    @rule(which=st.integers(0, 1))
    def restarts(self, which):
        self.cleaners[which] = self.cleaner()

    @precondition(lambda self: not self.trust)
    @rule()
    def loses_its_journals(self):
        shutil.rmtree(self.host.folder / "devices", ignore_errors=True)
        self.cleaners = [self.cleaner(), self.cleaner()]

    @rule(text=st.sampled_from(("", "{}", "[" * 5000, "\x00")))
    def damages_its_journal(self, text):
        place = self.host.folder / "devices" / f"{ADDRESS}.json"
        if place.exists():
            place.write_text(text)

    @rule(days=st.integers(-5000, 5000))
    def clock(self, days):
        self.host.clock += datetime.timedelta(days)

    @invariant()
    def only_others_offer_it_dirty(self):
        host = getattr(self, "host", None)
        if host and host.cloud.offered and not host.excused:
            assert not host.dirty, "on offer as a guest left it"


@contextlib.contextmanager
def _memory():
    """Give a folder that is in memory, where there is one."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield folder


def test_it_is_never_on_offer_as_a_guest_left_it():
    run_state_machine_as_test(
        seed(seeds.SEED)(Model),
        settings=settings(
            max_examples=seeds.examples(40),
            stateful_step_count=30,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
