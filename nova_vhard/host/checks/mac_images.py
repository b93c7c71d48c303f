# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-22: images carry the label of their guest, or the rest label."""

from nova_vhard.host import guests, mac, selinux
from nova_vhard.host.check import Answer, Check, Status
from nova_vhard.host.domains import Disk, Domain
from nova_vhard.host.host import Host
from nova_vhard.host.words import shown

_GOOD = Answer(Status.PASS, "")

_OWN = "svirt_image_t"
_READONLY = "virt_content_t"

# What an image has while no guest uses it.
_REST = "virt_image_t"

# The host's own node of a device. libvirt labels another node of it, which it
# makes in the guest's mount namespace; no guest may open this one.
_NODE = "fixed_disk_device_t"


class MacImages(Check):
    """The images of running guests have labels that keep other guests out.

    ==============  ======================================================
    PASS            each has its guest's categories, the read-only, the
                    shareable or the rest label; or no guest runs, and
                    ``mac_confinement`` passes
    FAIL            one has another label, or libvirt has no security driver
    UNKNOWN         no answer of libvirt, or a label cannot be read
    NOT_APPLICABLE  AppArmor, which gives images no labels
    ==============  ======================================================
    """

    name = "mac_images"

    def answer(self, host: Host, evidence: list[str]) -> Answer:
        """Judge the labels of the images that libvirt names."""
        found = mac.driver(host, evidence)
        if not found:
            text = "libvirt has no security driver that labels images"
            return Answer(Status.FAIL, text)
        if mac.SELINUX not in found:
            text = "AppArmor labels no images: profiles name their paths"
            return Answer(Status.NOT_APPLICABLE, text)
        running = host.libvirt.running()
        if not running:
            return mac.nobody(host, evidence)
        labels = {
            one.uuid: selinux.parse(one.label)
            for one in guests.table(host.root).guests
        }
        judged = {
            one.uuid: _domain(host, one, labels, evidence) for one in running
        }
        # What ended meanwhile has no label of its own any more.
        still = {one.uuid for one in host.libvirt.running()}
        answers = [one for uuid in still & set(judged) for one in judged[uuid]]
        answer = mac.settle(answers)
        if answer.status is Status.PASS:
            text = f"images with a label that is due: all {len(answers)}"
            return Answer(Status.PASS, text)
        return answer


def _domain(
    host: Host,
    domain: Domain,
    labels: dict[str, selinux.Label | None],
    evidence: list[str],
) -> list[Answer]:
    if domain.elsewhere:
        evidence.append(
            f"{shown(domain.name)}: {domain.elsewhere} disks without a path "
            "on the host"
        )
    guest = labels.get(domain.uuid)
    return [
        mac.attempt(_image, host, domain, disk, guest, evidence)
        for disk in domain.disks
    ]


def _image(
    host: Host,
    domain: Domain,
    disk: Disk,
    guest: selinux.Label | None,
    evidence: list[str],
) -> Answer:
    text = selinux.file_label(host.root, disk.path)
    kind = "shareable" if disk.shareable else "read-only"
    kind = kind if disk.shareable or disk.readonly else "its own"
    whose = f"{shown(domain.name)}, {kind}"
    line = f"{shown(disk.path, 200)}: {shown(text, 100)} ({whose})"
    label = selinux.parse(text)
    answer = _judge(disk, label, guest)
    if answer[0] is Status.PASS:
        evidence.append(line)
    else:
        evidence.insert(0, line)
    return answer


def _judge(
    disk: Disk, label: selinux.Label | None, guest: selinux.Label | None
) -> Answer:
    path = shown(disk.path)
    if label is None:
        return Answer(
            Status.UNKNOWN, f"the label of {path} is none of SELinux"
        )
    if label.type in _common(disk) and not label.categories:
        return _GOOD
    if label.type != _OWN:
        return Answer(Status.FAIL, f"{path} has the label {shown(label.type)}")
    if not label.categories:
        return Answer(Status.FAIL, f"every guest may write {path}")
    if guest is None:
        return Answer(
            Status.UNKNOWN, f"the guest of {path} is not seen in procfs"
        )
    if label.categories != guest.pair:
        return Answer(
            Status.FAIL, f"{path} has the categories of another guest"
        )
    return _GOOD


def _common(disk: Disk) -> tuple[str, ...]:
    """Return the types that a disk may have without categories."""
    if disk.shareable:
        return _OWN, _REST
    if disk.readonly:
        return _READONLY, _REST
    return (_REST, _NODE) if disk.block else (_REST,)
