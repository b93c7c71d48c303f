# SPDX-License-Identifier: Apache-2.0
"""Loading a policy file: what is accepted, and how a fault is named."""

import re

import pytest

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.common import problems, yaml_lines
from nova_vhard.common.problems import COUNTED, KEPT, PolicyError
from nova_vhard.policy import check, document
from nova_vhard.policy.model import HotPlug, Mode, OnHost, Unanswered
from tests.unit.helpers import judge, policy, write


def faults(tmp_path, text):
    """Return the faults of a file as (line, rest of the message)."""
    path = write(tmp_path / "policy.yaml", text)
    with pytest.raises(PolicyError) as caught:
        document.load(path)
    return [
        (each.line, f"{each.path}: {each.message}")
        for each in caught.value.problems
    ]


def test_every_fault_at_once_with_line_path_and_nearest_name(tmp_path):
    text = """\
        version: "1"
        mode: enforc
        guest_devices:
          disk_bus: {allow: [virtoi]}
          vif_modell: {allow: []}
        exemptions:
          - id: a
            reason: r
            until: 2027-13-01
            images: [x]
            rules: {guest_devices.disk_buss: [ide]}
        """
    assert faults(tmp_path, text) == [
        (
            2,
            "mode: 'enforc' is none of enforce, warn, audit (did you mean "
            "'enforce'?)",
        ),
        (
            4,
            "guest_devices.disk_bus.allow[0]: 'virtoi' is not a disk_bus "
            "that nova knows (did you mean 'virtio'?)",
        ),
        (
            5,
            "guest_devices.vif_modell: is not a known key (did you mean "
            "'vif_model'?)",
        ),
        (9, "exemptions[0].until: '2027-13-01' is no date"),
        (
            10,
            "exemptions[0].images: holds only together with projects: "
            "whoever uploads an image can choose its id",
        ),
        (
            11,
            "exemptions[0].rules.guest_devices.disk_buss: is not the id of "
            "a rule (did you mean 'guest_devices.disk_bus'?)",
        ),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty"),
        ("- a\n", 1, "a mapping of keys"),
        ("version: '2'\n", 1, "'2' is none of 1"),
        ("mode: warn\n", 1, "lacks version"),
        ("version: '1'\nversion: '1'\n", 2, "duplicate key"),
        ("version: '1'\nmode: [warn\n", 3, "cannot be parsed"),
        ("version: '1'\nmode: !!python/none x\n", 2, "is not supported"),
        (
            "version: '1'\nmode: &a [*a]\n",
            2,
            "anchor or alias 'a' is not supported",
        ),
        ("version: '1'\n<<: {mode: warn}\n", 2, "merge keys"),
        ("version: '1'\nenabled: maybe\n", 2, "must be true or false"),
        ("version: '1'\nexemptions: [{id: a}]\n", 2, "lacks reason"),
        ("version: '1'\nprojects: [{mode: warn}]\n", 2, "names neither"),
        ("version: '1'\nrequires: '>=99'\n", 2, "upgrade the package"),
        ("version: '1'\nrequires: soon\n", 2, "is no version"),
        # as long as it may be
        (
            f"version: '1'\nrequires: '{'>=99'.ljust(255)}'\n",
            2,
            "upgrade the package",
        ),
        ("version: '1'\nextends: nothere\n", 2, "baseline, scs, strict"),
        ("version: '1'\nguest_devices: {disk_bus: {}}\n", 1, "lacks its list"),
        (
            "version: '1'\nguest_devices: {pmem: {allow: [], explicit: on}}\n",
            2,
            "no image property sets this",
        ),
        (
            "version: '1'\nguest_devices: {image_signature_hash: "
            "{allow: [SHA-256], replace: {SHA-224: SHA-256}}}\n",
            2,
            "sign it anew",
        ),
        (
            "version: '1'\nguest_devices: {serial_port_count: "
            "{allow: [two]}}\n",
            2,
            "is no number",
        ),
        (
            "version: '1'\nguest_devices: {vif_model: {allow: ['q*']}}\n",
            2,
            "matches no value",
        ),
        (
            "version: '1'\nassume: {machine_type: q35}\n",
            2,
            "assume.machine_type: 'q35' must be a mapping",
        ),
        # What is known does not end the search.
        (
            "version: '1'\nhosts: {require: [iommu, iomu]}\n",
            2,
            "hosts.require[1]: 'iomu' is not a check (did you mean 'iommu'?)",
        ),
    ],
)
def test_fault(tmp_path, text, line, message):
    result = faults(tmp_path, text)
    assert any(at == line and message in words for at, words in result), result


def test_what_is_no_file(tmp_path):
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        document.load(str(tmp_path / "nothing.yaml"))
    with pytest.raises(PolicyError, match="cannot be read: it is a directory"):
        document.load(str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes(b"version: '\xff'\n")
    with pytest.raises(PolicyError, match="is not UTF-8"):
        document.load(str(tmp_path / "latin.yaml"))
    (tmp_path / "deep.yaml").write_text("a: " + "[" * 5000)
    with pytest.raises(PolicyError, match=r"deep|parsed"):
        document.load(str(tmp_path / "deep.yaml"))


def test_extends_merges_mappings_replaces_lists_and_adds_exemptions_up(
    tmp_path,
):
    write(
        tmp_path / "site.yaml",
        """\
        version: "1"
        extends: baseline
        exemptions:
          - {id: a, reason: r, until: 2030-01-01, projects: [p],
             rules: {guest_devices.disk_bus: [ide]}}
        """,
    )
    path = write(
        tmp_path / "policy.yaml",
        """\
        version: "1"
        extends: site.yaml
        guest_devices:
          disk_bus: {mode: warn}
          vif_model: {allow: [virtio, e1000e]}
        exemptions:
          - {id: b, reason: r, until: 2030-01-01, projects: [p],
             rules: {guest_devices.disk_bus: [ide]}}
        """,
    )
    policy = document.load(path)
    disk_bus = policy.guest_devices["disk_bus"]
    assert disk_bus.mode is Mode.WARN
    assert disk_bus.allow.listed == ("virtio", "scsi")
    assert policy.guest_devices["vif_model"].allow.listed == (
        "virtio",
        "e1000e",
    )
    assert [each.id for each in policy.exemptions] == ["b", "a"]
    assert [name.rpartition("/")[2] for name in policy.files] == [
        "policy.yaml",
        "site.yaml",
        "baseline.yaml",
    ]


def test_a_loop_of_extends_is_named(tmp_path):
    write(tmp_path / "policy.yaml", "version: '1'\nextends: other.yaml\n")
    write(tmp_path / "other.yaml", "version: '1'\nextends: policy.yaml\n")
    with pytest.raises(PolicyError, match=r"other.yaml:2: .*extends itself"):
        document.load(str(tmp_path / "policy.yaml"))


def test_two_exemptions_of_one_id(tmp_path):
    path = (
        "{id: a, reason: r, until: 2030-01-01, projects: [p], "
        "rules: {guest_devices.disk_bus: '*'}}"
    )
    text = f"version: '1'\nexemptions:\n- {path}\n- {path}\n"
    assert faults(tmp_path, text) == [
        (4, "exemptions[1].id: 'a' is the id of two exemptions")
    ]


def test_a_kind_without_its_values(tmp_path):
    text = "version: '1'\nguest_devices:\n  disk_bus: {mode: warn}\n"
    assert faults(tmp_path, text) == [
        (3, "guest_devices.disk_bus: lacks its list of allowed values")
    ]


def test_what_is_nested_too_deep(tmp_path):
    depth = yaml_lines.MAX_DEPTH
    text = f"version: '1'\nmode: {'[' * depth}{']' * depth}\n"
    ((line, words),) = faults(tmp_path, text)
    assert line == 2
    assert words.endswith(f": is nested deeper than {depth} levels")


def test_what_is_not_written_has_a_value_of_its_type(tmp_path):
    text = "version: '1'\nguest_devices: {disk_bus: {allow: [virtio]}}\n"
    policy = document.load(write(tmp_path / "policy.yaml", text))
    assert policy.enabled is True
    assert policy.guest_devices["disk_bus"].explicit is False
    assert policy.hypervisor_types == {"qemu", "kvm"}
    assert policy.mode is Mode.ENFORCE
    assert policy.moves_guest_devices is policy.moves_hosts is Mode.WARN
    assert policy.hosts.max_report_age == 2
    assert policy.on_host == OnHost(Mode.AUDIT, HotPlug.REPORT)
    assert policy.on_host.unanswered is Unanswered.ALLOW


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{mode: enforce}", OnHost(Mode.ENFORCE)),
        ("{hot_plug: detach}", OnHost(hot_plug=HotPlug.DETACH)),
        ("{unanswered: refuse}", OnHost(unanswered=Unanswered.REFUSE)),
    ],
)
def test_section_on_host(tmp_path, section, expected):
    text = f"version: '1'\nextends: strict\non_host: {section}\n"
    path = write(tmp_path / "policy.yaml", text)
    assert document.load(path).on_host == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{mode: none}", "'none' is none of enforce, warn, audit"),
        ("{hot_plug: warn}", "'warn' is none of report, detach"),
        ("{unanswered: maybe}", "'maybe' is none of allow, refuse"),
        ("{unansweredd: allow}", "did you mean 'unanswered'?"),
    ],
)
def test_section_on_host_with_a_fault(tmp_path, section, message):
    text = f"version: '1'\non_host: {section}\n"
    path = write(tmp_path / "policy.yaml", text)
    with pytest.raises(PolicyError, match=re.escape(message)):
        document.load(path)


def test_ids_of_digits_stay_text(tmp_path):
    path = write(
        tmp_path / "policy.yaml",
        """\
        version: "1"
        projects:
          - {projects: [00123, 1e10, 2027-01-01], mode: audit}
        """,
    )
    wanted = document.load(path).projects[0].projects
    assert wanted == {"00123", "1e10", "2027-01-01"}


def test_the_digest_follows_the_content_only(tmp_path):
    each = write(tmp_path / "a.yaml", "version: '1'\nmode: warn\n")
    same = write(tmp_path / "b.yaml", "# a comment\nmode: warn\nversion: 1\n")
    other = write(tmp_path / "c.yaml", "version: '1'\nmode: audit\n")
    digests = [document.load(path).digest for path in (each, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_an_outsiders_text_is_quoted_and_cut(tmp_path):
    text = f'version: "1"\nmode: "{"x" * 500}\\u202e"\n'
    message = faults(tmp_path, text)[0][1]
    assert len(message) < 150
    assert "\u202e" not in message


def test_near_names_are_looked_for_as_often_as_they_are_read():
    keys = {f"mod{number}": "warn" for number in range(3 * KEPT)}
    messages = [text for _, text in check.faults({"version": "1", **keys})]
    assert len(messages) == 3 * KEPT
    assert sum("did you mean" in text for text in messages) == KEPT


def test_a_path_is_as_it_is_and_a_shipped_policy_has_a_name():
    assert document.resolve("a.yaml") == "a.yaml"
    assert document.resolve("a.yaml", "/etc") == "/etc/a.yaml"
    assert document.resolve("strict", "/etc") == document.shipped("strict")


def test_every_file_that_was_tried_is_told(tmp_path):
    path = write(tmp_path / "policy.yaml", 'version: "1"\nextends: gone\n')
    watched = []
    with pytest.raises(PolicyError):
        document.load(path, watched)
    assert watched == [path, str(tmp_path / "gone")]


@pytest.mark.parametrize("calls", [0, 1])
def test_whatever_fails_names_the_file(tmp_path, monkeypatch, calls):
    path = write(tmp_path / "policy.yaml", 'version: "1"\n')
    plain, made = document.origin.plain, []

    def fail(part):
        made.append(part)
        if len(made) > calls:
            raise RuntimeError("broken")
        return plain(part)

    monkeypatch.setattr(document.origin, "plain", fail)
    with pytest.raises(PolicyError, match="broken") as raised:
        document.effective(path)
    assert raised.value.problems[0].file == path


EXEMPTION = """\
exemptions:
  - id: same
    reason: r
    until: 2027-01-01
    projects: [p1]
    rules: {guest_devices.disk_bus: [ide]}
"""


def test_a_fault_of_all_files_together_is_where_it_is_said(tmp_path):
    base = write(tmp_path / "base.yaml", f'version: "1"\n{EXEMPTION}')
    over = f'version: "1"\nextends: base.yaml\n{EXEMPTION}'
    path = write(tmp_path / "policy.yaml", over)
    with pytest.raises(PolicyError) as raised:
        document.load(path)
    (problem,) = raised.value.problems
    assert problem.file in (base, path)
    assert "same" in problem.message
    path = write(
        tmp_path / "empty.yaml", 'version: "1"\nguest_devices: {pmu: {}}\n'
    )
    with pytest.raises(PolicyError) as raised:
        document.load(path)
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == (path, 1)


def test_what_one_file_says_names_that_file(tmp_path, monkeypatch):
    path = write(tmp_path / "policy.yaml", 'version: "1"\nmode: warn\n')
    assert document.own(path) == {
        "version": document.origin.Said("1", path, 1),
        "mode": document.origin.Said("warn", path, 2),
    }
    monkeypatch.setattr(document.origin, "tree", failing)
    for read in (document.own, document.load):
        with pytest.raises(PolicyError, match="broken") as raised:
            read(path)
        assert raised.value.problems[0].file == path


def test_what_cannot_be_made_of_files_names_the_outermost(
    tmp_path, monkeypatch
):
    path = write(tmp_path / "policy.yaml", 'version: "1"\n')
    monkeypatch.setattr(document, "merged", lambda *_: (None, [path]))
    with pytest.raises(PolicyError, match="AttributeError") as raised:
        document.effective(path)
    assert raised.value.problems[0].file == path


def failing(*_):
    raise RuntimeError("broken")


def test_a_kept_copy_names_where_it_was_kept(monkeypatch):
    keys = dict.fromkeys(map("key{}".format, range(2 * COUNTED)), 1)
    with pytest.raises(PolicyError) as raised:
        document.restore({"version": "1", **keys}, "kept")
    assert {problem.file for problem in raised.value.problems} == {"kept"}
    monkeypatch.setattr(check, "faults", failing)
    with pytest.raises(PolicyError, match="broken") as raised:
        document.restore({"version": "1"}, "kept")
    assert raised.value.problems[0].file == "kept"


@pytest.mark.parametrize("base", ["[a]", "{a: b}", '""'])
def test_what_is_extended_has_a_name(tmp_path, base):
    text = f'version: "1"\nextends: {base}\n'
    ((line, message),) = faults(tmp_path, text)
    assert line == 2
    assert message.startswith("extends: ")
    assert "by a fault of nova-vhard" not in message


def test_what_is_broken_is_not_merged(tmp_path):
    write(tmp_path / "base.yaml", 'version: "1"\nexemptions: {}\n')
    over = f'version: "1"\nextends: base.yaml\n{EXEMPTION}'
    ((line, message),) = faults(tmp_path, over)
    assert line == 2
    assert message.startswith("exemptions: ")


def test_reading_ends_with_the_faults_that_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(problems, "COUNTED", 3)
    result = faults(tmp_path, 'version: "1"\na: 1\nb: 1\nc: 1\nd: 1\n')
    assert [line for line, _ in result] == [2, 3, 4]


def test_a_replacement_of_a_rule_that_another_file_has():
    device = {"disk_bus": {"replace": {"ide": "virtio"}}}
    content = {"version": "1", "extends": "baseline", "guest_devices": device}
    assert list(check.faults(content)) == []


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ({"hosts.require": "*", "guest_devices.pmu": "*"}, []),
        (
            {"guest_devices.disk_bus": ["ide", "idee"]},
            [("rules", "guest_devices.disk_bus", 1)],
        ),
    ],
)
def test_what_an_exemption_may_lift(rules, result):
    entry = {"id": "a", "reason": "r", "until": "2027-01-01"}
    entry = {**entry, "projects": ["p"], "rules": rules}
    content = {"version": "1", "exemptions": [entry]}
    places = [place for place, _ in check.faults(content)]
    assert places == [("exemptions", 0, *place) for place in result]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("virtoi", " (did you mean 'virtio'?)"),
        ("virtio" + "x" * 59, ""),
        (None, ""),
    ],
)
def test_the_nearest_word_to_one_that_is_not_too_long(word, near):
    assert problems.nearest(word, ["virtio", "scsi"]) == near


@pytest.mark.parametrize(("length", "result"), [(64, True), (65, False)])
def test_a_word_up_to_64_characters_has_a_near_one(length, result):
    word = "v" * length
    assert bool(problems.nearest(word, [word])) is result


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "and 1 more"),
        (COUNTED - KEPT - 1, f"and {COUNTED - KEPT - 1} more"),
        (COUNTED - KEPT, f"and at least {COUNTED - KEPT} more"),
    ],
)
def test_how_many_faults_there_are_beside(count, text):
    assert problems.more_text(count) == text


@pytest.mark.parametrize("value", ["true", "false", "YES", "0"])
def test_any_word_of_true_and_false(value):
    kinds = [kind for kind in KINDS.values() if kind.value_type == "bool"]
    for kind in kinds:
        rules = policy(guest_devices={kind.name: {"allow": ["*"]}})
        allow = rules.guest_devices[kind.name].allow
        assert kind.canonical(value) in allow
        assert not allow.literals


def test_any_word_of_true_and_false_in_an_exemption():
    entry = {
        "id": "a",
        "reason": "r",
        "until": "2030-01-01",
        "projects": ["p1"],
        "rules": {"guest_devices.pmu": ["*"]},
    }
    rules = policy(
        guest_devices={"pmu": {"allow": ["false"]}}, exemptions=[entry]
    )
    assert judge(rules, {"hw_pmu": "true"}).violations == ()


@pytest.mark.parametrize("name", ["projects", "exemptions"])
def test_a_free_name_that_is_a_section_elsewhere(tmp_path, name):
    rule = f"machine_type: {{allow: [q35], replace: {{{name}: q35}}}}"
    text = f'version: "1"\nguest_devices: {{{rule}}}\n'
    write(tmp_path / "base.yaml", text)
    path = write(tmp_path / "policy.yaml", f"{text}extends: base.yaml\n")
    replace = document.load(path).guest_devices["machine_type"].replace
    assert replace == {name: "q35"}
