# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-status: what it says of a node's files."""

import json
import os
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
NOVA_CONF, PASTE_INI = "nova/nova.conf", "nova/api-paste.ini"
MORE_CONF = "nova/nova.conf.d/more.conf"
PLACEMENT_CONF = "placement/placement.conf"
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


#: Group [filter_scheduler] of nova.conf.
SCHEDULER = [
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
]
#: Option image_import_plugins.
PLUGINS = [
    ("[vhard]", SUCCESS, "[vhard]"),
    ("[inject_image_metadata, vhard]", SUCCESS, "vhard"),
    ("[vhard, inject_image_metadata]", WARNING, "after vhard"),
    ("[]", FAILURE, "not checked"),
    ("['no_op']", FAILURE, "not checked"),
    # Glance does not start with this.
    ("vhard", FAILURE, "invalid value"),
]
#: Group [service_user] of nova.conf.
SERVICE_USER = [
    ("", WARNING, "shelved"),
    ("send_service_user_token = false", WARNING, "shelved"),
    ("send_service_user_token = true", WARNING, "no auth_type"),
    (
        "send_service_user_token = true\nauth_section = placement",
        SUCCESS,
        "is on",
    ),
    ("send_service_user_token = perhaps", FAILURE, "perhaps"),
]
TYPE = "service_type = placement"
ROLES = "service_token_roles_required = true"
#: Group [keystone_authtoken] of placement.conf.
ACCESS_RULES = [
    (f"{TYPE}\n{ROLES}", SUCCESS, "enforces the access rules"),
    (ROLES, WARNING, "service_type is not set"),
    (f"service_type = x\x1b\n{ROLES}", WARNING, "service_type is x in"),
    (TYPE, FAILURE, "service_token_roles_required is off"),
    (f"{TYPE}\n{ROLES[:-4]}no", FAILURE, "X-Service-Token"),
    (f"{TYPE}\n{ROLES[:-4]}maybe", FAILURE, "invalid value"),
]
#: Allowed devices, option pci_in_placement.
ALLOWED = [
    ("{aliases: [gpu]}", "false", WARNING),
    ("{aliases: [gpu]}", "true", SUCCESS),
    ("{aliases: '*'}", "false", WARNING),
    ("{ports: [vf]}", "false", WARNING),
    ("{mdev: [VGPU]}", "false", SUCCESS),
    ("{}", "false", SUCCESS),
]
#: Policies, where no filter looks for devices.
FILTERLESS = [
    (f"{POLICY}passthrough: {{allow: {{aliases: [gpu]}}}}\n", FAILURE),
    (f"{POLICY}passthrough: {{allow: {{ports: [vf]}}}}\n", FAILURE),
    (f"{POLICY}passthrough: {{allow: {{mdev: [VGPU]}}}}\n", SUCCESS),
    # It does not say that there are any.
    ("version: '1'\n", SUCCESS),
    (POLICY, SUCCESS),
]


def signed(*names, explicit="true"):
    """Return a policy with rules about signatures."""
    rule = f'{{allow: ["?*"], explicit: {explicit}}}'
    rules = ", ".join(f"{name}: {rule}" for name in names)
    return f"version: '1'\nguest_devices: {{{rules}}}\n"


CLONED = "[libvirt]\nimages_type = rbd\n"
VERIFIED = "[glance]\nverify_glance_signatures = true\n"


SIGNATURES = [
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
]
NONE = "guest_devices: {viommu_model: {allow: []"
#: Rules of the policy, with image_metadata_prefilter.
VIOMMU = [
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
]
#: Group [DEFAULT] of nova.conf.
DEFAULTS = [
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
]
WSGI = f"{NOVA}[wsgi]\napi_paste_config = PATH/nova/named.ini\n"
BAD = "version: '1'\nmode: [\n"
ONE_TIME = (
    f"{POLICY}passthrough: "
    "{allow: {aliases: [gpu]}, require: [one_time_use]}\n"
)
OLD_GLANCE = (
    "[pipeline:glance-api-keystone]\npipeline = authtoken context {}app\n"
    "[filter:vhard]\npaste.filter_factory = "
    "nova_vhard.gates.glance_api:filter_factory\n"
)
OLD_FLAVOR = (
    "[paste_deploy]\nflavor = keystone\nconfig_file = PATH/glance/old.ini\n"
)
#: Two pipelines of users, each with the gate or without.
TWO = (
    "[pipeline:a]\npipeline = authtoken {context} {}app\n"
    "[pipeline:b]\npipeline = authtoken {context} {}app\n"
    "[filter:vhard]\npaste.filter_factory = "
    "nova_vhard.gates.{gate}:filter_factory\n"
)

#: Paste files are made of those that Nova and Glance ship.
MADE = {"shipped": shipped, "gated": gated}

# A check; files (text, None for none); the result, and a part of the details.
CASES = [
    (
        gates.scheduler,
        {
            "nova": "[filter_scheduler]\navailable_filters = "
            "nova_vhard.gates.scheduler.all_filters\n"
            f"enabled_filters = VirtHardeningFilter,{STOCK}\n"
        },
        SUCCESS,
        "",
    ),
    *(
        (gates.scheduler, {"nova": f"[filter_scheduler]\n{lines}\n"}, *result)
        for lines, *result in SCHEDULER
    ),
    *(
        (
            gates.scheduler,
            {"nova": NOVA.replace(f",{gone}", "")},
            WARNING,
            f"{gone} is not in",
        )
        for gone in STOCK.split(",")
    ),
    # Options in a folder of more count.
    (
        gates.scheduler,
        {
            "nova/nova.conf.d/local.conf": "[filter_scheduler]\n"
            f"enabled_filters = {STOCK}\n"
        },
        FAILURE,
        "",
    ),
    (
        gates.nova_api,
        {PASTE_INI: "shipped"},
        FAILURE,
        "nova-vhard-paste add nova ",
    ),
    (gates.nova_api, {PASTE_INI: None}, FAILURE, "there is no api-paste.ini"),
    (gates.nova_api, {PASTE_INI: "x = x\n"}, FAILURE, "is not a paste file"),
    (
        gates.nova_api,
        {PASTE_INI: "[filter:x]\n"},
        FAILURE,
        "no pipeline has keystonecontext",
    ),
    # Without users there is no gate.
    (
        gates.nova_api,
        {"nova": NOVA + "[api]\nauth_strategy = noauth2\n"},
        FAILURE,
        "noauth2",
    ),
    # The file that WSGI loads decides, not [wsgi] api_paste_config.
    (
        gates.nova_api,
        {
            "nova/named.ini": "gated",
            PASTE_INI: "shipped",
            "nova": WSGI,
        },
        FAILURE,
        "api-paste.ini: no gate",
    ),
    (
        gates.nova_api,
        {"nova/named.ini": "shipped", "nova": WSGI},
        WARNING,
        "is what [wsgi] api_paste_config names",
    ),
    *(
        (
            gates.glance_api,
            {
                "glance/old.ini": OLD_GLANCE.format(gate),
                "glance": OLD_FLAVOR,
            },
            code,
            "",
        )
        for gate, code in (("vhard ", SUCCESS), ("", FAILURE))
    ),
    # A gate in one pipeline only is bypassed through the other.
    *(
        (
            check,
            {file: TWO.format(*gates_in, context=context, gate=gate)},
            code,
            text,
        )
        for check, file, context, gate in (
            (gates.nova_api, PASTE_INI, "keystonecontext", "nova_api"),
            (
                gates.glance_api,
                "glance/glance-api-paste.ini",
                "context",
                "glance_api",
            ),
        )
        for gates_in, code, text in (
            (("vhard ", "vhard "), SUCCESS, ""),
            (("vhard ", ""), FAILURE, "[pipeline:b] pipeline"),
            (("", "vhard "), FAILURE, "[pipeline:a] pipeline"),
        )
    ),
    (
        gates.glance_api,
        {"glance/glance-api-paste.ini": "shipped"},
        FAILURE,
        "nova-vhard-paste add glance ",
    ),
    *(
        (
            gates.imports,
            {
                "glance": "[image_import_opts]\n"
                f"image_import_plugins = {value}\n"
            },
            *result,
        )
        for value, *result in PLUGINS
    ),
    *(
        (
            settings.service_token,
            {"nova": f"[service_user]\n{group}\n"},
            *result,
        )
        for group, *result in SERVICE_USER
    ),
    *(
        (
            settings.access_rules,
            {PLACEMENT_CONF: f"[keystone_authtoken]\n{lines}\n"},
            *result,
        )
        for lines, *result in ACCESS_RULES
    ),
    (settings.access_rules, {PLACEMENT_CONF: None}, WARNING, "Not checked: "),
    *(
        (
            settings.pci_passthrough,
            {
                "policy.yaml": f"{POLICY}passthrough: {{allow: {allow}}}\n",
                "nova": f"{PCI}pci_in_placement = {switch}\n",
            },
            code,
            "",
        )
        for allow, switch, code in ALLOWED
    ),
    *(
        (
            settings.pci_passthrough,
            {
                "policy.yaml": rules,
                "nova": "[filter_scheduler]\npci_in_placement = true\n",
            },
            code,
            "lacks PciPassthroughFilter" if code == FAILURE else "",
        )
        for rules, code in FILTERLESS
    ),
    *(
        (
            settings.pci_passthrough,
            {
                "policy.yaml": ONE_TIME,
                "nova": f"{PCI}pci_in_placement = {switch}\n",
            },
            code,
            "",
        )
        for switch, code in (("false", FAILURE), ("true", SUCCESS))
    ),
    # A policy without a word on passthrough allows it.
    (
        settings.pci_passthrough,
        {"policy.yaml": "version: '1'\n"},
        WARNING,
        "",
    ),
    *(
        (settings.signatures, {"policy.yaml": rules, "nova": conf}, *result)
        for rules, conf, *result in SIGNATURES
    ),
    *(
        (
            settings.prefilter,
            {
                "policy.yaml": POLICY + rules,
                "nova": "[scheduler]\nimage_metadata_prefilter = true\n",
            },
            code,
            "",
        )
        for rules, code in VIOMMU
    ),
    *(
        (settings.defaults, {"nova": f"[DEFAULT]\n{lines}\n"}, *result)
        for lines, *result in DEFAULTS
    ),
    (
        options.options,
        {"nova/nova.conf": None, "glance/glance-api.conf": None},
        WARNING,
        "",
    ),
    # Two policies, and one that is switched off.
    *(
        (
            policy.policy,
            {
                "other.yaml": f"{AUDIT}enabled: false\n",
                "glance/glance-api.conf": f"{GLANCE}[vhard]\n"
                "policy_file = PATH/other.yaml\n",
            },
            WARNING,
            text,
        )
        for text in ("use different policies", "enabled: false")
    ),
    # A broken policy that is disabled: the last good one does not hold.
    (
        policy.policy,
        {"policy.yaml": BAD, "policy.yaml.disabled": ""},
        FAILURE,
        "policy.yaml.disabled exists, so nothing is",
    ),
    # The copy that a service keeps is damaged.
    *(
        (policy.policy, {name: text}, WARNING, f"saved policy of {service}")
        for service, name, text in (
            ("glance-api", "state/policy-glance-api.json", "{"),
            ("nova-api", "state/policy-nova-api.json.runs", "["),
        )
    ),
]


def put(etc, written):
    """Write files by their names; delete those whose text is None."""
    writers = {"nova": etc.nova, "glance": etc.glance}
    for name, content in written.items():
        (etc.folder / name).parent.mkdir(exist_ok=True)
        content = content and content.replace("PATH", str(etc.folder))
        if content is None:
            (etc.folder / name).unlink()
        elif content in MADE:
            etc.write(name, MADE[content](name.partition("/")[0]))
        elif name in writers:
            writers[name](content)
        else:
            etc.write(name, content)


@pytest.mark.parametrize(("check", "written", "code", "text"), CASES)
def test_a_check(etc, check, written, code, text):
    put(etc, written)
    result = look(check, etc)
    assert result.code == code, result.details
    assert text in result.details


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


def run(etc, capsys, *more):
    code = status.main([*etc.arguments, "upgrade", "check", *more])
    return code, capsys.readouterr()


GLANCE_CONF = "glance/glance-api.conf"
NO_FILE = dict.fromkeys((NOVA_CONF, GLANCE_CONF, PLACEMENT_CONF))
GATE = "Glance API gate"


@pytest.mark.parametrize(
    ("written", "code", "results"),
    [
        (NO_FILE, WARNING, dict.fromkeys(status.CHECKS, WARNING)),
        # A compute node without Glance has no login to Placement, either.
        ({GLANCE_CONF: None}, FAILURE, {"Policy": SUCCESS, GATE: WARNING}),
        # What is broken is said, and does not end it.
        *(
            ({NOVA_CONF: text}, FAILURE, {GATE: SUCCESS})
            for text in (
                *("no group\n", "[x]\n= y\n"),
                "[vhard]\nposture_ttl = 0\n",
            )
        ),
    ],
)
def test_a_node_without_some_of_the_files(etc, capsys, written, code, results):
    put(etc, written)
    ended, (out, err) = run(etc, capsys, "--json")
    assert ended == code
    assert "Traceback" not in out + err
    checks = {each["check"]: each for each in json.loads(out)["checks"]}
    assert [*checks] == list(status.CHECKS)
    assert {name: checks[name]["result"] for name in results} == results
    for name in checks if written is NO_FILE else ():
        assert checks[name]["details"].startswith("Not checked: ")


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


def test_the_file_that_wsgi_loads_decides(etc, monkeypatch):
    """[wsgi] api_paste_config is not read under WSGI."""
    named = etc.write("nova/named.ini", gated("nova"))
    etc.write("nova/api-paste.ini", shipped("nova"))
    etc.nova(f"{NOVA}[wsgi]\napi_paste_config = {named}\n")
    assert look(gates.nova_api, etc).code == FAILURE
    monkeypatch.setenv("OS_NOVA_CONFIG_FILES", "named.ini;nova.conf")
    monkeypatch.setenv("OS_NOVA_CONFIG_DIR", str(etc.folder / "nova"))
    assert look(gates.nova_api, etc).code == SUCCESS


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
        # Files in a folder of more have passwords, too.
        (MORE_CONF, 0o644, WARNING, "more.conf: any user can read it"),
        # There is nothing secret in these.
        (PASTE_INI, 0o644, SUCCESS, "only root may change"),
        ("policy.yaml", 0o644, SUCCESS, "only root may change"),
        ("policy.yaml", 0o666, FAILURE, "any user can change it"),
        # Of the services' own user.
        ("policy.yaml", None, WARNING, "can disable its gate"),
        # Another file could be put into its place.
        ("nova", 0o777, FAILURE, "folder 0777"),
        ("nova", 0o1777, SUCCESS, "only root may change"),
    ],
)
def test_owners_and_modes(etc, monkeypatch, name, mode, code, text):
    etc.write(MORE_CONF, "")
    if mode is None:
        monkeypatch.setattr(permissions, "_ROOT", os.getuid() + 1)
    else:
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


@pytest.mark.parametrize(
    ("mode", "code"), [(0o755, SUCCESS), (0o775, FAILURE), (0o757, FAILURE)]
)
def test_the_hook_is_roots_alone(etc, monkeypatch, mode, code):
    hook = etc.write("hook", "#!/bin/sh\n")
    hook.chmod(mode)
    monkeypatch.setattr(permissions, "HOOK", str(hook))
    result = look(permissions.permissions, etc)
    assert result.code == code


def test_a_saved_policy_that_cannot_be_read(etc):
    loop = etc.folder / "state/policy-nova-scheduler.json"
    loop.parent.mkdir(exist_ok=True)
    loop.symlink_to(loop)
    result = look(policy.policy, etc)
    assert result.code == WARNING
    assert "saved policy of nova-scheduler" in result.details
