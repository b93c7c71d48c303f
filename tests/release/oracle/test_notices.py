# SPDX-License-Identifier: Apache-2.0
"""The oracle itself: what it must notice, and what it must let pass."""

from dataclasses import replace

import pytest

from tests import services
from tests.release.oracle import verdict
from tests.release.oracle.cells import Cell
from tests.release.oracle.cloud import Cloud
from tests.release.oracle.reads import IMAGE, VOLUME, Read
from tests.release.oracle.run import run
from tests.release.oracle.verdict import Observed

DOMAIN = """\
<domain><os><type machine="q35">hvm</type></os><devices>
<disk device="disk"><target bus="{bus}"/></disk>{more}</devices></domain>
"""
CLEAN = DOMAIN.format(bus="virtio", more="")
IDE = DOMAIN.format(bus="ide", more="")
SCSI = DOMAIN.format(
    bus="scsi", more='<controller type="scsi" model="virtio-scsi"/>'
)
NO_MODEL = DOMAIN.format(bus="scsi", more="")
GATE = Read(IMAGE, "i", "r", "")
NOVA = Read(IMAGE, "i", "r", "nova.compute.api:API._get_image")
SEEN = Observed(
    server="s",
    status=202,
    dispatched=True,
    fault="",
    request_id="r",
    reads=(GATE, NOVA),
    before=(),
    after=(CLEAN,),
)


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        ("judged", {}),
        ("unjudged", {"reads": (NOVA,)}),
        ("unjudged", {"reads": (replace(GATE, name="another"), NOVA)}),
        ("unjudged", {"reads": (replace(GATE, kind=VOLUME), NOVA)}),
        ("unjudged", {"reads": (replace(GATE, request_id="q"), NOVA)}),
        ("unjudged", {"reads": (GATE, replace(NOVA, kind=VOLUME))}),
        ("judged", {"reads": (GATE, replace(NOVA, request_id="q"))}),
        ("broken", {"after": (IDE,)}),
        ("judged", {"after": (IDE,), "before": (IDE,)}),
        ("judged", {"after": (SCSI,)}),
        ("broken", {"after": (NO_MODEL,), "before": (SCSI,)}),
        ("broken", {"after": ('<disk><target bus="ide"/></disk>',)}),
        ("refused", {"dispatched": False, "status": 403, "after": ()}),
        ("broken", {"dispatched": False, "status": 403, "after": (IDE,)}),
        ("refused", {"fault": "disk bus ide (allowed: virtio)"}),
        ("not a case", {"status": 400, "reads": ()}),
        ("not a case", {"fault": "no such thing"}),
    ],
)
def test_what_a_cell_comes_to(outcome, change):
    seen = replace(SEEN, **change)
    if not seen.before and "<disk>" in "".join(seen.after):
        seen = replace(seen, before=(CLEAN,))
    assert verdict.of(seen).outcome == outcome


class OpenCloud(Cloud):
    """The same cloud as Nova ships: nothing is judged in it."""

    API_GATE = None
    FILTER = None


@pytest.fixture(scope="module")
def cloud():
    made = OpenCloud("runTest")
    made.setUp()
    yield made
    made.close()


@services.needs_threads("a cloud that lives longer than a test")
@pytest.mark.parametrize(
    ("cell", "outcome"),
    [
        (Cell("boot", "image", "nothing"), "unjudged"),
        (Cell("boot", "volume", "volume:e1000"), "broken"),
        (Cell("attach-port", "image", "nothing"), "unjudged"),
    ],
    ids=str,
)
def test_without_the_gates_a_cell_is_red(cell, outcome, cloud):
    assert run(cloud, cell).outcome == outcome
