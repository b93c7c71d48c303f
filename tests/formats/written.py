# SPDX-License-Identifier: Apache-2.0
"""One of each thing that outlives a process or goes to another one.

Each is written by the product's own code, from the same content each time.
"""

import datetime
import json
import re
import shutil
from pathlib import Path

from nova_vhard.catalogue import device_words, traits
from nova_vhard.cleaner import journal as devices
from nova_vhard.guard import memory, probe
from nova_vhard.host.check import Result, Status
from nova_vhard.host.host import Host
from nova_vhard.host.nova import nova_facts
from nova_vhard.host.report import HostReport
from nova_vhard.host.root import HostRoot
from nova_vhard.osc.image import journal as images
from nova_vhard.osc.policy import definitions
from nova_vhard.placement import marks
from nova_vhard.policy import document, events, notify
from nova_vhard.policy.subject import UPLOAD, Subject
from nova_vhard.policy.verdict import evaluate
from nova_vhard.policy.watch import PolicyFile
from nova_vhard.reporter.facts import publish
from nova_vhard.reporter.nova_conf import Sources
from nova_vhard.request import image

ROOT = Path(__file__).resolve().parents[2]
ETC = ROOT / "etc" / "nova-vhard"
NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
UNTIL = int(NOW.timestamp()) + 3600
ADDRESS = "0000:3b:00.0"
GUEST = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
IMAGE = "5f3e8b6c-6a55-4b0e-9d0d-3f8a55b0a0c1"
PROVIDER = "f0f1c2a4-5c5c-4a7e-9b43-4bd0e2f60d11"
PROJECT = "8c1f3d5a7b9e4f60a1b2c3d4e5f60718"
CLOUD = "https://image.example/"
#: A digest of rules.
RULES = "ba97f09dd53ad6c7"
#: The key of the marks in these files; no cloud uses it.
KEY = bytes(range(32))
#: Devices of a guest, from its domain.
CHOICES = [
    memory.Choice("disk_bus", "virtio"),
    memory.Choice("pci", None, "1"),
]
#: Image properties that the policy judges.
PROPERTIES = {"hw_disk_bus": "ide", "hw_vif_model": "e1000"}


def write(folder):
    """Write a file of each format into a folder."""
    for part in (_policy, _events, _traits, _node, _cleaner, _journals):
        part(folder)


def _text(path, content):
    path.write_text(f"{json.dumps(content, indent=2)}\n", encoding="utf-8")


def verdict(policy):
    """Return what a policy says of the image."""
    subject = Subject(UPLOAD, project=PROJECT, image=IMAGE)
    return subject, evaluate(
        policy, image.read(PROPERTIES, "qcow2"), subject, NOW.date()
    )


#: Where a host has the files that a guard and a pre-step leave.
ON_HOST = {"guard.json": "run/nova-vhard-guard", "nova.json": "run/nova-vhard"}


def on_host(root, *paths):
    """Put such files on a host."""
    for path in paths:
        folder = root / ON_HOST[path.name]
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
    # A capture: no process runs on it.
    (root / "CMD").mkdir()
    return HostRoot(str(root))


def facts(root):
    """Return the facts that a host reads from the file of its pre-step."""
    return nova_facts.read(Host(root, run_dir="/run/nova-vhard"))


def _policy(folder):
    """Write the files of an administrator, and the gate's copy of a policy."""
    for name in ("policy.yaml", "cleaning.yaml.sample", "attested-hosts.yaml"):
        text = (ETC / name).read_text(encoding="utf-8")
        if name != "cleaning.yaml.sample":
            # Each key has an example there.
            text = re.sub(r"^#(?=\S|  )", "", text, flags=re.MULTILINE)
            text = text.replace("hosts: {}", "hosts:")
        path = folder / name.removesuffix(".sample")
        path.write_text(text, encoding="utf-8")
    shutil.copy(ETC / "policy-tests.yaml", folder)
    kept = folder / "last-good-policy.json"
    PolicyFile(str(folder / "policy.yaml"), str(kept)).current()
    content = json.loads(kept.read_text(encoding="utf-8"))
    kept.unlink()
    _text(kept, {**content, "path": "/etc/nova-vhard/policy.yaml"})


def _events(folder):
    """Write a decision as a log line and as a notification."""
    # The gate logs the same text.
    event = events.write(
        "glance-api",
        *verdict(document.load(str(folder / "policy.yaml"))),
        0.000123,
    )
    prefix = f"2026-11-26 12:00:00.000 4711 INFO {events.LOG.name} [-] "
    (folder / "decisions.log").write_text(f"{prefix}{event}\n")
    about = {"version": notify.VERSION, "dropped": 2}
    _text(folder / "notification.json", {**json.loads(event), **about})


def _traits(folder):
    """Write the names of traits, each after its meaning."""
    content = {
        "check iommu": traits.of_check("iommu"),
        "report of 2026-11-26 12 UTC": traits.of_hour(NOW),
        "attested": traits.ATTESTED,
        f"mark of {PROVIDER}": marks.make(KEY, UNTIL, [PROVIDER]).name,
        f"{ADDRESS} HELD": device_words.of_device(ADDRESS, "HELD"),
        f"{ADDRESS} FORCED 17": device_words.of_device(
            ADDRESS, device_words.request_word(device_words.FORCED, 17)
        ),
    }
    _text(folder / "traits.json", content)


def _node(folder):
    """Write what reporter and guard leave for each other."""
    results = (
        Result("iommu", Status.PASS, "it is on", ("dmar0",), None, "01"),
        Result("smt", Status.FAIL, "it is on", (), "Turn it off.", "32"),
    )
    text = HostReport(NOW, results, {"iommu": 0.25, "smt": 0.5}).as_json()
    (folder / "report.json").write_text(f"{text}\n")
    guests = memory.Memory(str(folder), NOW.timestamp)
    guests.keep(GUEST, CHOICES)
    guests.adopt()
    guests.save()
    probe.leave(
        str(folder),
        probe.Proof(True, "libvirt asks the guard"),
        "enforce",
        900.0,
    )
    conf = folder / "nova.conf"
    conf.write_text("[libvirt]\nhw_machine_type = x86_64=q35\n")
    left = publish(Sources([f"--config-file={conf}"]), str(folder), NOW)
    _text(folder / "nova.json", {**left, "files": ["/etc/nova/nova.conf"]})
    conf.unlink()


def _cleaner(folder):
    """Write what is known of a device."""
    record = devices.Record(
        ADDRESS,
        provider=PROVIDER,
        generation=17,
        attempts=1,
        rules=RULES,
        consumers=(GUEST,),
        steps=(
            devices.Done(
                "function_reset", True, "it was reset", ("flr",), 0.5
            ),
        ),
    ).to(devices.State.FAILED, word="ROM_DIGEST", reason="another digest")
    devices.Journal(str(folder)).write(record)


def _journals(folder):
    """Write what an audit of images and of definitions undoes itself by."""
    path = str(folder / "image-audit.journal")
    journal = images.Journal(path, CLOUD, RULES)
    before = {"hw_disk_bus": "ide", "hw_vif_model": None}
    after = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
    journal.add(images.Entry(IMAGE, before, after))
    journal.add(images.Entry(IMAGE, status="active"))
    journal.close()
    change = definitions.Change(
        *("OS::Compute::VirtDisk", "hw_disk_bus"),
        *('{"enum": ["ide", "virtio"]}', {"enum": ["virtio"]}),
    )
    path = str(folder / "metadefs.json")
    definitions.write(path, CLOUD, RULES, [change])
