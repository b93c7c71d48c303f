# SPDX-License-Identifier: Apache-2.0
"""nvme_erase, on recorded outputs of nvme-cli and files for namespaces.

``tests/emulated`` has it on a drive, in an emulated guest.
"""

import json
import pathlib
import re

import pytest

from nova_vhard.cleaner import nvme
from nova_vhard.cleaner.steps.nvme_erase import NvmeErase
from nova_vhard.host.root import Unreadable
from tests.unit.cleaner import tools, trees
from tests.unit.cleaner.tools import changed, data

SIZE = 64 << 10
FORMATS, MANAGES = 2, 8
RUNNING, DONE, FAILED, NEVER, UNSUPPORTED = (
    data(f"nvme-cli/sanitize-log-{name}.json")
    for name in ("running", "done", "failed", "never", "unsupported")
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(nvme, "POLL", 0.001)


@pytest.fixture
def root(tmp_path):
    root = trees.tree(tmp_path)
    place = trees.folder(root) / "nvme" / "nvme0" / "nvme0n1"
    place.mkdir(parents=True, exist_ok=True)
    (place / "nsid").write_text("1\n")
    return root


@pytest.fixture
def disk(root):
    """Return the namespace, on which a guest has left something."""
    folder = pathlib.Path(root.root) / "dev"
    folder.mkdir(exist_ok=True)
    path = folder / "nvme0n1"
    path.write_bytes(bytes(range(256)) * (SIZE // 512) + bytes(SIZE // 2))
    return path


@pytest.fixture
def cli(tmp_path, disk):
    """Return a nvme-cli before QEMU's drive, which a format clears."""
    tool = tools.Tool(tmp_path, "nvme")
    tool.answers("id-ctrl", data("nvme-cli/id-ctrl.json"))
    tool.answers("smart-log", data("nvme-cli/smart-log.json"))
    tool.answers("list-ns", data("nvme-cli/list-ns.json"))
    tool.answers("sanitize-log", UNSUPPORTED, status=1)
    unsupported = data("nvme-cli/sanitize-unsupported.txt")
    tool.answers("sanitize /", unsupported, status=1)
    tool.answers(
        "format",
        data("nvme-cli/format.txt"),
        also=f": > {disk}\n{clear(disk)}",
    )
    return tool


def clear(disk):
    return f"head -c {SIZE} /dev/zero > {disk}"


def run(root, cli, driver="nvme", **settings):
    settings = {"program": str(cli.path), **settings}
    return NvmeErase().run(tools.bound(root, settings, driver))


def orders(cli):
    """Return what was told to the drive, and not asked of it."""
    return [
        line for line in cli.asked if line.startswith(("format", "sanitize /"))
    ]


def sanitizes(cli, disk, *states, sanicap=3, **more):
    """Simulate a drive with Sanitize whose log reports states in turn."""
    fields = {"sanicap": sanicap, **more}
    cli.answers("id-ctrl", changed("nvme-cli/id-ctrl.json", **fields))
    cli.answers("sanitize-log", *states)
    cli.answers("sanitize /", "", also=clear(disk))


def test_a_format_by_which_everything_is_gone(root, cli, disk):
    outcome = run(root, cli)
    assert outcome.clean, outcome
    assert outcome.said.startswith("erased by format_user_data")
    (order,) = orders(cli)
    assert "--namespace-id=1 --ses=1 " in order
    assert "--force" in order
    text = "\n".join(outcome.evidence)
    assert "oacs 0x12a, sanicap 0x0, fna 0x0, cmic 0x0" in text
    assert "percentage used: 0, wear_limit: 90" in text
    assert f"namespace 1, {SIZE} bytes: 0 of " in text
    assert "(0 were marked)" not in text


ONE_IS_LEFT = (
    "head -c 4096 {disk} > {disk}.one; head -c {size} /dev/zero > {disk}; "
    "dd if={disk}.one of={disk} conv=notrunc 2>/dev/null"
)


@pytest.mark.parametrize(
    ("also", "words"),
    [
        ("", "[0-9]+ samples are as they were"),
        (ONE_IS_LEFT, "1 samples are as they were before$"),
    ],
)
def test_a_drive_that_says_so_and_does_not_erase(root, cli, disk, also, words):
    also = also.format(disk=disk, size=SIZE)
    cli.answers("format", data("nvme-cli/format.txt"), also=also)
    outcome = run(root, cli)
    assert not outcome.clean
    assert re.match(words, outcome.said)


@pytest.mark.parametrize(
    ("fields", "methods", "action"),
    [
        ({"sanicap": 3}, None, "sanact=4"),
        ({"sanicap": 2, "fna": 4}, None, "sanact=2"),
        ({"fna": 4}, None, "ses=2"),
        ({"sanicap": 7}, ["sanitize_overwrite"], "sanact=3"),
        ({"sanicap": 4}, None, "ses=1"),
        ({"sanicap": 3}, ["format_crypto", "sanitize_block"], "sanact=2"),
    ],
)
def test_what_the_controller_says_that_it_has(
    root, cli, disk, fields, methods, action
):
    sanitizes(cli, disk, NEVER, DONE, **{"sanicap": 0, **fields})
    more = {"methods": methods} if methods else {}
    outcome = run(root, cli, **more)
    assert outcome.clean, outcome
    (order,) = orders(cli)
    assert action in order


@pytest.mark.parametrize(
    ("fields", "settings", "words"),
    [
        ({}, {"methods": ["format_crypto"]}, "^it has no "),
        (
            {},
            {"methods": ["sanitize_crypto", "sanitize_block"]},
            "^it has no ",
        ),
        ({"oacs": 8, "fna": 4}, {}, "^it has no "),
        ({"sanicap": 4, "oacs": 0}, {}, "^it has no "),
        # Its storage is of several controllers.
        ({"cmic": 2}, {}, "other controllers"),
    ],
)
def test_what_it_does_not_say_is_never_tried(
    root, cli, fields, settings, words
):
    cli.answers("id-ctrl", changed("nvme-cli/id-ctrl.json", **fields))
    outcome = run(root, cli, **settings)
    assert not outcome.clean
    assert re.search(words, outcome.said)
    assert orders(cli) == []


def test_the_traits_that_a_controller_stands_for(root, cli, disk):
    sanitizes(cli, disk, NEVER, DONE, sanicap=3)
    assert "HW_NVME_CES, HW_NVME_BES" in run(root, cli).evidence[1]


@pytest.mark.parametrize(
    ("states", "before", "after"),
    [
        ([NEVER, *[RUNNING] * 5, DONE], 1, 6),
        # Another one's sanitize is waited for first.
        ([RUNNING, RUNNING, DONE], 3, 1),
    ],
)
def test_a_sanitize_is_waited_for(root, cli, disk, states, before, after):
    sanitizes(cli, disk, *states)
    assert run(root, cli).clean
    verbs = [x.split()[0] for x in cli.asked if x.startswith("sanitize")]
    log = ["sanitize-log"]
    assert verbs == [*log * before, "sanitize", *log * after]


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([NEVER, RUNNING, FAILED], "sanitize did not succeed: (3)"),
        ([NEVER, NEVER], "sanitize did not succeed: (0)"),
        ([NEVER, "{}"], "no sanitize log"),
        ([NEVER, '{"nvme0":{"sstat":{"status":"done"}}}'], "no number"),
        (
            [NEVER, '{"nvme0":{"sprog":1,"sstat":{"status":"done"}}}'],
            "sanitize log says done",
        ),
        ([NEVER, "no JSON"], "prints no JSON object"),
    ],
)
def test_a_sanitize_that_does_not_succeed(root, cli, disk, states, words):
    sanitizes(cli, disk, *states)
    with pytest.raises(Unreadable) as caught:
        run(root, cli)
    assert words in str(caught.value)


def test_a_sanitize_without_end(root, cli, disk, monkeypatch):
    """Less time is left than until the next look."""
    sanitizes(cli, disk, NEVER, RUNNING)
    monkeypatch.setattr(nvme, "POLL", 1000.0)
    with pytest.raises(Unreadable, match=r"does not end: \(2\) .*50 %"):
        run(root, cli)


def test_an_order_that_fails_says_why(root, cli):
    text = data("nvme-cli/sanitize-unsupported.txt")
    cli.answers("format", text, status=1)
    with pytest.raises(Unreadable, match="exit status 1: NVMe status: Inv"):
        run(root, cli)


@pytest.mark.parametrize(
    ("used", "settings", "clean"),
    [
        (90, {}, True),
        (91, {}, False),
        (6, {"wear_limit": "5"}, False),
        (200, {"wear_limit": "255"}, True),
    ],
)
def test_a_worn_drive_is_left_alone(root, cli, used, settings, clean):
    text = changed("nvme-cli/smart-log.json", percent_used=used)
    cli.answers("smart-log", text)
    outcome = run(root, cli, **settings)
    assert outcome.clean == clean
    assert bool(orders(cli)) == clean
    if not clean:
        assert outcome.said.startswith(f"it is worn: {used} % used")


@pytest.mark.parametrize("used", [None, -1, "4", True])
def test_wear_that_is_not_told(root, cli, used):
    text = changed("nvme-cli/smart-log.json", percent_used=used)
    cli.answers("smart-log", text)
    with pytest.raises(Unreadable, match="percent_used: no number"):
        run(root, cli)
    assert orders(cli) == []


@pytest.mark.parametrize(
    ("listed", "words"),
    [([1, 2], r"no block device for namespaces \[2\]"), ([], "no namespace")],
)
def test_a_namespace_that_is_out_of_reach(root, cli, listed, words):
    content = {"nsid_list": [{"nsid": nsid} for nsid in listed]}
    cli.answers("list-ns", json.dumps(content))
    with pytest.raises(Unreadable, match=words):
        run(root, cli)
    assert orders(cli) == []
    # A guest may have detached it: those are listed, too.
    assert any("--all" in x for x in cli.asked if x.startswith("list-ns"))


def test_only_root_may_change_the_tool(root, cli):
    cli.path.chmod(0o777)
    with pytest.raises(Unreadable, match="was not run: others can write"):
        run(root, cli)


@pytest.mark.parametrize(
    ("before", "after"), [("", None), ("vfio-pci", "vfio-pci")]
)
def test_the_driver_is_lent_and_taken_back(root, cli, before, after):
    assert run(root, cli, driver=before).clean
    assert tools.driver(root) == after
    override = trees.folder(root) / "driver_override"
    assert override.read_text() == "(null)\n"


def test_it_is_taken_back_after_a_failure(root, cli):
    cli.answers("id-ctrl", "", status=1)
    with pytest.raises(Unreadable, match="id-ctrl"):
        run(root, cli, driver="vfio-pci")
    assert tools.driver(root) == "vfio-pci"


def test_what_another_driver_has_is_left_to_it(root, cli):
    with pytest.raises(Unreadable, match="lpfc has it"):
        run(root, cli, driver="lpfc")
    assert cli.asked == []


def test_a_driver_that_does_not_take_it(root, cli):
    job = tools.bound(root, {"program": str(cli.path)}, refuses="nvme")
    with pytest.raises(Unreadable, match="load the module nvme"):
        NvmeErase().run(job)
    assert tools.driver(root) is None
