# SPDX-License-Identifier: Apache-2.0
"""Rules files: good ones, and everything that is wrong with others."""

import pathlib

import pytest

from nova_vhard.cleaner.rules import (
    RulesError,
    installed_steps,
    load,
)
from nova_vhard.cleaner.step import (
    NAMESPACE,
    TIME_LIMIT,
    Step,
)
from nova_vhard.host.pci.pci import Kind, PciDevice

ROOT = pathlib.Path(__file__).parents[3]
SAMPLE = str(ROOT / "etc" / "nova-vhard" / "cleaning.yaml.sample")


def device(vendor, product="0000"):
    return PciDevice("0000:00:01.0", vendor, product, Kind.PCI)


def rules(tmp_path, text):
    place = tmp_path / "cleaning.yaml"
    place.write_text(text)
    return load(str(place))


def faults(tmp_path, text):
    """Return the faults, and the line and place of each."""
    with pytest.raises(RulesError) as caught:
        rules(tmp_path, text)
    said, start = map(str, caught.value.problems), f"{tmp_path}/cleaning.yaml:"
    places = [f"{x.line}: {x.path}" for x in caught.value.problems]
    return [each.removeprefix(start) for each in said], places


def test_the_steps_of_the_package():
    result = installed_steps()
    assert NAMESPACE == "nova_vhard.cleaning_steps"
    for name, step in result.items():
        assert isinstance(step, Step) and step.name == name and step.__doc__
    order = sorted(result, key=lambda name: -result[name].priority)
    assert order == ["function_reset", "nvme_erase", "command"]


def test_the_sample_of_an_nvme_drive():
    steps = load(SAMPLE).entry_for(device("144d", "a824"), "0x010802").steps
    assert [(x.step, x.priority, x.time_limit) for x in steps] == [
        ("function_reset", 90, TIME_LIMIT),
        ("nvme_erase", 80, 3600),
    ]
    assert steps[0].settings == {"methods": ["flr"]}
    assert steps[1].settings["wear_limit"] == "80"


ENTRY = """
  - name: {name}
    match: {{{match}}}
    steps: [{{step: {step}}}]
"""


def entries(*listed):
    text = "version: '1'\ndevices:"
    for number, (match, step) in enumerate(listed):
        text += ENTRY.format(name=f"n{number}", match=match, step=step)
    return text


COMMAND = "command, settings: {program: /bin/x}"


ORDERED = entries(
    ("vendor: '0xABCD', products: [0x0001]", COMMAND),
    ("vendor: abcd", "function_reset"),
    ("classes: ['01']", "nvme_erase"),
)
NONE = "version: '1'\ndevices: []"


@pytest.mark.parametrize(
    ("text", "vendor", "product", "device_class", "name"),
    [
        (None, "144d", "a80a", "0x010802", "nvme"),
        (None, "144d", "a80a", "0x010601", None),
        (None, "144d", "a80b", "0x010802", None),
        (None, "8086", "1572", "0x020000", "nic"),
        (None, "10de", "2236", "0x030200", "gpu"),
        (None, "10de", "10f0", "0x040300", None),
        (None, "1002", "2236", "0x030200", None),
        # The first entry that matches wins.
        (ORDERED, "abcd", "0001", "0x010802", "n0"),
        (ORDERED, "abcd", "0002", "0x020000", "n1"),
        (ORDERED, "8086", "0001", "0x018000", "n2"),
        (ORDERED, "8086", "0000", "0x020000", None),
        (NONE, "8086", "0000", "0x020000", None),
    ],
)
def test_which_entry_is_for_a_device(
    tmp_path, text, vendor, product, device_class, name
):
    """Use the sample, or the rules of this test."""
    result = rules(tmp_path, text) if text else load(SAMPLE)
    entry = result.entry_for(device(vendor, product), device_class)
    assert (entry and entry.name) == name


PRIORITIES = """
version: "1"
devices:
  - name: one
    match: {vendor: "8086"}
    steps:
      - {step: nvme_erase, priority: 30}
      - {step: command, settings: {program: /a}}
      - {step: command, settings: {program: /b}}
      - {step: function_reset, priority: 20, time_limit: 5}
"""


def test_priorities_and_order(tmp_path):
    result = rules(tmp_path, PRIORITIES)
    steps = result.entry_for(device("8086"), "0x020000").steps
    assert [
        (each.step, each.priority, each.settings.get("program"))
        for each in steps
    ] == [
        ("command", 70, "/a"),
        ("command", 70, "/b"),
        ("nvme_erase", 30, None),
        ("function_reset", 20, None),
    ]
    assert steps[3].time_limit == 5


def test_the_digest_is_of_the_meaning(tmp_path):
    text = entries(("vendor: '8086'", "function_reset"))
    first, same, other = (
        rules(tmp_path, each).digest
        for each in (text, f"# more\n{text}", text.replace("8086", "8087"))
    )
    assert first == same != other


MANY = """version: "1"
devcies: []
devices:
  - name: one
    match: {vendor: 80860}
    steps:
      - {step: function_rest}
  - name: two
    match: {products: ["1572"]}
    steps:
      - step: function_reset
        settings: {methods: [flx], metod: [flr]}
      - step: command
        settings: {program: wipe.sh}
      - step: nvme_erase
        settings: {methods: [], wear_limit: "0"}
  - name: two
    match: {}
    steps: []
  - name: four
    match: {classes: ["010"]}
    steps: [{step: function_reset, priority: 0, time_limit: 1.5}]
"""


@pytest.mark.parametrize(
    ("before", "after", "hidden"),
    [
        ("vendor: '8086'", "vendor: '8086', products: ['0001']", True),
        ("vendor: '8086', products: ['0001']", "vendor: '8086'", False),
        ("classes: ['01']", "vendor: '8086', classes: ['0108']", True),
        ("classes: ['0108']", "classes: ['01']", False),
        ("classes: ['01']", "vendor: '8086'", False),
        ("vendor: '8086'", "vendor: '8086', classes: ['02']", True),
        ("vendor: '8086', classes: ['02']", "vendor: '8086'", False),
        ("vendor: '8086'", "vendor: '8087'", False),
    ],
)
def test_an_entry_that_is_never_reached(tmp_path, before, after, hidden):
    text = entries((before, "function_reset"), (after, "function_reset"))
    if not hidden:
        assert len(rules(tmp_path, text).entries) == 2
        return
    ((said,), _) = faults(tmp_path, text)
    assert "devices[1].match: is never reached: 'n0'" in said


TWICE = entries(
    ("vendor: '8086'", "function_reset"), ("vendor: '8087'", "function_reset")
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1: "]),
        ("- a", ["1: "]),
        ("version: '1'", ["1: devices"]),
        ("devices: []", ["1: version"]),
        ("version: '2'\ndevices: []", ["1: version"]),
        ("version: '1'\ndevices: {}", ["2: devices"]),
        ("version: '1'\ndevices: [3]", ["2: devices[0]"]),
        ("a: b: c", ["1: "]),
        (
            "version: !!python/name:os.system ''\ndevices: []",
            ["1: version", "1: version"],
        ),
        # Steps that this version does not have.
        *(
            (
                entries(("vendor: '8086'", f"{name}, settings: {{x: y}}")),
                ["5: devices[0].steps[0].step"],
            )
            for name in ("config_space", "rom_digest", "devlink_flash")
        ),
        # Each entry needs its own name.
        (TWICE.replace("n1", "n0"), ["7: devices[1].name"]),
        # All faults at once, each with its place.
        (
            MANY,
            [
                "2: devcies",
                "5: devices[0].match.vendor",
                "7: devices[0].steps[0].step",
                "9: devices[1].match.products",
                "12: devices[1].steps[0].settings.methods[0]",
                "12: devices[1].steps[0].settings.metod",
                "14: devices[1].steps[1].settings.program",
                "16: devices[1].steps[2].settings.methods",
                "16: devices[1].steps[2].settings.wear_limit",
                "18: devices[2].match",
                "19: devices[2].steps",
                "21: devices[3].match.classes[0]",
                "22: devices[3].steps[0].priority",
                "22: devices[3].steps[0].time_limit",
            ],
        ),
    ],
)
def test_files_that_are_no_rules(tmp_path, text, expected):
    assert faults(tmp_path, text)[1] == expected


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(RulesError, match="cannot be read: No such file"):
        load(str(tmp_path / "missing.yaml"))
    (tmp_path / "latin").write_bytes(b"version: '\xff'")
    with pytest.raises(RulesError, match="is not UTF-8"):
        load(str(tmp_path / "latin"))
