# SPDX-License-Identifier: Apache-2.0
"""A device that guests use, on the real Placement and a captured machine.

A guest leaves a file, ``firmware``, in the device's folder: ``good`` or not.
The steps of these tests repair it and compare it.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
import uuid

from nova_vhard.catalogue import device_words, traits
from nova_vhard.cleaner import journal
from nova_vhard.cleaner.decide import OperatorRequest
from nova_vhard.cleaner.journal import State
from nova_vhard.cleaner.service import Cleaner
from nova_vhard.cleaner.step import Outcome, Step
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.host.pci import pci
from tests import services
from tests.trees import build, capture, functions_at
from tests.unit.helpers import configured

NVME = "0000:02:00.0"
CLASS = "CUSTOM_PCI_1B36_0010"
GROUP = "11"
RULES = """
version: "1"
devices:
  - name: everything
    match: {classes: ["0108"]}
    steps: [{step: repair}, {step: compare}]
"""
#: Of the host's tree, as ``Used.changed`` has it.
RULES_FILE, REMOVED = "/etc/cleaning.yaml", "removed"
DOMAIN = """<domain><uuid>4b1c</uuid><name>g</name><devices>{}</devices>
</domain>"""
ADDRESS = "<address domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>"
HOSTDEV = f"<hostdev type='pci'><source>{ADDRESS}</source></hostdev>"


def domain(devices=HOSTDEV):
    """Return the files of a host on which libvirt runs a guest."""
    return {
        "/CMD/virsh-list": "4b1c\n",
        "/CMD/virsh-dumpxml-4b1c": DOMAIN.format(devices),
    }


class Repair(Step):
    name = "repair"
    priority = 50
    schema = {"type": "object"}

    def __init__(self, used):
        self.used = used

    def run(self, job):
        self.used.firmware.write_text("good")
        return Outcome(True, "repaired")


class Compare(Step):
    """Compare the firmware; ``then`` happens at the end of the first run."""

    name = "compare"
    priority = 10
    schema = {"type": "object"}
    good = "good"

    def __init__(self, used):
        self.used, self.then = used, ""

    def run(self, job):
        result, then = self.used.firmware.read_text(), self.then
        self.then = ""
        self.used.happens(then)
        return Outcome(result == self.good, f"it is {result}", (result,))


class Used:
    """A host with one device, and what Nova and guests do with it.

    Steps run in the process of the cleaner, so that a busy machine cannot
    make them late; set ``isolated`` to have each in a process of its own.
    """

    #: Folder, provider and database with which each test begins.
    _made = None

    def __init__(self, cloud, tmp_path):
        services.skip_before(32, "one_time_use of PCI devices")
        self.cloud, self.base = cloud, tmp_path
        self.isolated = False
        self.root, self.host = str(uuid.UUID(int=1)), "node"
        self.name = f"{self.host}_{NVME.upper()}"
        self.tree = tmp_path / "host"
        self.state = tmp_path / "state"
        Used._made = Used._made or self._make()
        folder, self.provider, database = Used._made
        shutil.copytree(f"{folder.name}/vtd-on", self.tree, symlinks=True)
        cloud.put_back(database)
        self.done, self.process = None, None
        self.conf = self.configured()
        self.steps = {"repair": Repair(self), "compare": Compare(self)}
        self.journal = journal.Journal(str(self.state / "devices"))
        # It has been cleaned here before.
        self.journal.write(
            journal.Record(NVME, provider=self.provider).to(State.RELEASED)
        )

    def _make(self):
        """Make what each test begins with; a test copies it."""
        folder = tempfile.TemporaryDirectory()
        base, wanted = (
            pathlib.Path(folder.name),
            functions_at("00:14|02:", "9"),
        )
        files = {
            "/CMD/virsh-list": "",
            "/proc/2/comm": "kthreadd\n",
            "/proc/2/fd": None,
            "/var/lib/nova/compute_id": self.root,
            "/etc/hostname": f"{self.host}\n",
            RULES_FILE: RULES,
            f"{pci.path(NVME)}/firmware": "good",
        }
        build(pathlib.Path(capture("vtd-on", base, wanted)), files)
        self.cloud.make(uuid=self.root, name=self.host)
        self.cloud.give(self.root, {"COMPUTE_NODE", "CUSTOM_OTHER"})
        self.make_provider()
        return folder, self.provider, self.cloud.copied()

    def configured(self):
        """Return options of a cleaner on this host."""
        return configured(
            cleaner_conf,
            "vhard_cleaner",
            root=str(self.tree),
            state_path=str(self.state),
            run_dir=str(self.base / "run"),
            rules_file=f"{self.tree}{RULES_FILE}",
        )

    def set(self, **options):
        for name, value in options.items():
            self.conf.set_override(name, value, "vhard_cleaner")

    @property
    def firmware(self):
        return pathlib.Path(
            os.path.realpath(f"{self.tree}{pci.path(NVME)}"), "firmware"
        )

    def happens(self, events):
        """Let things happen.

        :param events: names of methods with their arguments, by commas
        """
        for event in filter(None, events.split(", ")):
            name, *arguments = event.split()
            getattr(self, name)(*arguments)

    def during(self, *events):
        """Let things, joined by +, happen while it is compared next."""
        self.steps["compare"].then = " ".join(events).replace("+", ", ")

    def before(self, method, part, *events):
        """Let things happen before the first request of a kind."""
        text = " ".join(events).replace("+", ", ")
        self.cloud.before(method, part, lambda: self.happens(text))

    # What an operator and the host do.

    def spoil(self):
        """Let no cleaning end clean from now on."""
        self.steps["compare"].good = "better"

    def repair(self):
        self.steps["compare"].good = "good"

    def infect(self):
        """A guest that is past Nova."""
        self.firmware.write_text("evil")

    def hold(self):
        """A guest of libvirt's has it, until ``let_go``."""
        build(self.tree, domain())

    def let_go(self):
        build(self.tree, {"/CMD/virsh-list": ""})

    def enable(self, option):
        self.set(**{option: True})

    def keep_reserved(self):
        self.set(keep_reserved=[NVME])

    def disable(self, option):
        self.set(**{option: False})

    def rules(self, old, new):
        """Change the rules."""
        build(self.tree, {RULES_FILE: RULES.replace(old, new)})

    def vanish(self):
        """The device is gone from the host."""
        (self.tree / pci.path(NVME).lstrip("/")).unlink()

    def forget(self):
        """Lose the journal."""
        shutil.rmtree(self.state, ignore_errors=True)

    @contextlib.contextmanager
    def changed(self, files):
        """Change the host for a time.

        :param files: path to text, a mode, or REMOVED
        """
        kept = self.base / "kept"
        shutil.copytree(self.tree, kept, symlinks=True)
        for path, content in files.items():
            place = self.tree / path.lstrip("/")
            if isinstance(content, int):
                place.chmod(content)
            elif content != REMOVED:
                build(self.tree, {path: content})
            else:
                place.rename(self.base / "removed")
        yield
        shutil.rmtree(self.tree)
        kept.rename(self.tree)

    # What Nova does.

    def make_provider(self):
        self.provider = self.cloud.make(
            name=self.name, parent_provider_uuid=self.root
        )
        self.lower()
        self.cloud.give(
            self.provider, {traits.ONE_TIME_USE, "COMPUTE_MANAGED_PCI_DEVICE"}
        )

    def delete_provider(self):
        self.cloud.send("DELETE", f"/resource_providers/{self.provider}")

    def renew(self):
        """Lose the provider with all that it says, and make another one."""
        self.delete_provider()
        self.make_provider()

    def lower(self):
        """As an operator does by hand."""
        self.inventory(reserved=0)

    def double(self):
        """Let the provider have units of another kind as well."""
        self.inventory(0, "PCI_DEVICE")

    def inventory(self, reserved, *more):
        url = f"/resource_providers/{self.provider}"
        result = self.cloud.send("GET", url).json()
        self.cloud.send("PUT", f"/resource_classes/{CLASS}")
        body = {
            "resource_provider_generation": result["generation"],
            "inventories": {
                name: {"total": 1, "reserved": reserved}
                for name in (CLASS, *more)
            },
        }
        self.cloud.send("PUT", f"{url}/inventories", body)

    def boot(self):
        """A guest gets the device; what it does with it is not nice."""
        self.allocate()
        self.inventory(reserved=1)
        self.infect()

    def allocate(self):
        self.consumer = str(uuid.uuid4())
        body = {
            "allocations": {self.provider: {"resources": {CLASS: 1}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        self.cloud.send("PUT", f"/allocations/{self.consumer}", body)

    def delete(self):
        """Delete the last guest."""
        self.cloud.send("DELETE", f"/allocations/{self.consumer}")

    def use(self):
        """A guest comes and goes."""
        self.boot()
        self.delete()

    def candidates(self):
        """Return whether a boot would get the device."""
        url = f"/allocation_candidates?resources={CLASS}:1"
        result = self.cloud.send("GET", url).json()
        return self.provider in result["provider_summaries"]

    def refuse(self, method, part, status="503", text="down"):
        """Placement is down for some requests, until ``answer``."""
        self.cloud.refuse(method, part, int(status), text)

    def answer(self):
        self.cloud.faults.clear()

    def fail(self):
        """The connection to Placement breaks."""
        raise ConnectionError("reset by peer")

    # What the cleaner does.

    def cleaner(self, runtime=None):
        placement, options = self.cloud.placement, self.conf.vhard_cleaner
        cleaner = Cleaner(options, placement, self.steps, runtime)
        if not self.isolated:
            cleaner.isolation.run = lambda step, job: step.run(job)
        return cleaner

    def stay(self):
        """Let one process do the rounds from now on."""
        self.process = self.cleaner()

    def round(self, **more):
        """One round, by default of a process that has just started."""
        self.done = (self.process or self.cleaner()).once(**more)
        return self.done

    def force(self):
        """Release the device by force, on the host."""
        request = OperatorRequest(force="the vendor has looked at it")
        self.round(request=request, only=[NVME])

    @property
    def record(self):
        return self.journal.read(NVME)

    def words(self):
        """Return what is told of the device."""
        ours = self.cloud.traits(self.root)[0]
        result = [device_words.device_of(each) for each in ours]
        return {each[1] for each in result if each and each[0] == NVME}

    def offered(self):
        """Check that a guest can get it."""
        assert self.candidates()

    def reserved(self):
        """Check that no guest can get it."""
        assert not self.candidates()

    def told(self, *words):
        """Check the error of the last round."""
        assert " ".join(words) in f"{self.done.troubles[NVME]}."

    def cleaned_by(self, steps):
        """Check how many steps the last cleaning had."""
        assert len(self.record.steps) == int(steps)

    def is_released(self):
        """Check that it is clean, on offer, and that nothing is told of it."""
        assert self.candidates()
        assert self.firmware.read_text() == "good"
        assert self.record.state is State.RELEASED
        assert not self.words()

    def is_kept(self, word, firmware=""):
        """Check that no guest can get it, and what is told of it.

        :param firmware: that it has; "" for any
        """
        assert not self.candidates()
        assert self.words() == {word}
        assert not firmware or self.firmware.read_text() == firmware

    def ask(self, word, bound=""):
        """Ask through Placement, for this moment by default."""
        generation = self.cloud.traits(self.provider)[1]
        bound = bound or device_words.request_word(word, generation)
        name = device_words.of_device(NVME, bound)
        self.cloud.give(self.root, self.cloud.traits(self.root)[0] | {name})
