# SPDX-License-Identifier: Apache-2.0
"""A device that guests use, on the real Placement and a captured machine.

A guest leaves a file, ``firmware``, in the device's folder: ``good`` or not.
The steps of these tests repair it and compare it.
"""

import os
import pathlib
import pickle
import shutil
import signal
import sqlite3
import uuid

from oslo_config import cfg

from nova_vhard.catalogue import device_words, traits
from nova_vhard.cleaner import journal
from nova_vhard.cleaner.service import Cleaner
from nova_vhard.cleaner.step import Outcome, Step
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.host.pci import pci
from tests import services
from tests.functional.placement.conftest import Answer
from tests.trees import build, capture, functions_at

VERSION = "1.39"
NVME = "0000:02:00.0"
CLASS = "CUSTOM_PCI_1B36_0010"
GROUP = "9"
RULES = """
version: "1"
devices:
  - name: everything
    match: {classes: ["0108"]}
    steps: [{step: repair}, {step: compare}]
"""


def firmware(job):
    place = f"{job.root.root}{job.root.real(job.device.path)}"
    return pathlib.Path(place, "firmware")


class Mend(Step):
    name = "repair"
    priority = 50
    schema = {"type": "object"}

    def run(self, job):
        points.reach("repair begins")
        firmware(job).write_text("half")
        points.reach("repair is half through")
        firmware(job).write_text("good")
        points.reach("repair ends")
        return Outcome(True, "repaired")


class Compare(Step):
    name = "compare"
    priority = 10
    schema = {"type": "object"}
    good = "good"

    def run(self, job):
        points.reach("compare begins")
        result = firmware(job).read_text()
        points.reach("compare ends")
        return Outcome(result == self.good, f"it is {result}", (result,))


class Points:
    """Places at which the power may go."""

    def __init__(self):
        self.names, self.last = [], None

    def reach(self, name):
        self.names.append(name)
        if self.last is not None and len(self.names) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


points = Points()


class Used:
    """A host with one device, and what Nova and guests do with it."""

    def __init__(self, cloud, tmp_path, address=NVME):
        services.skip_before(32, "one_time_use of PCI devices")
        self.cloud, self.address = cloud, address
        self.base = tmp_path
        name = f"node-{uuid.uuid4()}"
        self.root = cloud.host(name, {"COMPUTE_NODE", "CUSTOM_OTHER"})
        self.name = f"{name}_{address.upper()}"
        self.tree = pathlib.Path(
            capture("vtd-on", tmp_path, functions_at("00:14|02:", "9"))
        )
        build(
            self.tree,
            {
                "/CMD/virsh-list": "",
                "/proc/2/comm": "kthreadd\n",
                "/proc/2/fd": None,
                "/var/lib/nova/compute_id": self.root,
                "/etc/hostname": f"{name}\n",
            },
        )
        (tmp_path / "cleaning.yaml").write_text(RULES)
        self.conf = cfg.ConfigOpts()
        self.conf([], project="test")
        cleaner_conf.register(self.conf)
        self.set(
            root=str(self.tree),
            state_path=str(tmp_path / "state"),
            run_dir=str(tmp_path / "run"),
            rules_file=str(tmp_path / "cleaning.yaml"),
        )
        self.steps = {"repair": Mend(), "compare": Compare()}
        self.journal = journal.Journal(str(tmp_path / "state/devices"))
        self.make_provider()
        self.firmware.write_text("good")
        # It has been cleaned here before.
        self.journal.write(
            journal.Record(address, provider=self.provider).to(
                journal.State.RELEASED
            )
        )

    def set(self, **options):
        for name, value in options.items():
            self.conf.set_override(name, value, "vhard_cleaner")

    @property
    def firmware(self):
        return pathlib.Path(
            os.path.realpath(f"{self.tree}{pci.path(self.address)}"),
            "firmware",
        )

    # What Nova does.

    def make_provider(self):
        self.provider = str(uuid.uuid4())
        self.send(
            "post",
            "/resource_providers",
            {
                "uuid": self.provider,
                "name": self.name,
                "parent_provider_uuid": self.root,
            },
        )
        self.inventory(reserved=0)
        self.cloud.give(
            self.provider, {traits.ONE_TIME_USE, "COMPUTE_MANAGED_PCI_DEVICE"}
        )

    def delete_provider(self):
        self.send("delete", f"/resource_providers/{self.provider}")

    def inventory(self, reserved):
        url = f"/resource_providers/{self.provider}"
        result = self.cloud._adapter.get(url).json()
        self.send("put", f"/resource_classes/{CLASS}")
        self.send(
            "put",
            f"{url}/inventories",
            {
                "resource_provider_generation": result["generation"],
                "inventories": {CLASS: {"total": 1, "reserved": reserved}},
            },
        )

    def boot(self):
        """A guest gets the device; what it does with it is not nice."""
        consumer = str(uuid.uuid4())
        self.allocate(consumer)
        self.inventory(reserved=1)
        self.firmware.write_text("evil")
        return consumer

    def allocate(self, consumer):
        body = {
            "allocations": {self.provider: {"resources": {CLASS: 1}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        self.send("put", f"/allocations/{consumer}", body)

    def delete(self, consumer):
        self.send("delete", f"/allocations/{consumer}")

    def use(self):
        """A guest comes and goes."""
        self.delete(self.boot())

    def candidates(self):
        """Return whether a boot would get the device."""
        result = self.cloud.get(
            f"/allocation_candidates?resources={CLASS}:1", VERSION
        ).json()
        return self.provider in result["provider_summaries"]

    def send(self, method, url, body=None):
        headers = {"OpenStack-API-Version": f"placement {VERSION}"}
        more = {} if body is None else {"json": body}
        send = getattr(self.cloud._adapter, method)
        response = send(url, headers=headers, **more)
        assert response.status_code < 300, response.text
        return response

    # What the cleaner does.

    def cleaner(self, placement=None, runtime=None):
        return Cleaner(
            self.conf.vhard_cleaner,
            placement or self.cloud.placement,
            self.steps,
            runtime,
        )

    def round(self, **more):
        """One round of a process that has just started."""
        return self.cleaner().once(**more)

    @property
    def record(self):
        return self.journal.read(self.address)

    def words(self):
        """Return what is told of the device."""
        ours = self.cloud.traits(self.root)[0]
        result = [device_words.device_of(each) for each in ours]
        return {each[1] for each in result if each and each[0] == self.address}

    def ask(self, word, generation=None):
        """Ask through Placement, for this moment by default."""
        if generation is None:
            generation = self.cloud.traits(self.provider)[1]
        ours = self.cloud.traits(self.root)[0]
        bound = device_words.request_word(word, generation)
        name = device_words.of_device(self.address, bound)
        self.cloud.give(self.root, ours | {name})

    def kept(self):
        """Return a function that puts Placement and the host back as now."""
        state, copy = self.base / "state", self.base / "state-as-it-was"
        shutil.rmtree(copy, ignore_errors=True)
        if state.exists():
            shutil.copytree(state, copy)
        firmware, provider = self.firmware.read_text(), self.provider
        database = sqlite3.connect(":memory:")
        self.cloud.database().backup(database)

        def back():
            shutil.rmtree(state, ignore_errors=True)
            if copy.exists():
                shutil.copytree(copy, state)
            self.firmware.write_text(firmware)
            self.provider = provider
            database.backup(self.cloud.database())

        return back

    def killed_round(self, last=None, **wish):
        """One round of a process that is killed at a point of it.

        :param last: number of the point; None for none
        :returns: names of the points, without one that killed it
        """
        ours, theirs = os.pipe()
        back, answers = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.close(ours)
                os.close(answers)
                self._be_killed(theirs, back, last, wish)
            finally:
                os._exit(1)
        os.close(theirs)
        os.close(back)
        names = []
        with open(ours, "rb") as asked, open(answers, "wb") as pipe:
            while True:
                try:
                    kind, *rest = pickle.load(asked)
                except EOFError:
                    break
                if kind == "names":
                    names = rest[0]
                    continue
                method, url, version, data = rest
                more = (url, data, version) if method == "put" else None
                result = getattr(self.cloud, method)(*(more or (url, version)))
                pickle.dump((result.status_code, result.text), pipe)
                pipe.flush()
        os.waitpid(pid, 0)
        return names

    def _be_killed(self, theirs, back, last, wish):
        from nova_vhard.placement.client import Placement

        points.names, points.last = [], last
        real = journal.files.replace

        def replace(path, text, mode=0o600):
            points.reach("before a journal is written")
            real(path, text, mode)
            points.reach("after a journal is written")

        journal.files.replace = replace
        with open(theirs, "wb") as out, open(back, "rb") as pipe:
            cleaner = self.cleaner(Placement(Far(out, pipe)))
            # Steps in this process too, so that their points are counted.
            cleaner.isolation.run = lambda step, job: step.run(job)
            cleaner.once(**wish)
            pickle.dump(("names", points.names), out)
            out.flush()
        os._exit(0)


class Far:
    """A Placement in another process, which outlives this one."""

    def __init__(self, out, pipe):
        self.out, self.pipe = out, pipe

    def _ask(self, method, url, version, data=None):
        points.reach(f"before {method} {url}")
        pickle.dump(("ask", method, url, version, data), self.out)
        self.out.flush()
        result = Answer(*pickle.load(self.pipe))
        points.reach(f"after {method} {url}")
        return result

    def get(self, url, version):
        return self._ask("get", url, version)

    def put(self, url, data, version):
        return self._ask("put", url, version, data)

    def delete(self, url, version):
        return self._ask("delete", url, version)
