# SPDX-License-Identifier: Apache-2.0
"""The search for a fix, and the message to the user.

Most cases are in requests.yaml.
"""

import copy
import json
import logging
import pathlib
from dataclasses import replace
from unittest.mock import Mock

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common.text import MESSAGE_LIMIT
from nova_vhard.explain import fixes, messages, search
from nova_vhard.explain.draft import Draft
from nova_vhard.policy import model, top_violations, verdict
from nova_vhard.policy.hardware import (
    BLOCK_DEVICE,
    NOBODY,
    STORED,
    VOLUME,
    DeviceChoice,
    Holder,
)
from nova_vhard.policy.subject import ATTACH, BOOT, REBUILD, RESIZE, Subject
from nova_vhard.request import nova_api, server_request
from nova_vhard.request.changes import ChangeReader
from nova_vhard.request.lookups import (
    Flavor,
    Image,
    KeptDevice,
    LookupFailed,
    NotFound,
    Server,
)
from tests.unit.cli import tables
from tests.unit.explain import requests, sentences
from tests.unit.explain.requests import (
    FOREIGN,
    OWN,
    WHO,
    allowing,
    answering,
    edits,
    found,
    left,
    made,
    of,
)
from tests.unit.helpers import TODAY, judge, shipped

HERE = pathlib.Path(__file__).parent


@pytest.mark.parametrize("case", tables.cases(HERE / "requests.yaml"))
def test_a_request(case, request):
    before = copy.deepcopy(case)
    rules = requests.rules(case)
    asked, read = requests.made(case)
    _, fix = requests.found(rules, asked, read)
    # the documents themselves are not modified
    assert case == before
    result = {
        "edits": requests.edits(fix),
        "changes": [[*each.values()] for each in fix.changes],
        "documents": [*fix.draft.documents.values()],
    }
    assert {key: result[key] for key in result if key in case} == {
        key: case[key] for key in result if key in case
    }
    if "say" not in case:
        assert requests.left(fix) == case.get("left", [])
        assert fix.complete
        return
    text = sentences.SAYING[case["say"]](rules, asked, read)
    tables.check(request.node.callspec.id, [text], HERE)
    assert text.isprintable()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert len(text.encode()) <= MESSAGE_LIMIT
    # only commands are in backticks, and no command is truncated
    commands = text.partition(messages.TO_FIX)[2].split("`")[1::2]
    assert all(
        word.startswith(("openstack ", "--property ")) for word in commands
    )


def test_a_message_with_a_fix_of_its_own():
    left = [verdict.Violation(("hosts.require",), NO_HOST, model.Mode.WARN)]
    assert fixes.words(search.Fix(Draft(Subject(BOOT)), left)) == "ask"


BASELINE = shipped("baseline")


def choice(source, why=None, allowed=()):
    """Return a violation for a network card."""
    card = DeviceChoice("vif_model", "e1000", source, "hw_x", implied=why)
    cause = verdict.Cause("vif_model", source, "e1000", choice=card)
    return verdict.Violation(
        ("guest_devices.vif_model",), cause, model.Mode.ENFORCE, allowed
    )


NO_HOST = verdict.Cause("", "a source", "it", "no host has it", "ask")
NONE = " (allowed: no value)"


@pytest.mark.parametrize(
    ("violation", "asked"),
    [
        # untrusted text is truncated
        (choice("", "x" * 512), f"hw_x is not set, and {'x' * 512}{NONE}"),
        (choice("", "x" * 513), f"hw_x is not set, and {'x' * 509}…{NONE}"),
        (choice("x" * 128), f"{'x' * 128}='e1000'{NONE}"),
        (choice("x" * 129), f"{'x' * 127}…='e1000'{NONE}"),
        # allowed values are listed
        (choice("x", None, ("a",)), "x='e1000' (allowed: a)"),
        (choice("x", None, ("a", "b\n")), "x='e1000' (allowed: a, b)"),
        # only the text of a message is used
        (
            verdict.Violation(("hosts.require",), NO_HOST, model.Mode.WARN),
            NO_HOST.text,
        ),
    ],
    ids=["why", "long-why", "source", "long-source", "one", "two", "message"],
)
def test_what_is_asked_for_in_a_table(violation, asked):
    assert messages.asked(violation) == asked


def test_the_order_is_the_catalogues_not_the_bodys():
    backwards = dict(reversed(THREE.items()))
    both = [found(BASELINE, of(each)) for each in (THREE, backwards)]
    assert len({messages.api_message(refusals) for refusals, _ in both}) == 1
    first, second = (list(edits(fix).items()) for _, fix in both)
    assert first == second


@pytest.mark.parametrize("limit", [60, 100, messages.SHORT_LIMIT])
def test_a_fault_has_whole_violations_within_its_bytes(limit):
    many = {
        "hw_disk_bus": "ä" * 40,
        "hw_vif_model": "e1000",
        "hw_cdrom_bus": "ide",
        "hw_video_model": "cirrus",
        "hw_sound_model": "sb16",
    }
    refusals = judge(BASELINE, many).refusals
    text = messages.fault_message(refusals, limit)
    assert len(text.encode()) <= limit
    whole = {messages.fault_message([each], 999) for each in refusals}
    *parts, last = text.split("; ")
    assert whole.issuperset(parts)
    assert last == f"and {len(refusals) - len(parts)} more" or not parts


def test_a_table_says_what_the_guest_needs():
    (violation,) = judge(BASELINE, {"hw_disk_bus": "ide"}).refusals
    assert messages.advice(violation) == KINDS["disk_bus"].needs != ""
    host = verdict.Violation(("hosts.require",), NO_HOST, model.Mode.WARN)
    assert messages.advice(host) == ""


def test_what_an_answer_has_at_most_is_its_sentences_and_its_whole_fix():
    fix = "y" * 4000
    cause = verdict.Cause("", "a source", "it", "x`" * 500)
    violation = verdict.Violation(
        ("hosts.require",), cause, model.Mode.ENFORCE
    )
    text = messages.api_message([violation] * top_violations.MOST, fix)
    sentences, _, whole = text.partition(messages.TO_FIX)
    assert whole == fix
    assert len(text.encode()) == MESSAGE_LIMIT
    assert sentences.endswith("...")
    assert "…" not in text
    assert " (12) x'" in sentences
    assert "`" not in text
    # nothing that fits is truncated
    text = messages.api_message([violation] * 10, fix)
    assert " (10) " + cause.text.replace("`", "'") + ". [rule " in text
    assert text.endswith(f"[rule hosts.require]{messages.TO_FIX}{fix}")


SCSI = {"disk_bus": ["scsi"], "scsi_model": ["virtio-scsi"]}
IDE = {"hw_disk_bus": "ide"}
TWO = {**IDE, "hw_vif_model": "e1000"}
IDE_DISK = {"disk_bus": "ide"}
DISKS = {"disk_bus": ["virtio"], "device_type": ["disk", "cdrom"]}


def listed(*entries):
    return {"mappings": json.dumps(entries)}


IMAGE = Image({"hw_disk_bus": "virtio"}, "qcow2", holder=OWN)
V2 = "block_device_mapping_v2"


def test_no_value_is_tried_in_a_flavor():
    find = answering(
        boot_image=IMAGE,
        boot_flavor=Flavor(
            "m1", "1", {"hw:tpm_model": "tpm-tis", "hw:tpm_version": "2.0"}
        ),
    )
    request, read = made({"boot": {}, "find": find})
    counted = Mock(side_effect=read)
    found(allowing({"tpm_version": ["1.2"]}), request, counted)
    assert counted.call_count == 2


def test_each_look_up_is_made_once():
    find = answering(boot_image=IMAGE, boot_flavor=Flavor("m1", "1"))
    request, read = made(
        {"boot": {V2: [{"disk_bus": "ide"}] * 4}, "find": find}
    )
    find.reset_mock()
    _, fix = found(allowing(DISKS), request, read)
    assert len(edits(fix)) == 4
    assert sorted(each[0] for each in find.mock_calls) == [
        "boot_flavor",
        "boot_image",
    ]


@pytest.mark.parametrize(
    ("error", "levels"),
    [
        (NotFound("gone"), []),
        (LookupFailed("busy"), []),
        # a fault of ours
        (ZeroDivisionError("odd"), [logging.ERROR]),
    ],
)
def test_without_an_answer_nothing_is_fixed(error, levels, caplog):
    caplog.set_level(logging.INFO)
    find = answering(boot_image=IMAGE, boot_flavor=Flavor("m1", "1"))
    request, read = made({"boot": {V2: [{"disk_bus": "ide"}]}, "find": find})
    find.boot_flavor.side_effect = error
    refusals, fix = found(allowing(DISKS), request, read)
    assert (edits(fix), fix.left, fix.complete) == ({}, refusals, False)
    assert fix.draft.subject == request.subject
    records = [record for record in caplog.records if record.msg]
    assert [record.levelno for record in records] == levels
    assert all("odd" in str(record.exc_info) for record in caplog.records)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_without_a_reader_or_a_violation_nothing_is_searched(
    is_wanted, caplog
):
    rules = allowing(DISKS)
    request = server_request.ServerRequest(
        of(THREE).hardware, Subject(BOOT, "p1")
    )
    wanted = request.verdict(rules, TODAY).refusals if is_wanted else ()
    read = None if is_wanted else lambda _draft: request
    fix = search.fix(rules, wanted, request, TODAY, read)
    assert (edits(fix), fix.left, fix.complete) == ({}, wanted, False)
    assert not caplog.records


@pytest.mark.parametrize(
    ("method", "body", "kinds", "properties", "expected"),
    [
        *(
            (
                "attach_volume",
                {"volumeAttachment": {"volumeId": "v"}},
                # sata is named sda, and plugged in as scsi
                {"disk_bus": ["sata", "virtio"]},
                {"hw_disk_bus": bus, "hw_vif_model": "e1000"},
                ("hw_disk_bus", "virtio"),
            )
            for bus in ("ide", "sata")
        ),
        # a resize is by Nova's record of the image
        (
            "resize",
            {"resize": {"flavorRef": "2"}},
            {"vif_model": ["virtio"]},
            {"hw_vif_model": "virtio"},
            ("hw_vif_model", "virtio"),
        ),
    ],
)
def test_what_nova_keeps_of_an_image(
    method, body, kinds, properties, expected
):
    server = Server(
        "s1",
        "p1",
        "0ef1",
        hardware=Image(properties, holder=STORED).hardware(),
        properties=properties,
    )
    find = answering(
        server=server,
        flavor=Flavor("m2", "2"),
        kept_devices=[KeptDevice("virtio", root=True)],
        recorded_image=Image({"hw_vif_model": "e1000"}, holder=STORED),
    )
    of_reader = {
        "attach_volume": ChangeReader,
        "resize": nova_api.ServerReader,
    }

    def read(draft=None):
        reader = of_reader[method](draft.lookups(find) if draft else find, WHO)
        return getattr(reader, method)("s1", body)

    request = read()
    assert request.subject.operation in (ATTACH, RESIZE)
    _, fix = found(allowing(kinds), request, read)
    assert not fix.left
    assert [tuple(each.values()) for each in fix.changes] == [
        ("server", None, *expected)
    ]


@pytest.mark.parametrize(
    ("origin", "holder", "project", "foreign"),
    [
        ("image", FOREIGN, "p1", True),
        ("image", OWN, "p1", False),
        ("image", Holder("0ef1"), "p1", False),
        # what Nova keeps has no owner
        ("image", STORED, "p1", False),
        ("image", FOREIGN, None, False),
        # a volume is its project's alone
        (VOLUME, FOREIGN, "p1", False),
    ],
)
def test_whose_an_image_is(origin, holder, project, foreign):
    assert (
        search.is_foreign((origin, holder), Subject(REBUILD, project))
        is foreign
    )


MODES = {
    "disk_bus": {"allow": ["virtio"], "mode": "enforce"},
    "vif_model": {"allow": ["virtio"], "mode": "warn"},
    "sound_model": {"allow": [], "mode": "audit"},
}
THREE = {
    "hw_disk_bus": "ide",
    "hw_vif_model": "e1000",
    "hw_sound_model": "ac97",
}


#: The fix of a warning causes a refusal.
STRICTER = {
    "disk_bus": {"allow": ["scsi"], "mode": "warn"},
    "scsi_model": {"allow": ["buslogic"]},
}


@pytest.mark.parametrize(
    ("rules", "properties", "kinds", "fixed"),
    [
        (MODES, THREE, ["disk_bus"], {"hw_disk_bus": "virtio"}),
        (MODES, THREE, ["vif_model"], {"hw_vif_model": "virtio"}),
        (
            MODES,
            THREE,
            ["disk_bus", "sound_model"],
            {"hw_disk_bus": "virtio", "hw_sound_model": None},
        ),
        (STRICTER, {"hw_disk_bus": "virtio"}, ["disk_bus"], {}),
    ],
)
def test_violations_that_are_asked_about(rules, properties, kinds, fixed):
    rules, request = allowing(rules), of(properties)
    wanted = [
        violation
        for violation in request.verdict(rules, TODAY).violations
        if violation.cause.what in kinds
    ]
    fix = search.fix(rules, wanted, request, TODAY)
    assert (edits(fix), fix.left) == (fixed, [] if fixed else wanted)


def counted(rules, request, monkeypatch, **bounds):
    """Return the result within other limits, and the number of judgements."""
    for name, value in bounds.items():
        monkeypatch.setattr(search, name, value)

    def read(draft):
        return replace(
            request, hardware=draft.image(request.image).hardware(), image=None
        )

    judged = Mock(side_effect=read)
    fix = search.fix(
        rules,
        request.verdict(rules, TODAY).refusals,
        replace(request, image=None),
        TODAY,
        judged,
    )
    return fix, judged.call_count


AT_ONCE = search.MOST_VIOLATIONS


@pytest.mark.parametrize(
    ("kinds", "properties", "bounds", "most", "edited", "complete"),
    [
        # by violations; those that are alike are fixed at once
        (
            ["virtio"],
            listed(*[IDE_DISK] * AT_ONCE),
            {},
            3,
            AT_ONCE,
            True,
        ),
        (
            ["virtio"],
            listed(*[IDE_DISK] * (AT_ONCE + 1)),
            {},
            1,
            0,
            False,
        ),
        (
            {"disk_bus": ["virtio"], "device_type": ["disk"]},
            # as it is, the first, all like it, the other
            listed(
                IDE_DISK,
                {},
                IDE_DISK,
                {"device_type": "lun", "disk_bus": "virtio"},
                IDE_DISK,
                IDE_DISK,
            ),
            {},
            4,
            5,
            True,
        ),
        # by judgements: whether anything else helps is not known
        *(
            (
                # Nova supports none of the values that one of these allows
                {"vif_model": ["lan9118"], "disk_bus": ["virtio"]},
                TWO,
                {"MOST_JUDGEMENTS": most},
                most,
                None,
                False,
            )
            for most in (1, 2, 3)
        ),
        # what found all before its bound is complete
        (["virtio"], IDE, {"MOST_JUDGEMENTS": 2}, 2, 1, True),
        # as it is; on scsi, without the bus: without a controller, twice
        ({**SCSI, "scsi_model": ["buslogic"]}, IDE, {}, 5, 0, True),
    ],
)
def test_a_search_is_bounded(
    kinds, properties, bounds, most, edited, complete, monkeypatch
):
    kinds = {"disk_bus": kinds} if isinstance(kinds, list) else kinds
    fix, judged = counted(
        allowing(kinds), of(properties), monkeypatch, **bounds
    )
    assert judged <= most if edited is None else judged == most
    assert fix.complete is complete
    assert bool(fix.left) is (not complete or not edited)
    assert edited in (None, len(edits(fix)))


def test_needless_edits_are_dropped_within_the_bound(monkeypatch):
    rules = allowing(
        {
            "emulation_architecture": [],
            "firmware_type": ["uefi"],
            "pmu": [],
            **SCSI,
        }
    )
    request = of({"hw_emulation_architecture": "s390x", "hw_pmu": "true"})
    fix, most = counted(rules, request, monkeypatch)
    assert not fix.left
    for bound in range(1, most):
        _, judged = counted(
            rules, request, monkeypatch, **{"MOST_JUDGEMENTS": bound}
        )
        assert judged == bound


def test_a_search_is_bounded_by_the_threads_processor_time(monkeypatch):
    rules = allowing({"vif_model": ["lan9118"]})
    monkeypatch.setattr(search.time, "thread_time", iter(range(9)).__next__)
    fix, judged = counted(rules, of(TWO), monkeypatch, MOST_SECONDS=1)
    assert (judged, fix.complete) == (2, False)


LONG = {"x": "y" * 400, "device_type": "disk"}


@pytest.mark.parametrize(
    ("mappings", "found_edits", "stays", "complete"),
    [
        (json.dumps([{}] * 257), {}, ["disk_bus"], True),
        (json.dumps([LONG] * 200), {}, ["disk_bus"], False),
        ("[" * 9999, {"mappings": None}, [], True),
    ],
    ids=["long", "large", "deep"],
)
def test_a_list_that_cannot_be_edited(mappings, found_edits, stays, complete):
    _, fix = found(
        allowing(DISKS), of({"mappings": mappings, "hw_disk_bus": "virtio"})
    )
    assert (edits(fix), left(fix), fix.complete) == (
        found_edits,
        stays,
        complete,
    )


SUBJECT = Subject(BOOT, "p1")
PLACE = ("image", OWN)
COPY = ("image", FOREIGN)
BEFORE = {"a": "1", "c": "1"}
AFTER = {"a": "2", "b": "2"}


#: A document, edits, and the edited document.
EDITED = [
    ({"a": "1"}, {"a": "2", "b": "3"}, {"a": "2", "b": "3"}),
    ({"a": "1", "b": "2"}, {"a": None, "c": None}, {"b": "2"}),
    # a list in a string, and a list
    ({"a": "[{}, {}]"}, {"a[1].b": "c"}, {"a": '[{}, {"b": "c"}]'}),
    ({"a": [{}, {"b": "d"}]}, {"a[1].b": "c"}, {"a": [{}, {"b": "c"}]}),
    ({"a": [{"b": "d", "e": 1}]}, {"a[0].b": None}, {"a": [{"e": 1}]}),
    ({"a": (None, 5)}, {"a[1]": None}, {"a": [None, {}]}),
]


def test_another_document_is_not_edited():
    draft = Draft(SUBJECT, {(PLACE, "a"): "2"})
    for place in (("image", FOREIGN), ("volume", OWN), ("image", NOBODY)):
        assert draft.of(*place, {"a": "1"}) == {"a": "1"}
    assert len(draft.documents) == 3


DISK = {"hw_disk_bus": "virtio"}
SUBJECTLE = {"hw_pmu": "true", "x": "1", "mappings": "[{}]"}


@pytest.mark.parametrize(
    ("document", "edits", "before", "place", "result"),
    [
        *(
            (given, edits, None, PLACE, result)
            for given, edits, result in EDITED
        ),
        # a change: unchanged properties keep their values
        (AFTER, {}, BEFORE, PLACE, AFTER),
        (AFTER, {"a": None}, BEFORE, PLACE, {"a": "1", "b": "2"}),
        (AFTER, {"b": None}, BEFORE, PLACE, {"a": "2"}),
        (AFTER, {"c": None}, BEFORE, PLACE, {**AFTER, "c": "1"}),
        (AFTER, {"a": "3"}, BEFORE, PLACE, {"a": "3", "b": "2"}),
        # a copy has only the properties that a command sets
        (SUBJECTLE, {}, None, COPY, SUBJECTLE),
        (SUBJECTLE, DISK, None, COPY, {"hw_pmu": "true", **DISK}),
        (
            SUBJECTLE,
            {"mappings[0].disk_bus": "virtio"},
            None,
            COPY,
            {"hw_pmu": "true"},
        ),
        (SUBJECTLE, {"hw_pmu": None}, None, COPY, {}),
        # and only values that need no quotes in a shell
        ({"hw_serial_port_count": "a b"}, DISK, None, COPY, DISK),
        ({"hw_serial_port_count": "$(x)"}, DISK, None, COPY, DISK),
        (
            {"hw_serial_port_count": 2},
            DISK,
            None,
            COPY,
            {**DISK, **{"hw_serial_port_count": "2"}},
        ),
    ],
)
def test_a_document(document, edits, before, place, result):
    """Edits of documents, changes and copies do not modify the original."""
    kept = repr(document)
    named = {(place, name): value for name, value in edits.items()}
    assert Draft(SUBJECT, named).of(*place, document, before) == result
    assert repr(document) == kept


@pytest.mark.parametrize(
    ("edits", "touched"),
    [
        ({}, {"a", "b"}),
        ({"a": None}, {"b"}),
        ({"a": "1", "c": "2"}, {"a", "b", "c"}),
        ({"d": None}, {"a", "b"}),
    ],
)
def test_what_a_change_touches(edits, touched):
    named = {(PLACE, name): value for name, value in edits.items()}
    assert Draft(SUBJECT, named).touched(frozenset("ab")) == touched


def test_an_answer_is_edited_and_kept():
    server = Server("s1", properties={"a": "1"})
    lookups = answering(
        image=Image({"a": "1"}, holder=OWN),
        flavor=Flavor(extra_specs={"a": "1"}),
        boot_files=iter([Image({"a": "1"}, holder=FOREIGN)]),
        server=server,
        port={"a": "1"},
        own_image=None,
    )
    answers = {}
    flavor = ("flavor", NOBODY)
    for value in ("2", "3"):
        edits = {(place, "a"): value for place in (PLACE, flavor)}
        edits[("image", STORED), "hw_disk_bus"] = "ide"
        again = Draft(SUBJECT, edits, answers).lookups(lookups)
        assert again.image("0ef1").properties == {"a": value}
        assert again.flavor("1").extra_specs == {"a": value}
        # a draft edits nothing else, except for the devices that are added
        (file,) = again.boot_files({}, Image())
        found = (again.server("s1"), again.port("p"), again.own_image(server))
        assert (file.properties, *found) == (
            {"a": "1"},
            server,
            {"a": "1"},
            None,
        )
        attach = Draft(replace(SUBJECT, operation=ATTACH), edits, answers)
        (choice,) = attach.lookups(lookups).server("s1").hardware.choices
        assert choice.value == "ide"
    assert len(lookups.mock_calls) == 6
    assert again.image("another") is not None
    assert len(lookups.mock_calls) == 7


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ({"server": {"a": []}}, {"server": {"a": [], "b": "c"}}),
        ({"rescue": {}}, {"rescue": {}}),
        ({"server": None}, {"server": None}),
        ({"server": 1}, {"server": 1}),
        (None, None),
        ("x", "x"),
    ],
)
def test_a_body(body, result):
    draft = Draft(SUBJECT, {((BLOCK_DEVICE, NOBODY), "b"): "c"})
    assert draft.lookups(None).body(body) == result
