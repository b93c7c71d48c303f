# SPDX-License-Identifier: Apache-2.0
"""Our reading of Nova's settings equals Nova's own."""

import builtins
import json
import os
import types

import hypothesis
import nova.conf
import pytest
from hypothesis import strategies as some
from nova import exception
from nova.pci import utils, whitelist
from oslo_config import cfg

from nova_vhard.conf import nova as nova_conf
from nova_vhard.host.pci import device_spec, passthrough_devices, pci
from nova_vhard.host.pci.pci_address import SpecError
from nova_vhard.host.root import HostRoot, Unreadable
from nova_vhard.reporter import nova_conf as nova_reader
from tests import seeds, services
from tests.trees import build, functions

CONF = nova.conf.CONF

PF, OTHER_PF = "0000:0a:00.0", "0000:0a:00.1"
DEVICES = {
    "0000:00:02.0": "8086:10d3",
    "0000:05:00.0": "1b36:0010",
    "0001:05:1f.7": "10de:25b6",
    "10000:e0:06.0": "8086:0a54",
    PF: "8086:10c9",
    OTHER_PF: "8086:10c9",
    "0000:0a:10.0": "8086:10ca",
    "0000:0a:10.1": "8086:10ca",
    "0000:0b:10.2": "8086:10ca",
}
VFS = {
    PF: ["0000:0a:10.0", "0000:0b:10.2"],
    OTHER_PF: ["0000:0a:10.1"],
}
INTERFACES = {
    "plain": "0000:00:02.0",
    "pf": PF,
    "vf": "0000:0a:10.0",
    "virtio": "virtio0",
}


@pytest.fixture(scope="module", autouse=True)
def root(tmp_path_factory):
    """Make a tree, and have Nova read it in place of this machine."""
    content = functions(DEVICES, VFS)
    for name, target in INTERFACES.items():
        content[f"/sys/devices/{target}/net/{name}/device"] = (
            f"-> ../../../{target}"
        )
        content[f"/sys/class/net/{name}"] = (
            f"-> ../../devices/{target}/net/{name}"
        )
    tree = build(tmp_path_factory.mktemp("tree"), content)
    with pytest.MonkeyPatch.context() as patch:
        there = types.SimpleNamespace(
            path=types.SimpleNamespace(
                isdir=lambda each: os.path.isdir(tree + each),
                join=os.path.join,
            ),
            readlink=lambda each: os.readlink(tree + each),
            listdir=lambda each: os.listdir(tree + each),
        )
        patch.setattr(utils, "os", there)
        patch.setattr(
            utils,
            "open",
            lambda each: builtins.open(tree + each),  # noqa: SIM115 - Nova's
            raising=False,
        )
        yield HostRoot(tree)


def nova_offers(root, entries):
    """Return address to the first entry that covers it; None: refused."""
    try:
        listed = whitelist.Whitelist(entries)
    except exception.PciDeviceNotFoundById:
        # Nova looks for a file that no kernel has, and refuses what its
        # documentation allows: remote_managed with the address of a PF.
        hypothesis.reject()
    except Exception:
        return None
    result = {}
    for device in pci.devices(root):
        known = {
            "address": device.address,
            "vendor_id": device.vendor,
            "product_id": device.product,
            "capabilities": {"vpd": {"card_serial_number": "1"}},
        }
        if device.parent:
            known["parent_addr"] = device.parent
        try:
            spec = listed.device_assignable(known)
        except exception.PciConfigInvalidSpec:
            continue
        if spec is not None:
            tags = spec.get_tags()
            result[device.address] = (
                listed.specs.index(spec),
                tags.get("one_time_use") == "true",
            )
    return result


def we_offer(root, entries):
    try:
        specs = device_spec.parse(entries, CONF.pci.report_in_placement)
        result = passthrough_devices.find(root, specs)
    except (SpecError, Unreadable):
        return None
    return {
        each.device.address: (
            next(i for i, spec in enumerate(specs) if spec is each.spec),
            each.spec.one_time_use,
        )
        for each in result
    }


IDS = some.sampled_from(
    (
        *("8086", "10c9", "10CA", "10ca", "1b36", "0010", "10", "10de"),
        *("25B6", "0x8086", "*", "12345", "-1", "8_0", "zz", ""),
        *(" 8086 ", " * "),
    )
)
NUMBERS = some.sampled_from(
    [
        *("0", "00", "0000", "0a", "A", "a", "10", "1f", "5", "05", "1"),
        *("8", "20", "*", ".", "g"),
    ]
)
GLOBS = some.one_of(
    some.sampled_from(sorted(DEVICES)),
    some.sampled_from(
        [
            *("*:0a:00.*", ":0a:00.", "*:*:*.*", "0a:10.", "*:*:10.1"),
            *("0000:0A:00.0", "0000:a:0.0", "a:b:c:d.0", "0000:0a:00. "),
            *("0000:0a:20.0", "0000:0a:00.8", "10000:e0:06.0"),
            *(" : : . ", "1", ".0", "."),
        ]
    ),
    some.builds("{}:{}:{}.{}".format, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    some.text(":.*0a1 ", max_size=8),
)
REGEXES = some.dictionaries(
    some.sampled_from(["domain", "bus", "slot", "function", "other"]),
    some.sampled_from(
        [
            *(".*", "0", "0000", "0a", "0[ab]", "1", "00", "10", "[0-2]"),
            *("[", "", "(?i)0A", "0A", "^0a$", 5, None),
        ]
    ),
    max_size=4,
)
BOOLEANS = some.sampled_from(
    ["true", "True", "yes", "no", "0", "maybe", "", True, False, 1, None]
)
ENTRIES = some.fixed_dictionaries(
    {},
    optional={
        "vendor_id": some.one_of(IDS, some.just(8086), some.none()),
        "product_id": some.one_of(IDS, some.just(10), some.none()),
        "address": some.one_of(GLOBS, REGEXES, some.sampled_from([5, None])),
        # Before Nova 32 it is a tag like any other, and means nothing.
        **({"one_time_use": BOOLEANS} if services.NOVA >= 32 else {}),
        "managed": BOOLEANS,
        "live_migratable": BOOLEANS,
        "remote_managed": BOOLEANS,
        "physical_network": some.sampled_from(["physnet1", None]),
        "trusted": some.just("true"),
        "resource_class": some.just("GPU"),
    },
)
NAMED = some.fixed_dictionaries(
    {"devname": some.sampled_from([*INTERFACES, "lost", "", None])},
    optional={
        "vendor_id": IDS,
        "product_id": IDS,
        "address": some.sampled_from(["", "*:0a:00.*"]),
        "remote_managed": BOOLEANS,
    },
)
# Most entries have one condition only, so that many are good.
GOOD = some.one_of(
    some.builds(lambda each: {"address": each}, GLOBS),
    some.builds(lambda each: {"address": each}, REGEXES),
    some.builds(
        lambda each, two: {"vendor_id": each, "product_id": two},
        some.sampled_from(["8086", "*", "1B36"]),
        some.sampled_from(["10ca", "10C9", "*", "10"]),
    ),
)
ONE = some.one_of(GOOD, ENTRIES, NAMED)
TEXTS = some.one_of(
    ONE.map(json.dumps),
    some.lists(ONE, max_size=3).map(json.dumps),
    some.sampled_from(["", "{", "5", "null", '"x"', "[5]", "{}", "[]"]),
)


@pytest.mark.parametrize("in_placement", [False, True])
def test_the_same_devices_by_the_same_entries(root, in_placement):
    CONF.set_override("report_in_placement", in_placement, "pci")
    outcomes = set()

    @seeds.searched(some.lists(TEXTS, max_size=3), 400)
    def compare(entries):
        expected = nova_offers(root, entries)
        assert we_offer(root, entries) == expected
        outcomes.add(None if expected is None else len(expected))

    try:
        compare()
    finally:
        CONF.clear_override("report_in_placement", "pci")
    # Refusals, nothing, a few and all of what Nova can take.
    assert {None, 0, 1, 3, len(DEVICES) - 1} <= outcomes


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        # The address of a PF covers its VFs too, wherever they are.
        ({"address": PF}, {PF, *VFS[PF]}),
        ({"devname": "pf"}, {PF, *VFS[PF]}),
        ({"devname": "vf"}, {"0000:0a:10.0"}),
        ({"devname": "lost"}, set()),
        ({"devname": "virtio"}, None),
        ({"address": "*:0a:00.*"}, {PF, OTHER_PF}),
        # A regular expression is matched at its beginning only.
        ({"address": {"bus": "0"}}, set(DEVICES) - {"10000:e0:06.0"}),
        ({"address": {"bus": "0a", "slot": "00"}}, {PF, OTHER_PF}),
        ({}, set(DEVICES) - {"10000:e0:06.0"}),
        ({"vendor_id": "10DE", "product_id": "25B6"}, {"0001:05:1f.7"}),
    ],
)
def test_what_surprises(root, entry, covered):
    entries = [json.dumps(entry)]
    for result in (nova_offers(root, entries), we_offer(root, entries)):
        assert (result if result is None else set(result)) == covered


@pytest.mark.parametrize(
    ("group", "option"),
    [
        (group, option)
        for group, options in nova_conf.OPTS.items()
        for option in options
    ],
    ids=lambda each: getattr(each, "name", each),
)
def test_the_options_are_those_that_nova_registers(group, option):
    opts = CONF._opts if group == "DEFAULT" else CONF._groups[group]._opts
    real = opts[option.dest]["opt"]
    assert type(option) is type(real)
    assert option.default == real.default
    ours, novas = (
        (
            {(each.name, each.group) for each in opt.deprecated_opts},
            list(getattr(opt.type, "choices", None) or []),
        )
        for opt in (option, real)
    )
    assert ours == novas


CONFIGURED = """
[DEFAULT]
force_config_drive = on
config_drive_format = vfat
pointer_model = ps2mouse
vcpu_pin_set = 0-3
pci_passthrough_whitelist = [{"address": {"bus": "^0a$"}}]
[libvirt]
virt_type = qemu
cpu_mode = host-passthrough
use_virtio_for_bridges = 0
rescue_image_id = 155d900f-4e14-4e4c-a73d-069cbf4541e6
hw_machine_type = x86_64=q35,
    aarch64=virt
live_migration_with_native_tls = yes
live_migration_tunnelled = yes
live_migration_scheme = tls
live_migration_uri = qemu+tls://%s/system
[vnc]
enabled = no
server_listen = 0.0.0.0
[spice]
enabled = yes
server_listen = ::
[compute]
cpu_shared_set = 0-1
cpu_dedicated_set = 2-3
[devices]
enabled_vgpu_types = nvidia-35
[pci]
report_in_placement = yes
passthrough_whitelist = {"tag": "\\$b"}
device_spec = {"vendor_id": "8086",
    "product_id": "10ca"}
device_spec = {}
"""


@pytest.mark.parametrize("text", [CONFIGURED, ""], ids=["set", "unset"])
def test_the_pre_step_reads_what_nova_reads(tmp_path, text):
    file = tmp_path / "nova.conf"
    file.write_text(text)
    argument = f"--config-file={file}"
    real = cfg.ConfigOpts()
    for name in (
        *("compute", "configdrive", "devices", "vnc", "spice", "libvirt"),
        "pci",
    ):
        getattr(nova.conf, name).register_opts(real)
    real([argument], project="nova", default_config_files=[])

    result = nova_reader.read(nova_reader.Sources([argument]))

    for group, options in nova_conf.OPTS.items():
        place = real if group == "DEFAULT" else real[group]
        for option in options:
            # Nova takes no machine types for none given.
            expected = place[option.dest]
            if option.dest == "hw_machine_type":
                expected = expected or []
            # It may name a user: its scheme alone is read.
            if option.dest == "live_migration_uri" and expected:
                expected = expected.partition(":")[0]
            assert result[group][option.dest] == expected
            if text:
                assert expected != option.default
