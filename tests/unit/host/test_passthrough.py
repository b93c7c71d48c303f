# SPDX-License-Identifier: Apache-2.0
"""The devices that Nova offers: over captured trees, and hand-made ones."""

import itertools
import json
import pathlib
import time

import pytest

from nova_vhard.host import report
from nova_vhard.host.check import Status
from nova_vhard.host.host import Host
from nova_vhard.host.pci.pci import Kind, devices
from nova_vhard.host.root import HostRoot
from tests.trees import (
    DRIVERS,
    FACTS,
    build,
    capture,
    facts,
    functions,
    pci_host,
)

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
NOTHING = Status.NOT_APPLICABLE
CHECKS = {each.name: each for each in report.load()}
NAMES = (
    "passthrough_disabled",
    "passthrough_isolated",
    "passthrough_resettable",
    "passthrough_one_time_use",
)
DISABLED, ISOLATED, RESETTABLE, ONE_TIME = NAMES

#: Of the captured trees.
NVME, NVME_PF, IGB = "0000:00:12.0", "0000:02:00.0", "0000:01:00.0"
E1000E, VIRTIO, LPC = "0000:00:11.0", "0000:00:10.0", "0000:00:1f.2"


def run(name, root, run_dir=Host.run_dir):
    result = CHECKS[name].run(Host(HostRoot(str(root)), run_dir=run_dir))
    assert result.reason
    assert bool(result.remediation) == (result.status in (FAIL, UNKNOWN))
    return result


def answers(root, *where):
    return tuple(run(name, root, *where).status for name in NAMES)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Return captured trees that all tests share, and that stay as they are
    but for facts, which each test has in a folder of its own."""
    folder = tmp_path_factory.mktemp("captures")
    numbers = itertools.count()

    def tree(name, result):
        root, run_dir = capture(name, folder), f"/run/{next(numbers)}"
        add(root, {f"{run_dir}/nova.json": result[FACTS]} if result else {})
        return root, run_dir

    return tree


def add(root, content):
    """Add files to a tree."""
    for path, text in content.items():
        place = pathlib.Path(root, path.lstrip("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if text.startswith("-> "):
            place.symlink_to(text[3:])
        else:
            place.write_text(text)


@pytest.fixture
def vtd_on(tmp_path):
    return capture("vtd-on", tmp_path)


def bind(address, driver="vfio-pci"):
    place = f"/sys/devices/pci0000:00/{address}/driver"
    return {place: f"-> ../../../bus/pci/drivers/{driver}"}


OTU = {"one_time_use": "true"}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], (PASS, NOTHING, NOTHING, NOTHING)),
        ([{"address": "0000:77:00.0"}], (PASS, NOTHING, NOTHING, NOTHING)),
        ([{"address": NVME}], (PASS, PASS, PASS, FAIL)),
        ([{"address": NVME} | OTU], (PASS, PASS, PASS, PASS)),
        # A PF with its VFs: the first entry that covers a device counts.
        ([{"address": IGB} | OTU], (PASS, PASS, PASS, PASS)),
        ([{"product_id": "10CA"}], (PASS, PASS, PASS, NOTHING)),
        (
            [{"address": IGB}, {"product_id": "10c9"} | OTU],
            (PASS, PASS, PASS, FAIL),
        ),
        # No reset of its own.
        ([{"address": VIRTIO} | OTU], (PASS, PASS, FAIL, PASS)),
        # In a group with two functions of the same chip.
        ([{"address": LPC} | OTU], (PASS, FAIL, FAIL, PASS)),
        # All three of them offered.
        ([{"address": "0000:00:1f.*"} | OTU], (PASS, PASS, FAIL, PASS)),
    ],
)  # fmt: skip
def test_captured(shared, entries, expected):
    assert answers(*shared("vtd-on", facts(*entries))) == expected


@pytest.mark.parametrize("tree", ["vtd-off", "none"])
def test_an_offered_device_without_an_iommu(shared, tree):
    where = shared(tree, facts({"address": NVME}))
    for name in (ISOLATED, "iommu", "iommu_strict"):
        result = run(name, *where)
        assert result.status is FAIL
        assert f"{NVME} (1b36:0010, type-PCI)" in " ".join(result.evidence)


def test_what_is_remapped_where_nothing_is_translated(shared):
    assert run("interrupt_remapping", *shared("vtd-off", {})).status is PASS
    where = shared("vtd-off", facts({"address": NVME}))
    result = run("interrupt_remapping", *where)
    assert result.status is FAIL
    assert NVME in result.evidence[0]


def test_types_are_those_that_libvirt_tells(shared):
    """Nova takes them from libvirt's node devices, which were captured."""
    root, _ = shared("vtd-on", {})
    text = pathlib.Path(root, "CMD/virsh-nodedev").read_text()
    given = {}
    for each in text.split("<device>")[1:]:
        place = each.partition("<path>")[2].partition("</path>")[0]
        kind = Kind.PCI
        if "'virt_functions'" in each:
            kind = Kind.PF
        if "'phys_function'" in each:
            kind = Kind.VF
        given[place.rpartition("/")[2]] = kind
    result = {each.address: each.kind for each in devices(HostRoot(root))}
    assert {each: given[each] for each in result} == result
    assert sorted(result.values()).count(Kind.VF) == 4
    assert {each for each in result if result[each] is Kind.PF} == {
        IGB,
        NVME_PF,
    }


@pytest.mark.parametrize(
    "driver", ["vfio-pci", "mlx5_vfio_pci", "nvgrace-gpu-vfio-pci"]
)
def test_bound_to_vfio_and_offered_by_nobody(vtd_on, driver):
    add(vtd_on, facts({"address": E1000E}) | bind(NVME, driver))
    result = run(DISABLED, vtd_on)
    assert result.status is FAIL
    assert result.evidence[0].endswith(f"{NVME}/driver: {driver}")
    add(vtd_on, facts({"address": E1000E}, {"address": NVME}))
    assert run(DISABLED, vtd_on).status is PASS
    add(vtd_on, facts())
    assert run(DISABLED, vtd_on).status is FAIL


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({FACTS: ""}, "Expecting value"),
        ({FACTS: "[]"}, "list indices"),
        ({FACTS: '{"version": 2}'}, "version is not 1"),
        ({FACTS: '{"version": 1, "error": "line 3"}'}, "line 3"),
        ({FACTS: '{"version": 1, "error": 3}'}, "not what belongs"),
        ({FACTS: '{"version": 1}'}, "has no 'DEFAULT'"),
        (facts("{"), "nova-compute does not start with it: Invalid entry"),
        (facts('"x"'), "Expecting list or dict"),
        (facts({"vendor_id": "xyz"}), "does not parse as a hex"),
        (facts({"address": "0000:01:20.0"}), "greater than the maximum"),
        (facts({"address": {"bus": "["}}), "incorrect format"),
        (facts({"address": IGB, "devname": "eth0"}), "exclude each other"),
        (facts({"managed": "perhaps"}), "Cannot parse tag 'managed'"),
        (facts(OTU, report_in_placement=False), "report_in_placement"),
    ],
)
def test_nothing_is_guessed_from_what_nova_refuses(shared, spoilt, reason):
    where = shared("vtd-on", spoilt)
    for name in NAMES:
        result = run(name, *where)
        assert result.status is UNKNOWN
        assert reason in result.reason
    # The whole machine is judged as before, and says so.
    for name in ("iommu", "interrupt_remapping"):
        result = run(name, *where)
        assert result.status is PASS
        text = " ".join(result.evidence)
        assert "not checked individually" in text
        assert reason in text


def test_without_the_facts(shared):
    where = shared("vtd-on", {})
    assert answers(*where) == (UNKNOWN,) * 4
    result = run("iommu", *where)
    assert result.status is PASS
    assert "not checked individually: /run/" in result.evidence[-1]


@pytest.mark.parametrize(
    "path",
    [
        FACTS,
        "/sys/bus/pci/devices",
        "/sys/devices/pci0000:00/0000:00:12.0/vendor",
        "/sys/devices/pci0000:00/0000:00:12.0/physfn",
        "/sys/devices/pci0000:00/0000:00:12.0/sriov_totalvfs",
    ],
)
def test_what_is_unreadable_is_unknown(vtd_on, path):
    add(vtd_on, facts({"address": NVME}))
    add(vtd_on, {"/ERRORS.json": json.dumps([[path, "EACCES"]])})
    if path.endswith("physfn"):
        add(vtd_on, {path: "-> ../0000:00:13.0"})
    if path != FACTS:
        assert run("iommu", vtd_on).status is UNKNOWN
    assert answers(vtd_on) == (UNKNOWN,) * 4


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{NVME}/reset_method", RESETTABLE),
        (f"{NVME}/iommu_group", ISOLATED),
        (f"{NVME}/iommu_group", "iommu"),
        (f"{NVME}/iommu", "iommu"),
        (f"{NVME}/driver", DISABLED),
        ("../../kernel/iommu_groups/6/devices", ISOLATED),
    ],
)
def test_a_link_or_file_that_is_unreadable(vtd_on, path, name):
    add(vtd_on, facts({"address": NVME}))
    assert run(name, vtd_on).status is PASS
    place = f"/sys/devices/pci0000:00/{path}".replace(
        "/sys/devices/pci0000:00/../..", "/sys"
    )
    add(vtd_on, {"/ERRORS.json": json.dumps([[place, "EACCES"]])})
    assert run(name, vtd_on).status is UNKNOWN


CARD, OTHER = "0000:00:10.0", "0000:00:10.1"
HOST = "0000:00:1f.0"
BOOT = {"/proc/cmdline": "quiet\n"}
OFFERED = facts({"address": CARD})
PLACE = "/sys/devices/pci0000:00"


def made(groups, *more, **how):
    content = pci_host(groups, **how) | BOOT | OFFERED
    for each in more:
        content |= each
    return content


def classed(address, number):
    return {f"{PLACE}/{address}/class": f"{number}\n"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (made({"0": [CARD], "1": [HOST]}), PASS),
        (made({"0": [CARD, HOST]}), FAIL),
        # A bridge between buses passes on, and can do nothing by itself.
        (made({"0": [CARD, HOST]}, classed(HOST, "0x060400")), PASS),
        (made({"0": [CARD, HOST]}, classed(HOST, "0x060401")), PASS),
        # So with one that no driver has, and not with one that a driver has.
        (made({"0": [CARD, HOST]}, classed(HOST, "0x060000")), PASS),
        (
            made(
                {"0": [CARD, HOST]},
                classed(HOST, "0x060100") | bind(HOST, "lpc_ich"),
            ),
            FAIL,
        ),
        (made({"0": [CARD, HOST]}, classed(HOST, "0x0c0500")), FAIL),
        (made({"0": [CARD, OTHER]}, facts({"address": "0000:00:10.*"})), PASS),
        # Held by vfio: it does not stay with the host.
        (made({"0": [CARD, OTHER]}, bind(OTHER)), PASS),
        (made({"0": [CARD, OTHER]}, bind(OTHER, "snd_hda_intel")), FAIL),
        # So by another driver's word, which makes it a device of vfio's.
        (
            made(
                {"0": [CARD, OTHER]},
                bind(OTHER, "nvidia"),
                {f"{PLACE}/{OTHER}/vfio-dev/vfio0": None},
            ),
            PASS,
        ),
        # What is no PCI device can be offered by nobody.
        (
            made(
                {"0": [CARD]},
                {"/sys/kernel/iommu_groups/0/devices/ACPI0007:00": "-> /x"},
            ),
            FAIL,
        ),
        # In no group, and in one that vfio makes by itself.
        (made({"0": [HOST]}, functions({CARD: "8086:10d3"})), FAIL),
        (
            made(
                {"0": [CARD]},
                {"/sys/kernel/iommu_groups/0/name": "vfio-noiommu"},
            ),
            FAIL,
        ),
        # Groups that the kernel was told to make.
        (
            made(
                {"0": [CARD]},
                {"/proc/cmdline": "a pcie_acs_override=downstream"},
            ),
            UNKNOWN,
        ),
        (
            made(
                {"0": [CARD]},
                {"/proc/cmdline": '"pcie-acs-override=downstream,id:8086:1"'},
            ),
            UNKNOWN,
        ),
        (
            made(
                {"0": [CARD]},
                {"/sys/firmware/devicetree": None},
                unit="smmu3.0x9050000",
            ),
            PASS,
        ),
        (made({"0": [CARD]}, unit="virtio0"), UNKNOWN),
    ],
)  # fmt: skip
def test_isolated(tmp_path, content, status):
    assert run(ISOLATED, build(tmp_path, content)).status is status


def test_the_members_that_stay_are_named(tmp_path):
    root = build(tmp_path, made({"7": [CARD, HOST]}, bind(HOST, "lpc_ich")))
    assert run(ISOLATED, root).evidence[0] == (
        f"/sys/kernel/iommu_groups/7/devices: {HOST} "
        "(class 0x020000, driver lpc_ich)"
    )


def test_half_a_tree(tmp_path):
    whole = made({"0": [CARD]}, {f"{PLACE}/{CARD}/reset_method": "flr"})
    assert answers(build(tmp_path / "whole", whole)) == (
        PASS, PASS, PASS, FAIL,
    )  # fmt: skip
    for number, (lost, names) in enumerate(
        [
            ("/sys/bus", NAMES),
            (f"{PLACE}/{CARD}/vendor", NAMES),
            # The link leads nowhere.
            (f"{PLACE}/{CARD}", NAMES),
            ("/sys/kernel/iommu_groups", (ISOLATED,)),
            ("/sys/kernel/iommu_groups/0/devices", (ISOLATED, "iommu")),
            ("/proc/cmdline", (ISOLATED,)),
        ]
    ):
        content = {
            path: text
            for path, text in whole.items()
            if not path.startswith(lost)
        }
        root = build(tmp_path / str(number), content)
        for name in names:
            assert run(name, root).status is UNKNOWN, (lost, name)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"reset_method": "flr bus\n"}, PASS),
        ({"reset_method": "pm\n"}, PASS),
        ({"reset_method": "device_specific"}, PASS),
        # Others are on that bus.
        ({"reset_method": "bus\n"}, FAIL),
        ({"reset_method": "bus cxl_bus"}, FAIL),
        # Somebody has emptied it.
        ({"reset_method": "\n"}, FAIL),
        ({"reset_method": "\n", "reset": ""}, FAIL),
        # Kernels before 5.15.
        ({"reset": ""}, PASS),
        ({}, FAIL),
    ],
)
def test_resettable(tmp_path, more, status):
    files = {f"{PLACE}/{CARD}/{name}": text for name, text in more.items()}
    root = build(tmp_path, made({"0": [CARD], "1": [HOST]}, files))
    result = run(RESETTABLE, root)
    assert result.status is status
    assert CARD in result.evidence[0] or status is PASS


def test_a_bus_of_its_own(tmp_path):
    """The kernel lists ``bus`` for a function that it found first."""
    alone, first, second = "0000:01:00.0", "0000:02:00.0", "0000:02:00.1"
    content = functions(dict.fromkeys((alone, first, second), "8086:1"))
    for each in (alone, first, second):
        content[f"/sys/devices/{each}/reset_method"] = "bus\n"
    for address, status in ((alone, PASS), (first, FAIL), (second, FAIL)):
        root = build(tmp_path / address, content | facts({"address": address}))
        assert run(RESETTABLE, root).status is status


NET = "/sys/class/net"


def interface(name, address):
    place = f"/sys/devices/{address}/net/{name}"
    return {
        f"{place}/device": f"-> ../../../{address}",
        f"{NET}/{name}": f"-> ../../devices/{address}/net/{name}",
    }


def test_devname(tmp_path):
    pf, vfs = "0000:0a:00.0", ["0000:0a:10.0", "0000:0a:10.2"]
    content = functions(
        dict.fromkeys((pf, *vfs), "8086:10c9"), {pf: vfs}
    ) | interface("eth0", pf)
    root = build(tmp_path / "a", content | facts({"devname": "eth0"}))
    text = " ".join(run(ONE_TIME, root).evidence)
    assert f"not one_time_use: {pf} (8086:10c9, type-PF)" in text
    assert "2 offered VFs cannot be one_time_use" in text
    # It is not there; and it is no PCI device, so that Nova does not start.
    root = build(tmp_path / "b", content | facts({"devname": "eth9"}))
    assert run(ONE_TIME, root).status is NOTHING
    content |= interface("eth0", "virtio3")
    root = build(tmp_path / "c", content | facts({"devname": "eth0"}))
    assert run(ONE_TIME, root).status is UNKNOWN
    content[f"/sys/devices/{pf}/net/eth0/device"] = None
    content[f"{NET}/eth0"] = f"-> ../../devices/{pf}/net/eth0"
    root = build(tmp_path / "d", content | facts({"devname": "eth0"}))
    assert "not a link" in run(ONE_TIME, root).reason


@pytest.mark.parametrize(
    "content",
    [
        {},
        {f"{NET}/lo/address": "00:00:00:00:00:00"},
        {"/sys/class/net": None},
    ],
)
def test_a_devname_whose_interfaces_are_out_of_sight(tmp_path, content):
    """A network namespace of the reporter's own proves no absence."""
    tree = functions({CARD: "8086:10d3"}) | content
    root = build(tmp_path, tree | facts({"devname": "eth0"}))
    for name in (ISOLATED, RESETTABLE, ONE_TIME, DISABLED):
        result = run(name, root)
        assert result.status is UNKNOWN
        assert "network namespace" in result.remediation


@pytest.mark.parametrize(
    ("offered", "status"), [(facts(), FAIL), (facts({"address": CARD}), PASS)]
)
def test_a_virtual_gpu_that_is_no_mediated_device(tmp_path, offered, status):
    """Its driver is the maker's, and has made it a device of vfio's."""
    tree = pci_host({"0": [CARD]}) | BOOT | bind(CARD, "nvidia") | offered
    tree[f"{PLACE}/{CARD}/vfio-dev/vfio0"] = None
    result = run(DISABLED, build(tmp_path, tree))
    assert result.status is status
    assert any("driver: nvidia" in line for line in result.evidence) == (
        status is FAIL
    )


MDEV = "/sys/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
VDPA = "/sys/bus/vdpa/devices/vdpa0"
PLATFORM = "/sys/bus/platform/drivers/vfio-platform"
MDEVS = {f"{MDEV}/mdev_type": "-> ../../mdev_supported_types/nvidia-35"}
VDPAS = {
    VDPA: f"-> ../../../devices/pci0000:00/{CARD}/vdpa0",
    f"{PLACE}/{CARD}/vdpa0/driver": "-> ../../bus/vdpa/drivers/vhost_vdpa",
}


def mdev_types(*types):
    result = json.loads(facts()[FACTS])
    result["devices"] = {"enabled_mdev_types": list(types)}
    return {FACTS: json.dumps(result)}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (MDEVS | mdev_types(), FAIL),
        (MDEVS | mdev_types("nvidia-36"), FAIL),
        (MDEVS | mdev_types("nvidia-35"), PASS),
        # The pre-step that did not look at [devices].
        (MDEVS | facts(), UNKNOWN),
        (VDPAS | facts(), FAIL),
        (VDPAS | facts({"address": CARD}), PASS),
        ({f"{PLATFORM}/fd800000.ethernet": "-> ../../../devices/x"}
            | facts(), FAIL),
        ({f"{PLATFORM}/module": "-> ../../../module/vfio_platform",
            f"{PLATFORM}/bind": ""} | facts(), PASS),
        # A queue of a crypto card of Z's: guests get a matrix of them.
        ({"/sys/bus/ap/drivers/vfio_ap/01.0004": "-> ../../../devices/x"}
            | facts(), PASS),
        ({**VDPAS, f"{PLACE}/{CARD}/vdpa0/driver": "-> ../x/virtio_vdpa"}
            | facts(), PASS),
    ],
)  # fmt: skip
def test_other_devices_that_wait_for_a_guest(tmp_path, content, status):
    tree = pci_host({"0": [CARD]}) | BOOT | content
    assert run(DISABLED, build(tmp_path, tree)).status is status


def test_a_tree_without_drivers_proves_nothing(tmp_path):
    tree = pci_host({"0": [CARD]}) | facts()
    for path in DRIVERS:
        del tree[path]
    result = run(DISABLED, build(tmp_path, tree))
    assert result.status is UNKNOWN
    assert "no device has a driver" in result.reason


@pytest.mark.parametrize("name", ["iommu", "iommu_strict"])
def test_each_offered_device_by_itself(tmp_path, name):
    """An IOMMU for the other devices does not protect this one."""
    content = made({"0": [CARD], "1": [HOST]})
    good = run(name, build(tmp_path / "good", content))
    assert good.status is PASS
    assert (
        f"offered: {CARD} (8086:10d3, type-PCI): "
        "/sys/kernel/iommu_groups/0, dmar0"
    ) in good.evidence

    lost = made({"1": [HOST]}, functions({CARD: "8086:10d3"}))
    result = run(name, build(tmp_path / "lost", lost))
    assert result.status is FAIL
    assert result.evidence[0].startswith(f"offered: {CARD}")

    # Also where nova-compute has yet to read that.
    later = {**json.loads(lost[FACTS]), "changed": 1e12}
    result = run(
        name, build(tmp_path / "later", {**lost, FACTS: json.dumps(later)})
    )
    assert result.status is FAIL

    # Without the facts nobody knows that it is offered.
    del lost[FACTS]
    assert run(name, build(tmp_path / "none", lost)).status is PASS

    unlinked = dict(content)
    del unlinked[f"{PLACE}/{CARD}/iommu"]
    result = run(name, build(tmp_path / "unlinked", unlinked))
    assert result.status is UNKNOWN

    moved = content | {
        f"{PLACE}/{CARD}/iommu_group": "-> ../../../kernel/iommu_groups/1"
    }
    result = run(name, build(tmp_path / "moved", moved))
    assert result.status is UNKNOWN


@pytest.mark.parametrize(
    "name", ["iommu", "iommu_strict", "interrupt_remapping", ISOLATED]
)
def test_a_group_that_vfio_made_is_no_iommu(tmp_path, name):
    more = {
        "/sys/kernel/iommu_groups/0/name": "vfio-noiommu\n",
        "/proc/interrupts": "0: 1 IR-IO-APIC 2-edge timer",
    }
    root = build(tmp_path, made({"0": [CARD], "1": [HOST]}, more))
    result = run(name, root)
    assert result.status is FAIL
    assert CARD in " ".join(result.evidence)


def test_thousands_of_virtual_functions(tmp_path):
    pfs = [f"0000:{bus:02x}:00.0" for bus in range(8)]
    vfs = {
        pf: [
            f"{pf[:7]}:{slot:02x}.{function}"
            for slot in range(1, 32)
            for function in range(8)
        ]
        for pf in pfs
    }
    identities = dict.fromkeys(pfs, "8086:1572") | {
        each: "8086:154c" for answer in vfs.values() for each in answer
    }
    root = build(
        tmp_path,
        functions(identities, vfs) | facts({"product_id": "154c"}),
    )
    start = time.process_time()
    result = run(ONE_TIME, root)
    assert time.process_time() - start < 10
    assert result.status is NOTHING
    assert f"{8 * 248} offered VFs cannot" in " ".join(result.evidence)
    result = run(RESETTABLE, root)
    assert result.status is FAIL
    assert result.evidence[-1].startswith("and 1")
