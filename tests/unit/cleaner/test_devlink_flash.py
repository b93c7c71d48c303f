# SPDX-License-Identifier: Apache-2.0
"""devlink_flash, on recorded outputs of devlink.

``tests/emulated`` has it on netdevsim, in an emulated guest.
"""

import json

import jsonschema
import pytest

from nova_vhard.host.root import Unreadable
from nova_vhard.node.cleaner.steps import devlink_flash
from nova_vhard.node.cleaner.steps.devlink_flash import DevlinkFlash
from tests.unit.cleaner import tools, trees
from tests.unit.cleaner.tools import data

NOW = "10.20.30"
HANDLE = f"pci/{trees.NVME}"
INFO = data("devlink/dev-info.json").replace("netdevsim/netdevsim10", HANDLE)


def info(running=NOW, stored=NOW):
    versions = {"running": {"fw.mgmt": running}, "stored": {"fw.mgmt": stored}}
    return json.dumps({"info": {HANDLE: {"versions": versions}}})


@pytest.fixture
def root(tmp_path):
    return trees.tree(tmp_path)


@pytest.fixture
def firmware(tmp_path, monkeypatch):
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "known.bin").write_text("firmware")
    monkeypatch.setattr(devlink_flash, "_FIRMWARE", str(folder))
    return folder / "known.bin"


@pytest.fixture
def card(tmp_path, firmware):
    tool = tools.Tool(tmp_path, "devlink")
    tool.answers("-j dev info", INFO)
    tool.answers("dev flash", "Flashing done\n")
    text = data("devlink/reload-unsupported.txt")
    tool.answers("dev reload", text, status=1)
    return tool


def run(root, card, wanted=NOW, **settings):
    settings = {
        "driver": "ice",
        "file": "known.bin",
        "versions": {"fw.mgmt": wanted},
        "program": str(card.path),
        **settings,
    }
    schema = jsonschema.Draft202012Validator(DevlinkFlash.schema)
    assert not list(schema.iter_errors(settings))
    return DevlinkFlash().run(tools.bound(root, settings))


def verbs(card):
    return [line.replace("-j ", "").split()[1] for line in card.asked]


def test_the_wanted_firmware_is_not_written_again(root, card):
    outcome = run(root, card)
    assert outcome.clean, outcome
    assert verbs(card) == ["info"]
    assert tools.driver(root) is None


def test_it_is_where_the_rules_say_always(root, card):
    assert run(root, card, always=True).clean
    assert verbs(card) == ["info", "flash", "info"]


@pytest.mark.parametrize(
    "before", [info(running="6"), info(stored="6"), info("6", "6")]
)
def test_what_differs_is_written(root, card, before):
    card.answers("-j dev info", before, info())
    outcome = run(root, card)
    assert outcome.clean, outcome
    assert verbs(card) == ["info", "flash", "info"]
    assert f"dev flash {HANDLE} file known.bin" in card.asked


def test_what_is_stored_is_activated(root, card):
    card.answers("-j dev info", info("6", "6"), info("6", NOW), info())
    card.answers("dev reload", "")
    outcome = run(root, card)
    assert outcome.clean, outcome
    assert verbs(card) == ["info", "flash", "info", "reload", "info"]
    assert f"dev reload {HANDLE} action fw_activate" in card.asked


def test_a_card_that_goes_on_with_another_firmware(root, card):
    outcome = run(root, card, wanted="10.20.31")
    assert not outcome.clean
    assert f"fw.mgmt running is {NOW}, not 10.20.31" in outcome.said
    assert any("not supported by the driver" in x for x in outcome.evidence)


@pytest.mark.parametrize(
    ("printed", "status", "words"),
    [
        (data("devlink/dev-info-none.txt"), 1, "No such device"),
        ('{"info":{}}', 0, "tells no versions"),
        ('{"info":[]}', 0, "tells no versions"),
        (json.dumps({"info": {HANDLE: {"versions": 7}}}), 0, "no versions"),
        ("", 0, "prints no JSON object"),
    ],
)
def test_a_card_that_does_not_tell(root, card, printed, status, words):
    card.answers("-j dev info", printed, status=status)
    with pytest.raises(Unreadable, match=words):
        run(root, card)
    assert verbs(card) == ["info"]


def test_a_component_that_it_does_not_tell_of(root, card):
    outcome = run(root, card, versions={"fw.undi": "1"})
    assert not outcome.clean
    assert "fw.undi running is not told, not 1" in outcome.said


def test_only_root_may_change_the_firmware(root, card, firmware):
    firmware.chmod(0o666)
    with pytest.raises(Unreadable, match="was not written: others can write"):
        run(root, card, wanted="10.20.31")
    assert "flash" not in verbs(card)


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../x", "a/../../x", "", "a\nb", "-x y"]
)
def test_a_file_is_below_the_folder_of_firmware(file):
    schema = jsonschema.Draft202012Validator(DevlinkFlash.schema)
    settings = {"driver": "ice", "file": file, "versions": {"fw": "1"}}
    assert list(schema.iter_errors(settings))
