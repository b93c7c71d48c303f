# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status: what it says of a node's files."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from oslo_upgradecheck.upgradecheck import Code

from nova_vhard.catalogue.devices import OF_FILE
from nova_vhard.cmd import status
from nova_vhard.common import mounts
from nova_vhard.policy import check as policy_check
from nova_vhard.status import (
    files,
    gates,
    options,
    permissions,
    policy,
    settings,
)
from nova_vhard.status.answers import NotHere
from tests.unit.cli.nodes import (
    GLANCE,
    NOVA,
    POLICY,
    STOCK,
    Etc,
    gated,
    shipped,
)

pytestmark = pytest.mark.services
SUCCESS, WARNING, FAILURE = Code.SUCCESS, Code.WARNING, Code.FAILURE
AUDIT = "version: '1'\nextends: baseline\nmode: audit\n"
OURS = "available_filters = nova_vhard.gates.scheduler.VirtHardeningFilter\n"
ALL = "available_filters = nova.scheduler.filters.all_filters\n"
PCI = "[filter_scheduler]\nenabled_filters = A,PciPassthroughFilter\n"


@pytest.fixture
def etc(tmp_path, monkeypatch):
    # Whoever runs the tests stands for root.
    monkeypatch.setattr(permissions, "_ROOT", os.getuid())
    monkeypatch.setattr(permissions, "HOOK", str(tmp_path / "no-hook"))
    return Etc(tmp_path)


def look(check, etc):
    """Run one check as the command does."""
    return status._run(check, etc.node, None)


def test_a_single_value_names_every_filter(etc):
    single = "available_filters = nova_vhard.gates.scheduler.all_filters\n"
    lines = f"{single}enabled_filters = VirtHardeningFilter,{STOCK}\n"
    etc.nova(f"[filter_scheduler]\n{lines}")
    result = look(gates.scheduler, etc)
    assert result.code == SUCCESS, result.details


def test_a_node_where_all_was_done(etc):
    for check in (
        policy.policy,
        options.options,
        gates.scheduler,
        gates.nova_api,
        gates.glance_api,
        gates.imports,
        settings.service_token,
        settings.access_rules,
        settings.pci_passthrough,
        settings.signatures,
        settings.prefilter,
        settings.defaults,
        permissions.permissions,
    ):
        result = look(check, etc)
        assert result.code == SUCCESS, result.details
        assert result.details


@pytest.mark.parametrize(
    ("lines", "code", "text"),
    [
        (f"{ALL}{OURS}enabled_filters = {STOCK}", FAILURE, "is not in"),
        (
            f"{OURS}enabled_filters = VirtHardeningFilter,{STOCK}",
            FAILURE,
            "setting it to ours replaces",
        ),
        (
            f"{ALL}enabled_filters = VirtHardeningFilter,{STOCK}",
            FAILURE,
            "does not start",
        ),
        (
            f"enabled_filters = VirtHardeningFilter,{STOCK}",
            FAILURE,
            "does not start",
        ),
        (
            f"{ALL}{OURS}enabled_filters = {STOCK},VirtHardeningFilter",
            WARNING,
            "after ComputeFilter",
        ),
        (
            f"{ALL}{OURS}enabled_filters = VirtHardeningFilter",
            WARNING,
            "AffinityFilter is not in enabled_filters, and Nova enables",
        ),
        (
            f"{OURS}available_filters = nova.scheduler.filters."
            "compute_filter.ComputeFilter\n"
            f"enabled_filters = VirtHardeningFilter,{STOCK},Own",
            SUCCESS,
            "Filter, Own",
        ),
        ("", FAILURE, "is not in enabled_filters"),
    ],
)
def test_scheduler_filter(etc, lines, code, text):
    etc.nova(f"[filter_scheduler]\n{lines}\n")
    result = look(gates.scheduler, etc)
    assert result.code == code
    assert text in result.details


@pytest.mark.parametrize("gone", STOCK.split(","))
def test_each_of_novas_own_filters_is_missed(etc, gone):
    etc.nova(NOVA.replace(f",{gone}", ""))
    result = look(gates.scheduler, etc)
    assert result.code == WARNING
    assert result.details.startswith(f"{gone} is not in")
    assert result.details.count("is not in enabled_filters") == 1


TENANTS = "AggregateMultiTenancyIsolation,ComputeFilter"
CLASS = "nova_vhard.gates.scheduler.VirtHardeningFilter"
NOVA_ALL = "nova.scheduler.filters.all_filters"


@pytest.mark.parametrize(
    ("lines", "available", "enabled"),
    [
        ("", [NOVA_ALL, CLASS], STOCK),
        (f"enabled_filters = {TENANTS}", [NOVA_ALL, CLASS], TENANTS),
        (
            "available_filters = x.All\navailable_filters = y.Other",
            ["x.All", "y.Other", CLASS],
            STOCK,
        ),
        # What it has printed once it prints again.
        (
            f"{ALL}{OURS}enabled_filters = {TENANTS}, VirtHardeningFilter",
            [NOVA_ALL, CLASS],
            TENANTS,
        ),
        (
            "available_filters = nova_vhard.gates.scheduler.all_filters",
            ["nova_vhard.gates.scheduler.all_filters"],
            STOCK,
        ),
    ],
)
def test_the_filters_to_write(etc, capsys, lines, available, enabled):
    etc.nova(f"[filter_scheduler]\n{lines}\n")
    assert status.main([*etc.arguments, "filters"]) == 0
    printed = capsys.readouterr().out
    etc.nova(printed)
    group = etc.node.nova.filter_scheduler
    assert group.available_filters == available
    assert group.enabled_filters == [
        "VirtHardeningFilter",
        *enabled.split(","),
    ]
    assert "does not start" not in look(gates.scheduler, etc).details
    assert status.main([*etc.arguments, "filters"]) == 0
    assert capsys.readouterr().out == printed


def test_no_filters_to_read(etc, capsys):
    (etc.folder / "nova/nova.conf").unlink()
    assert status.main([*etc.arguments, "filters"]) == 255
    assert "nova/nova.conf" in capsys.readouterr().err
    etc.write("nova/nova.conf", "x")
    assert status.main([*etc.arguments, "filters"]) == 255
    assert status.main(["filters", "--bogus"]) == 2


def test_options_in_a_folder_of_more_count(etc):
    (etc.folder / "nova/nova.conf.d").mkdir()
    text = f"[filter_scheduler]\nenabled_filters = {STOCK}\n"
    etc.write("nova/nova.conf.d/local.conf", text)
    assert look(gates.scheduler, etc).code == FAILURE


@pytest.mark.parametrize("way", ["openstack_compute_api_v21", "_compatible"])
def test_a_nova_pipeline_without_the_gate(etc, way):
    """In the old form, in which each pipeline names it."""
    text = gated("nova").replace("filter-with = vhard\n", "")
    start = text.index(f"{way}]")
    text = text.replace("keystonecontext ", "keystonecontext vhard ")
    text = text[:start] + text[start:].replace(" vhard", "", 1)
    path = etc.write("nova/api-paste.ini", text)
    result = look(gates.nova_api, etc)
    assert result.code == FAILURE
    assert f"{way}] keystone:" in result.details
    assert f"nova-vhard-paste add nova {path}" in result.details


@pytest.mark.parametrize(
    ("paste", "text"),
    [
        (None, "there is no api-paste.ini"),
        ("keystone = x\n", "is not a paste file"),
        ("[filter:x]\n", "no pipeline has keystonecontext"),
    ],
)
def test_a_nova_paste_file_that_cannot_be_used(etc, paste, text):
    path = etc.folder / "nova/api-paste.ini"
    path.unlink()
    if paste is not None:
        path.write_text(paste)
    result = look(gates.nova_api, etc)
    assert result.code == FAILURE
    assert text in result.details


def test_nova_without_users_has_no_gate(etc):
    etc.nova(NOVA + "[api]\nauth_strategy = noauth2\n")
    result = look(gates.nova_api, etc)
    assert result.code == FAILURE
    assert "noauth2" in result.details


FLAVORS = ("default", "caching", "keystone", "keystone+cachemanagement")


@pytest.mark.parametrize("flavor", FLAVORS)
def test_glance_flavors_with_and_without(etc, flavor):
    """Each pipeline is looked at, whichever [paste_deploy] flavor names."""
    assert look(gates.glance_api, etc).code == SUCCESS
    text = re.sub(
        "([ -]context) ",
        r"\1 vhard ",
        gated("glance").replace("filter-with = vhard\n", ""),
    )
    etc.write("glance/glance-api-paste.ini", text)
    assert look(gates.glance_api, etc).code == SUCCESS
    lines = [
        line.replace(" vhard", "") if line.startswith(f"{flavor} =") else line
        for line in text.splitlines()
    ]
    etc.write("glance/glance-api-paste.ini", "\n".join(lines))
    result = look(gates.glance_api, etc)
    assert result.code == FAILURE
    assert f"context in [composite:api] {flavor}:" in result.details


def test_a_glance_paste_file_of_old(etc):
    text = (
        "[pipeline:glance-api-keystone]\npipeline = authtoken context {}app\n"
        "[filter:vhard]\npaste.filter_factory = "
        "nova_vhard.gates.glance_api:filter_factory\n"
    )
    path = etc.write("old.ini", text.format("vhard "))
    etc.glance(f"[paste_deploy]\nflavor = keystone\nconfig_file = {path}\n")
    assert look(gates.glance_api, etc).code == SUCCESS
    path.write_text(text.format(""))
    assert look(gates.glance_api, etc).code == FAILURE


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("[vhard]", SUCCESS, "[vhard]"),
        ("[inject_image_metadata, vhard]", SUCCESS, "vhard"),
        ("[vhard, inject_image_metadata]", WARNING, "after vhard"),
        ("[]", FAILURE, "not checked"),
        ("['no_op']", FAILURE, "not checked"),
        # Glance does not start with this.
        ("vhard", FAILURE, "invalid value"),
    ],
)
def test_import_plugins(etc, value, code, text):
    etc.glance(f"[image_import_opts]\nimage_import_plugins = {value}\n")
    result = look(gates.imports, etc)
    assert result.code == code
    assert text in result.details


@pytest.mark.parametrize(
    ("group", "code", "text"),
    [
        ("", WARNING, "shelved"),
        ("send_service_user_token = false", WARNING, "shelved"),
        ("send_service_user_token = true", WARNING, "no auth_type"),
        (
            "send_service_user_token = true\nauth_section = placement",
            SUCCESS,
            "is on",
        ),
        ("send_service_user_token = perhaps", FAILURE, "perhaps"),
    ],
)
def test_service_user(etc, group, code, text):
    etc.nova(f"[service_user]\n{group}\n")
    result = look(settings.service_token, etc)
    assert result.code == code
    assert text in result.details


TYPE = "service_type = placement"
ROLES = "service_token_roles_required = true"


@pytest.mark.parametrize(
    ("lines", "code", "text"),
    [
        (f"{TYPE}\n{ROLES}", SUCCESS, "enforces the access rules"),
        (ROLES, WARNING, "service_type is not set"),
        (f"service_type = x\x1b\n{ROLES}", WARNING, "service_type is x in"),
        (TYPE, FAILURE, "service_token_roles_required is off"),
        (f"{TYPE}\n{ROLES[:-4]}no", FAILURE, "X-Service-Token"),
        (f"{TYPE}\n{ROLES[:-4]}maybe", FAILURE, "invalid value"),
    ],
)
def test_access_rules(etc, lines, code, text):
    etc.write("placement/placement.conf", f"[keystone_authtoken]\n{lines}\n")
    result = look(settings.access_rules, etc)
    assert result.code == code
    assert text in result.details


def test_without_placements_file_its_access_rules_are_not_checked(etc):
    (etc.folder / "placement/placement.conf").unlink()
    result = look(settings.access_rules, etc)
    assert result.code == WARNING
    assert result.details.startswith("Not checked: ")


def test_the_reporters_login_is_its_hosts_own_where_it_has_one(etc):
    own = "[placement]\nauth_section = vhard_host\n"
    etc.write("reporter.conf", "[placement]\nauth_type = password\n")
    assert etc.node.reporter.placement.auth_section is None
    etc.write("reporter-placement.conf", own)
    assert etc.node.reporter.placement.auth_section == "vhard_host"
    (etc.folder / "reporter.conf").unlink()
    with pytest.raises(NotHere, match=r"reporter\.conf"):
        _ = etc.node.reporter


@pytest.mark.parametrize(
    ("allow", "switch", "code"),
    [
        ("{aliases: [gpu]}", "false", WARNING),
        ("{aliases: [gpu]}", "true", SUCCESS),
        ("{aliases: '*'}", "false", WARNING),
        ("{ports: [vf]}", "false", WARNING),
        ("{mdev: [VGPU]}", "false", SUCCESS),
        ("{}", "false", SUCCESS),
    ],
)
def test_pci_in_placement(etc, allow, switch, code):
    etc.write("policy.yaml", f"{POLICY}passthrough: {{allow: {allow}}}\n")
    etc.nova(f"{PCI}pci_in_placement = {switch}\n")
    assert look(settings.pci_passthrough, etc).code == code


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (f"{POLICY}passthrough: {{allow: {{aliases: [gpu]}}}}\n", FAILURE),
        (f"{POLICY}passthrough: {{allow: {{ports: [vf]}}}}\n", FAILURE),
        (f"{POLICY}passthrough: {{allow: {{mdev: [VGPU]}}}}\n", SUCCESS),
        # It does not say that there are any.
        ("version: '1'\n", SUCCESS),
        (POLICY, SUCCESS),
    ],
)
def test_devices_that_no_filter_looks_for(etc, policy, code):
    etc.write("policy.yaml", policy)
    etc.nova("[filter_scheduler]\npci_in_placement = true\n")
    result = look(settings.pci_passthrough, etc)
    assert result.code == code
    assert ("lacks PciPassthroughFilter" in result.details) == (
        code == FAILURE
    )


@pytest.mark.parametrize(
    ("switch", "code"), [("false", FAILURE), ("true", SUCCESS)]
)
def test_devices_that_must_be_one_time_use(etc, switch, code):
    rule = "{allow: {aliases: [gpu]}, require: [one_time_use]}"
    etc.write("policy.yaml", f"{POLICY}passthrough: {rule}\n")
    etc.nova(f"{PCI}pci_in_placement = {switch}\n")
    assert look(settings.pci_passthrough, etc).code == code


def test_a_policy_without_a_word_on_passthrough_allows_it(etc):
    etc.write("policy.yaml", "version: '1'\n")
    assert look(settings.pci_passthrough, etc).code == WARNING


def signed(*names, explicit="true"):
    """Return a policy with rules about signatures."""
    rule = f'{{allow: ["?*"], explicit: {explicit}}}'
    rules = ", ".join(f"{name}: {rule}" for name in names)
    return f"version: '1'\nguest_devices: {{{rules}}}\n"


CLONED = "[libvirt]\nimages_type = rbd\n"
VERIFIED = "[glance]\nverify_glance_signatures = true\n"


@pytest.mark.parametrize(
    ("text", "conf", "code", "words"),
    [
        (signed(*OF_FILE), VERIFIED, SUCCESS, "Nova verifies"),
        (signed(*OF_FILE), "", WARNING, "are not verified"),
        (signed(*OF_FILE), VERIFIED + CLONED, WARNING, "clones an image"),
        ("version: '1'\n", CLONED, SUCCESS, "not require signed"),
        (signed(*OF_FILE, explicit="false"), VERIFIED, WARNING, "are missing"),
        (
            signed("image_signature"),
            VERIFIED,
            WARNING,
            "image_signature_certificate, image_signature_hash, "
            "image_signature_key_type with explicit",
        ),
        ("version: '1'\n", "", SUCCESS, "not require signed"),
    ],
)
def test_signatures(etc, text, conf, code, words):
    etc.write("policy.yaml", text)
    etc.nova(conf)
    result = look(settings.signatures, etc)
    assert result.code == code
    assert words in result.details


NONE = "guest_devices: {viommu_model: {allow: []"


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("", WARNING),
        (f"{NONE}}}}}\n", SUCCESS),
        (f"{NONE}, mode: warn}}}}\n", WARNING),
        (f"mode: audit\n{NONE}}}}}\n", WARNING),
        (f"mode: audit\n{NONE}, mode: enforce}}}}\n", SUCCESS),
        (f"enabled: false\n{NONE}}}}}\n", WARNING),
        (
            f"{NONE}}}}}\nprojects: [{{mode: audit, projects: [p]}}]\n",
            WARNING,
        ),
    ],
)
def test_prefilter_and_viommu(etc, rules, code):
    etc.write("policy.yaml", POLICY + rules)
    etc.nova("[scheduler]\nimage_metadata_prefilter = true\n")
    result = look(settings.prefilter, etc)
    assert result.code == code, result.details


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ("", SUCCESS, "No nova-compute with libvirt"),
        (
            "compute_driver = ironic.IronicDriver",
            SUCCESS,
            "No nova-compute with libvirt",
        ),
        (
            "compute_driver = libvirt.LibvirtDriver",
            WARNING,
            "is pc, but the policy assumes q35",
        ),
        (
            "compute_driver = libvirt.LibvirtDriver\n[libvirt]\n"
            "hw_machine_type = aarch64=virt,x86_64=pc-q35-9.2",
            SUCCESS,
            "assumptions",
        ),
        (
            "compute_driver = libvirt.LibvirtDriver\nforce_config_drive=1\n"
            "[libvirt]\nhw_machine_type = x86_64=q35\nvirt_type=qemu\n"
            "use_virtio_for_bridges=false",
            WARNING,
            "virt_type is qemu",
        ),
    ],
)
def test_defaults(etc, options, code, text):
    etc.nova(f"[DEFAULT]\n{options}\n")
    result = look(settings.defaults, etc)
    assert result.code == code
    assert text in result.details
    if "virt_type=" in options:
        assert "use_virtio_for_bridges is False" in result.details
        assert "force_config_drive is True" in result.details


@pytest.mark.parametrize(
    ("option", "code", "named"),
    [
        ("posture_ttl = soon", FAILURE, "posture_ttl in [vhard] of"),
        ("posture_max_age = -3", FAILURE, "posture_max_age in [vhard] of"),
        ("help_url = docs", FAILURE, "help_url in [vhard] of"),
        ("notifications = perhaps", FAILURE, "notifications in [vhard] of"),
        (
            "attestation_key_file = a/key",
            WARNING,
            "is a/key, which is relative",
        ),
        ("polcy_file = /srv/p", WARNING, "ignored: is policy_file meant?"),
        ("whatever = 1", WARNING, "not an option of nova-vhard"),
        ("posture_ttl = 1", SUCCESS, "every option can be used"),
    ],
)
@pytest.mark.parametrize("service", ["nova", "glance"])
def test_an_option_of_vhard(etc, service, option, code, named):
    more = etc.folder / service / f"{service}.conf.d"
    more.mkdir()
    (more / "50-vhard.conf").write_text(f"[vhard]\n{option}\n")
    result = look(options.options, etc)
    assert result.code == code, result.details
    assert named in result.details
    if code != SUCCESS:
        assert result.details.count(option.partition(" ")[0]) in (1, 2)
        assert str(etc.folder / service) in result.details


def test_options_of_a_node_without_services(etc):
    for service in ("nova/nova", "glance/glance-api"):
        (etc.folder / f"{service}.conf").unlink()
    assert look(options.options, etc).code == WARNING


def test_a_broken_policy_with_and_without_a_last_good_copy(etc):
    etc.keep("nova-api")
    etc.write("policy.yaml", "version: '1'\nmode: [\n")
    result = look(policy.policy, etc)
    assert result.code == FAILURE
    assert result.details.count("policy.yaml:3: ") == 1
    assert "stays in force (nova-api: " in result.details
    # Glance has none.
    assert (
        "glance-api would have no policy: glance-api answers 503"
        in result.details
    )
    assert "does not start" not in result.details


def test_services_that_judge_by_the_policy(etc):
    for service in ("nova-api", "nova-scheduler", "glance-api"):
        etc.keep(service)
        etc.runs(service)
    result = look(policy.policy, etc)
    assert result.code == SUCCESS
    assert result.details.count(" of ") == 1


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        (
            {"text": AUDIT},
            WARNING,
            "checked no request since the file changed",
        ),
        ({"release": "0.9"}, WARNING, "runs nova-vhard 0.9, and this"),
        ({"file": "/else.yaml"}, WARNING, "of /else.yaml, not of"),
        (
            {"refused": "f:2: no"},
            WARNING,
            "the file since 2026-06-15T12:03:00+00:00: f:2: no. Fix",
        ),
        ({"refused": "f:2: no", "policy": None}, FAILURE, "uses policy None"),
    ],
)
def test_a_service_that_runs_something_else(etc, more, code, text):
    etc.runs("nova-scheduler")
    etc.runs("glance-api", **more)
    result = look(policy.policy, etc)
    assert result.code == code
    assert "glance-api " in result.details and text in result.details
    assert "nova-scheduler" not in result.details


def test_what_a_service_keeps_and_nobody_can_read(etc):
    etc.write("state/policy-glance-api.json", "{")
    etc.write("state/policy-nova-api.json.runs", "[")
    loop = etc.folder / "state/policy-nova-scheduler.json"
    loop.symlink_to(loop)
    result = look(policy.policy, etc)
    assert result.code == WARNING
    for service in ("nova-api", "nova-scheduler", "glance-api"):
        assert (
            f"The saved policy of {service} cannot be used" in result.details
        )


def test_a_copy_that_this_version_rejects_in_a_file(etc, monkeypatch):
    """It holds, and so does the policy before the restart."""
    etc.keep("nova-api")
    etc.write("policy.yaml", "version: '1'\nmode: [\n")
    monkeypatch.setattr(
        policy_check, "conflicts", lambda *_, **__: [(("extends",), "is gone")]
    )
    result = look(policy.policy, etc)
    assert "stays in force (nova-api: " in result.details


def test_what_the_next_version_rejects_is_a_warning(etc, monkeypatch):
    fault = ("extends",), "will be an error"
    monkeypatch.setattr(policy_check, "deprecations", lambda data: [fault])
    result = look(policy.policy, etc)
    assert result.code == WARNING
    assert "policy.yaml:2: extends: will be an error." in result.details


def test_two_policies_and_one_that_is_switched_off(etc):
    other = etc.write("other.yaml", AUDIT + "enabled: false\n")
    etc.write(
        "glance/glance-api.conf", f"{GLANCE}[vhard]\npolicy_file = {other}\n"
    )
    result = look(policy.policy, etc)
    assert result.code == WARNING
    assert "use different policies" in result.details
    assert "enabled: false" in result.details


def run(etc, capsys, *more):
    code = status.main([*etc.arguments, "upgrade", "check", *more])
    return code, capsys.readouterr()


def test_a_node_without_any_of_the_files(tmp_path, capsys):
    etc = Etc(tmp_path)
    for name in ("nova/nova", "glance/glance-api", "placement/placement"):
        (tmp_path / f"{name}.conf").unlink()
    code, (out, err) = run(etc, capsys, "--json")
    assert code == WARNING
    assert err == ""
    result = json.loads(out)
    assert [each["check"] for each in result["checks"]] == list(status.CHECKS)
    for each in result["checks"]:
        assert each["result"] == WARNING
        assert each["details"].startswith("Not checked: ")
        assert "Traceback" not in each["details"]


def test_a_compute_node_without_glance(etc, capsys):
    (etc.folder / "glance/glance-api.conf").unlink()
    _, (out, _) = run(etc, capsys, "--json")
    result = {each["check"]: each for each in json.loads(out)["checks"]}
    assert result["Policy"]["result"] == SUCCESS
    assert result["Glance API gate"]["result"] == WARNING
    assert (
        "glance-api.conf does not exist on this"
        in result["Glance API gate"]["details"]
    )


@pytest.mark.parametrize(
    "text", ["no group\n", "[x]\n= y\n", "[vhard]\nposture_ttl = 0\n"]
)
def test_a_broken_nova_conf_is_said_and_does_not_end_it(etc, capsys, text):
    etc.write("nova/nova.conf", text)
    code, (out, err) = run(etc, capsys, "--json")
    assert code == FAILURE
    assert "Traceback" not in out + err
    result = {each["check"]: each for each in json.loads(out)["checks"]}
    assert result["Glance API gate"]["result"] == SUCCESS


def test_the_table_and_wrong_arguments(etc, capsys):
    code, (out, _) = run(etc, capsys)
    assert code == FAILURE  # there is no login to Placement
    assert "| Check: Nova API gate" in out
    assert "| Result: Success" in out
    for wrong in (["upgrade", "check", "--bogus"], [], ["--config-file=/x"]):
        assert status.main(wrong) == 2, wrong
        assert "Traceback" not in "".join(capsys.readouterr())
    for asked in (["--help"], ["probe", "--help"], ["probe-scheduler", "-h"]):
        capsys.readouterr()
        assert status.main(asked) == 0
        assert "probe-scheduler boots a server" in capsys.readouterr().out


def test_it_runs_where_there_is_neither_nova_nor_glance(etc):
    code = (
        "import sys\n"
        "for name in ('nova', 'glance', 'placement'):\n"
        "    sys.modules[name] = None\n"
        "from nova_vhard.cmd import status\n"
        "sys.exit(status.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, *etc.arguments]
    ended = subprocess.run(
        [*command, "upgrade", "check", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == FAILURE, ended.stderr
    result = json.loads(ended.stdout)["checks"]
    gate = {each["check"]: each["result"] for each in result}
    assert gate["Nova API gate"] == SUCCESS
    assert "crashed" not in ended.stdout


def test_what_is_beside_the_policy_file_is_a_warning(etc, monkeypatch):
    path = etc.folder / "policy.yaml"
    path.with_name("policy.yaml.disabled").touch()
    monkeypatch.setattr(mounts, "warning", lambda path: "It is a mount.")
    result = look(policy.policy, etc)
    assert result.code == WARNING
    assert f"{path}.disabled exists" in result.details
    assert result.details.count("It is a mount.") == 1


def test_a_broken_policy_that_is_disabled_does_not_hold(etc):
    """The last good one does not go on to hold, nor does a service stop."""
    path = etc.folder / "policy.yaml"
    path.write_text("version: '1'\nmode: [\n")
    path.with_name("policy.yaml.disabled").touch()
    result = look(policy.policy, etc)
    assert result.code == FAILURE
    assert f"{path}.disabled exists, so nothing is" in result.details
    assert "stays in force" not in result.details
    assert "does not start" not in result.details


def test_the_file_that_wsgi_loads_decides(etc, monkeypatch):
    """[wsgi] api_paste_config is not read under WSGI."""
    named = etc.write("nova/named.ini", gated("nova"))
    loaded = etc.write("nova/api-paste.ini", shipped("nova"))
    etc.nova(f"{NOVA}[wsgi]\napi_paste_config = {named}\n")
    result = look(gates.nova_api, etc)
    assert result.code == FAILURE
    assert f"{loaded}: no gate" in result.details
    monkeypatch.setenv("OS_NOVA_CONFIG_FILES", "named.ini;nova.conf")
    monkeypatch.setenv("OS_NOVA_CONFIG_DIR", str(etc.folder / "nova"))
    assert look(gates.nova_api, etc).code == SUCCESS


def test_another_file_without_the_gate_is_a_warning(etc):
    named = etc.write("nova/named.ini", shipped("nova"))
    etc.nova(f"{NOVA}[wsgi]\napi_paste_config = {named}\n")
    result = look(gates.nova_api, etc)
    assert result.code == WARNING
    assert "is what [wsgi] api_paste_config names" in result.details
    assert "legacy_v2_compatible" in result.details


def test_a_file_of_wsgi_that_is_not_there_is_a_warning(etc, monkeypatch):
    monkeypatch.setenv("OS_NOVA_CONFIG_DIR", str(etc.folder / "else"))
    result = look(gates.nova_api, etc)
    assert result.code == WARNING
    assert f"{etc.folder}/else/api-paste.ini, which is not" in result.details


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OS_NOVA_CONFIG_DIR": " /srv "},
        {"OS_NOVA_CONFIG_FILES": "my.ini;nova.conf"},
        {"OS_NOVA_CONFIG_FILES": ""},
        {"OS_NOVA_CONFIG_DIR": "/srv", "OS_NOVA_CONFIG_FILES": "/etc/x.ini"},
    ],
)
def test_the_file_of_wsgi_is_the_one_that_nova_itself_finds(environ):
    from nova.api.openstack import wsgi_app

    conf = SimpleNamespace(config_file=["/etc/nova/nova.conf"])
    first, *_ = wsgi_app._get_config_files(environ)
    assert files.wsgi_paste(conf, environ) == first


NOVA_CONF, PASTE_INI = "nova/nova.conf", "nova/api-paste.ini"


@pytest.mark.parametrize(
    ("name", "mode", "code", "text"),
    [
        (NOVA_CONF, 0o600, SUCCESS, "only root may change"),
        (NOVA_CONF, 0o644, WARNING, "it may contain passwords"),
        (NOVA_CONF, 0o660, WARNING, "users other than root can change it"),
        (NOVA_CONF, 0o642, FAILURE, "any user can change it"),
        ("glance/glance-api.conf", 0o644, WARNING, "it may contain passwords"),
        (
            "glance/glance-api-paste.ini",
            0o664,
            WARNING,
            "users other than root",
        ),
        # There is nothing secret in these.
        (PASTE_INI, 0o644, SUCCESS, "only root may change"),
        ("policy.yaml", 0o644, SUCCESS, "only root may change"),
        ("policy.yaml", 0o666, FAILURE, "any user can change it"),
        # Another file could be put into its place.
        ("nova", 0o777, FAILURE, "folder 0777"),
        ("nova", 0o1777, SUCCESS, "only root may change"),
    ],
)
def test_owners_and_modes(etc, name, mode, code, text):
    (etc.folder / name).chmod(mode)
    result = look(permissions.permissions, etc)
    assert result.code == code
    assert text in result.details
    assert str(etc.folder / name) in result.details


def test_the_paste_file_that_glance_names_itself(etc):
    path = etc.write("glance/own.ini", "[pipeline:glance-api]\n")
    path.chmod(0o666)
    etc.glance(f"[paste_deploy]\nconfig_file = {path}\n")
    result = look(permissions.permissions, etc)
    assert result.code == FAILURE
    assert f"{path}: any user can change it" in result.details


def test_files_in_a_folder_of_more_have_passwords_too(etc):
    (etc.folder / "nova/nova.conf.d").mkdir()
    etc.write("nova/nova.conf.d/more.conf", "").chmod(0o644)
    result = look(permissions.permissions, etc)
    assert result.code == WARNING
    assert "more.conf: any user can read it" in result.details


@pytest.mark.parametrize(
    ("mode", "code"), [(0o755, SUCCESS), (0o775, FAILURE), (0o757, FAILURE)]
)
def test_the_hook_is_roots_alone(etc, monkeypatch, mode, code):
    hook = etc.write("hook", "#!/bin/sh\n")
    hook.chmod(mode)
    monkeypatch.setattr(permissions, "HOOK", str(hook))
    result = look(permissions.permissions, etc)
    assert result.code == code


def test_files_of_the_services_own_user(etc, monkeypatch):
    monkeypatch.setattr(permissions, "_ROOT", os.getuid() + 1)
    result = look(permissions.permissions, etc)
    assert result.code == WARNING
    assert "can disable its gate" in result.details
