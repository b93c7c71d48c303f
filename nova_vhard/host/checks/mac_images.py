# SPDX-License-Identifier: Apache-2.0
"""Check-Virt-22: images carry the label of their guest, or the rest label."""

from collections.abc import Mapping

from nova_vhard.host import guests
from nova_vhard.host.check import (
    Answer,
    Check,
    Status,
    failed,
    not_applicable,
    passed,
    unknown,
)
from nova_vhard.host.host import Host
from nova_vhard.host.libvirt.domains import Disk, Domain
from nova_vhard.host.mac import mac, selinux
from nova_vhard.host.root import HostRoot
from nova_vhard.host.sanitized import shown

_GOOD = passed("")

_OWN = "svirt_image_t"
_READONLY = "virt_content_t"

# What an image has while no guest uses it.
_REST = "virt_image_t"

# The host's own node of a device. libvirt labels another node of it, which it
# makes in the guest's mount namespace; no guest may open this one.
_NODE = "fixed_disk_device_t"


#: What the kernel calls a kind of file.
_CLASSES = {True: "blk_file", False: "file"}


class MacImages(Check):
    """The images of running guests have labels that keep other guests out.

    The kernel is asked whether another guest that runs may write one.

    ==============  ======================================================
    PASS            each has its guest's categories, the read-only, the
                    shareable or the rest label, no other guest may write
                    it, and that is enforced; or no guest runs, and
                    ``mac_confinement`` passes
    FAIL            one has another label, another guest may write it,
                    SELinux or a guest's domain is permissive, or libvirt
                    has no security driver
    UNKNOWN         no answer of libvirt or the kernel, or a label cannot
                    be read
    NOT_APPLICABLE  AppArmor, which gives images no labels; or no guest has
                    an image on this host
    ==============  ======================================================
    """

    name = "mac_images"
    id = "Check-Virt-22"
    title = "Images have the correct labels"
    guide = "Labels and categories"
    meaning = (
        "With SELinux, no other guest can access the image of a running "
        "guest, according to its label and to the kernel: each image has "
        "the categories of its guest, or the label for read-only, "
        "shareable or unused images. AppArmor does not label images; see "
        "Check-Virt-21."
    )
    remediation = (
        "Stop the guest, run restorecon on the image, and start the guest: "
        "libvirt then labels the image. On file systems without labels "
        "(NFS without label support, FUSE), SELinux cannot isolate images."
    )

    def answer(self, host: Host) -> Answer:
        """Judge the labels of the images that libvirt names."""
        result = mac.driver(host)
        if not result:
            return failed(
                "libvirt's security driver does not label images",
                mac.NO_DRIVER,
            )
        # virt-aa-helper of libvirt lists the paths in the profile of each
        # guest.
        if mac.SELINUX not in result:
            return not_applicable(
                "AppArmor does not label images: profiles contain their paths"
            )
        running = host.libvirt.running()
        if not running:
            return mac.without_guests(mac.confinement(host))
        # A guest that has just started may be missing in a table that was read
        # before it.
        table = guests.table(host, having={domain.uuid for domain in running})
        labels = {guest.uuid: guest.label for guest in table.guests}
        judged = {
            domain.uuid: _domain(host, domain, labels) for domain in running
        }
        # A guest that has ended has no label any more.
        still = {domain.uuid for domain in host.libvirt.running()}
        answers = [
            answer for uuid in still & set(judged) for answer in judged[uuid]
        ]
        if not answers:
            return not_applicable("no running guest has an image on this host")
        count = len(answers)
        # What the labels promise has to be enforced.
        answers.append(
            mac.attempt(mac.effective, host, mac.SELINUX, labels.values())
        )
        answer = mac.settle(answers)
        if answer.status is Status.PASS:
            return passed(f"all {count} images have the correct label")
        return answer


def _domain(
    host: Host,
    domain: Domain,
    labels: Mapping[str, str],
) -> list[Answer]:
    if domain.elsewhere:
        host.root.note(
            f"{shown(domain.name)}: {domain.elsewhere} disks without a path "
            "on the host"
        )
    return [
        mac.attempt(_image, host, domain, disk, labels)
        for disk in domain.disks
    ]


def _image(
    host: Host,
    domain: Domain,
    disk: Disk,
    labels: Mapping[str, str],
) -> Answer:
    text = selinux.file_label(host.root, disk.path)
    kind = "shareable" if disk.shareable else "read-only"
    kind = kind if disk.shareable or disk.readonly else "its own"
    label = selinux.parse(text)
    guest = selinux.parse(labels.get(domain.uuid, ""))
    answer = mac.settle(
        (
            # Both: categories alone do not tell what the policy's types allow,
            # and the kernel answers for guests that run now only.
            _judge(disk, label, guest),
            _others(host.root, domain, disk, labels, text),
        )
    )
    host.root.note(
        f"{shown(disk.path, 200)}: {shown(text, 100)} "
        f"({shown(domain.name)}, {kind})",
        first=answer.status is not Status.PASS,
    )
    return answer


def _others(
    root: HostRoot,
    domain: Domain,
    disk: Disk,
    labels: Mapping[str, str],
    text: str,
) -> Answer:
    """Ask the kernel whether another guest may write an image."""
    if disk.shareable:
        return _GOOD
    kind = "dir" if disk.folder else _CLASSES[disk.block]
    for uuid, label in labels.items():
        # Its own guest may write it; and only SELinux labels can be asked
        # about.
        if uuid == domain.uuid or not selinux.parse(label):
            continue
        may = selinux.may_write(root, label, text, kind)
        if may:
            return failed(
                f"another guest may write {shown(disk.path)}",
                "Stop the guest, run restorecon on the image, and start "
                "the guest: libvirt then labels the image. On a file "
                "system without labels (NFS without label support, FUSE), "
                "SELinux cannot isolate images.",
            )
        # Of a file the label has decided; of a folder the kernel alone can.
        if may is None and disk.folder:
            return unknown(
                f"it is unknown which guests may write {shown(disk.path)}",
                "Run nova-vhard-reporter check on the host itself: only "
                "its kernel can answer.",
            )
    return _GOOD


def _judge(
    disk: Disk, label: selinux.Label | None, guest: selinux.Label | None
) -> Answer:
    path = shown(disk.path)
    if disk.folder:
        # Whose label an operator chooses: the kernel alone says who may.
        return _GOOD
    if label is None:
        return unknown(f"the label of {path} is not an SELinux label")
    if label.type in _common(disk) and not label.categories:
        return _GOOD
    if label.type != _OWN:
        return failed(f"{path} has the label {shown(label.type)}")
    if not label.categories:
        return failed(f"every guest may write {path}")
    if guest is None:
        return unknown(f"the guest of {path} is not visible in /proc")
    if label.categories != guest.pair:
        return failed(f"{path} has the categories of another guest")
    return _GOOD


def _common(disk: Disk) -> tuple[str, ...]:
    """Return the types that a disk may have without categories."""
    if disk.shareable:
        return _OWN, _REST
    if disk.readonly:
        return _READONLY, _REST
    return (_REST, _NODE) if disk.block else (_REST,)
