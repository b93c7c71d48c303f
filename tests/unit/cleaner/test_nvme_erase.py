# SPDX-License-Identifier: Apache-2.0
"""nvme_erase, on recorded outputs of nvme-cli and files for namespaces.

``tests/emulated`` has it on a drive, in an emulated guest.
"""

import json
import pathlib
import re
from unittest.mock import call

import pytest

from nova_vhard.cleaner import nvme
from nova_vhard.cleaner.step import Outcome
from nova_vhard.cleaner.steps.nvme_erase import NvmeErase
from nova_vhard.host.root import Unreadable
from tests.unit.cleaner import tools, trees
from tests.unit.cleaner.tools import changed, data

SIZE = 64 << 10
RUNNING, DONE, FAILED, NEVER, UNSUPPORTED = (
    data(f"nvme-cli/sanitize-log-{name}.json")
    for name in ("running", "done", "failed", "never", "unsupported")
)
FORMAT = data("nvme-cli/format.txt")
INVALID = data("nvme-cli/sanitize-unsupported.txt")
CLEAR = f"head -c {SIZE} /dev/zero > {{disk}}"
ONE_IS_LEFT = (
    f"head -c 4096 {{disk}} > {{disk}}.one; {CLEAR}; "
    "dd if={disk}.one of={disk} conv=notrunc 2>/dev/null"
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(nvme, "POLL", 0.001)
    root = trees.tree(tmp_path)
    place = trees.folder(root) / "nvme" / "nvme0" / "nvme0n1"
    place.mkdir(parents=True, exist_ok=True)
    (place / "nsid").write_text("1\n")
    return root


class Cli(tools.Tool):
    """A nvme-cli before QEMU's drive, whose namespace is a file."""

    def __init__(self, folder, disk):
        super().__init__(folder, "nvme")
        self._disk = disk
        for command in ("id-ctrl", "smart-log", "list-ns"):
            self.answers(command, data(f"nvme-cli/{command}.json"))
        self.answers("sanitize-log", UNSUPPORTED, status=1)
        self.answers("sanitize /", "", also=CLEAR)
        self.answers("format", FORMAT, also=f": > {{disk}}\n{CLEAR}")

    def answers(self, words, *texts, status=0, also=""):
        also = also.format(disk=self._disk)
        super().answers(words, *texts, status=status, also=also)


@pytest.fixture
def cli(tmp_path, root):
    """Return a nvme-cli before a drive on which a guest has left something."""
    disk = pathlib.Path(root.root) / "dev" / "nvme0n1"
    disk.parent.mkdir(exist_ok=True)
    disk.write_bytes(bytes(range(256)) * (SIZE // 512) + bytes(SIZE // 2))
    return Cli(tmp_path, disk)


def run(root, cli, driver="nvme", refuses="", **settings):
    settings = {"program": str(cli.path), **settings}
    job = tools.bound(root, settings, driver, refuses=refuses)
    try:
        return NvmeErase().run(job)
    except Unreadable as error:
        return Outcome(False, str(error))


def orders(cli):
    """Return what was told to the drive, and not asked of it."""
    return [
        line for line in cli.asked if line.startswith(("format", "sanitize /"))
    ]


def test_a_format_by_which_everything_is_gone(root, cli):
    outcome = run(root, cli)
    assert outcome.clean, outcome
    assert outcome.said.startswith("erased by format_user_data")
    (order,) = orders(cli)
    assert "--namespace-id=1 --ses=1 " in order and "--force" in order
    text = "\n".join(outcome.evidence)
    for part in (
        "oacs 0x12a, sanicap 0x0, fna 0x0, cmic 0x0",
        "percentage used: 0, wear_limit: 90",
        f"namespace 1, {SIZE} bytes: 0 of ",
    ):
        assert part in text
    assert "(0 were marked)" not in text


def has(**fields):
    """Return the answer of a controller that says something else."""
    return call("id-ctrl", changed("nvme-cli/id-ctrl.json", **fields))


def used(percent):
    text = changed("nvme-cli/smart-log.json", percent_used=percent)
    return call("smart-log", text)


def spaces(*numbers):
    listed = {"nsid_list": [{"nsid": number} for number in numbers]}
    return call("list-ns", json.dumps(listed))


SANITIZES, ERASED = call("sanitize-log", NEVER, DONE), "erased by "
BY_BLOCKS = {"methods": ["sanitize_crypto", "sanitize_block"]}
NO_WAY = "it has no "
UNTOLD = "percent_used: no number"


@pytest.mark.parametrize(
    ("answers", "settings", "said", "order"),
    [
        # What the controller says that it has, the best first.
        ([has(sanicap=3), SANITIZES], {}, ERASED, "sanact=4"),
        ([has(sanicap=2, fna=4), SANITIZES], {}, ERASED, "sanact=2"),
        ([has(fna=4)], {}, ERASED, "ses=2"),
        ([has(sanicap=4)], {}, ERASED, "ses=1"),
        (
            [has(sanicap=7), SANITIZES],
            {"methods": ["sanitize_overwrite"]},
            ERASED,
            "sanact=3",
        ),
        (
            [has(sanicap=3), SANITIZES],
            {"methods": ["format_crypto", "sanitize_block"]},
            ERASED,
            "sanact=2",
        ),
        # What it does not say is never tried.
        ([], {"methods": ["format_crypto"]}, NO_WAY, None),
        ([], BY_BLOCKS, NO_WAY, None),
        ([has(oacs=8, fna=4)], {}, NO_WAY, None),
        ([has(sanicap=4, oacs=0)], {}, NO_WAY, None),
        # Its storage is of several controllers.
        ([has(cmic=2)], {}, ".*other controllers", None),
        # A worn drive is left alone.
        ([used(90)], {}, ERASED, "ses=1"),
        ([used(91)], {}, "it is worn: 91 % used", None),
        ([used(6)], {"wear_limit": "5"}, "it is worn: 6 % used", None),
        ([used(200)], {"wear_limit": "255"}, ERASED, "ses=1"),
        *(([used(each)], {}, UNTOLD, None) for each in (None, -1, "4", True)),
        # A namespace that is out of reach.
        (
            [spaces(1, 2)],
            {},
            r".*no block device for namespaces \[2\]",
            None,
        ),
        ([spaces()], {}, ".*no namespace", None),
        # It says that it erases, and does not.
        (
            [call("format", FORMAT)],
            {},
            "[0-9]+ samples are as they were",
            "ses=1",
        ),
        (
            [call("format", FORMAT, also=ONE_IS_LEFT)],
            {},
            "1 samples are as they were before$",
            "ses=1",
        ),
        # It says why it does not.
        (
            [call("format", INVALID, status=1)],
            {},
            ".*exit status 1: NVMe status: Inv",
            "ses=1",
        ),
        ([call("id-ctrl", "", status=1)], {}, ".*id-ctrl", None),
        # A sanitize that does not succeed.
        *(
            (
                [has(sanicap=3), call("sanitize-log", NEVER, *states)],
                {},
                said,
                "sanact=4",
            )
            for states, said in (
                ([RUNNING, FAILED], r".*sanitize did not succeed: \(3\)"),
                ([NEVER], r".*sanitize did not succeed: \(0\)"),
                (["{}"], ".*no sanitize log"),
                (['{"nvme0":{"sstat":{"status":"done"}}}'], ".*no number"),
                (
                    ['{"nvme0":{"sprog":1,"sstat":{"status":"done"}}}'],
                    ".*sanitize log says done",
                ),
                (["no JSON"], ".*prints no JSON object"),
            )
        ),
        # What another driver has is left to it, and what none takes.
        ([], {"driver": "lpfc"}, ".*lpfc has it", None),
        (
            [],
            {"driver": "", "refuses": "nvme"},
            ".*load the module nvme",
            None,
        ),
    ],
)
def test_a_drive(root, cli, answers, settings, said, order):
    for answer in answers:
        cli.answers(*answer.args, **answer.kwargs)
    outcome = run(root, cli, **settings)
    assert re.match(said, outcome.said), outcome
    assert outcome.clean == (said == ERASED)
    (told,) = orders(cli) or [None]
    assert told is order or order in told
    # What another driver has is not even asked.
    assert bool(cli.asked) == ("driver" not in settings)
    # A guest may have detached a namespace: those are listed, too.
    assert all("--all" in x for x in cli.asked if x.startswith("list-ns"))


def test_the_traits_that_a_controller_stands_for(root, cli):
    for answer in (has(sanicap=3), SANITIZES):
        cli.answers(*answer.args)
    assert "HW_NVME_CES, HW_NVME_BES" in run(root, cli).evidence[1]


@pytest.mark.parametrize(
    ("states", "before", "after"),
    [
        ([NEVER, *[RUNNING] * 5, DONE], 1, 6),
        # Another one's sanitize is waited for first.
        ([RUNNING, RUNNING, DONE], 3, 1),
    ],
)
def test_a_sanitize_is_waited_for(root, cli, states, before, after):
    for answer in (has(sanicap=3), call("sanitize-log", *states)):
        cli.answers(*answer.args)
    assert run(root, cli).clean
    verbs = [x.split()[0] for x in cli.asked if x.startswith("sanitize")]
    log = ["sanitize-log"]
    assert verbs == [*log * before, "sanitize", *log * after]


def test_a_sanitize_without_end(root, cli, monkeypatch):
    """Less time is left than until the next look."""
    for answer in (has(sanicap=3), call("sanitize-log", NEVER, RUNNING)):
        cli.answers(*answer.args)
    monkeypatch.setattr(nvme, "POLL", 1000.0)
    said = run(root, cli).said
    assert re.search(r"does not end: \(2\) .*50 %", said)


def test_only_root_may_change_the_tool(root, cli):
    cli.path.chmod(0o777)
    assert "was not run: others can write" in run(root, cli).said


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [("", None, 0), ("vfio-pci", "vfio-pci", 0), ("vfio-pci", "vfio-pci", 1)],
)
def test_the_driver_is_lent_and_taken_back(root, cli, before, after, status):
    """Also after a failure."""
    text = data("nvme-cli/id-ctrl.json")
    cli.answers("id-ctrl", text, status=status)
    assert run(root, cli, driver=before).clean == (not status)
    assert tools.driver(root) == after
    override = trees.folder(root) / "driver_override"
    assert override.read_text() == "(null)\n"
