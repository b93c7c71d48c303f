# SPDX-License-Identifier: Apache-2.0
"""The samples and units in etc/ are what the code takes."""

import configparser
import datetime
import io
import re
import shlex

import pytest
import yaml
from oslo_config import cfg, generator

from nova_vhard.attestor import mapping
from nova_vhard.attestor import metrics as attestor_metrics
from nova_vhard.attestor.metrics import Numbers
from nova_vhard.attestor.sources.list_file import ListFile
from nova_vhard.cmd import attestor, cleaner, guard, reporter
from nova_vhard.cmd import exporter as exporter
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.conf import guard as guard_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.guard import metrics as guard_metrics
from nova_vhard.host.report import HostReport
from nova_vhard.policy import document
from nova_vhard.policy.schema import SCHEMA
from nova_vhard.reporter.publishers.base import Record
from nova_vhard.reporter.publishers.prometheus import _Metrics
from tests import services
from tests.unit.docs import ETC, REPORTER, ROOT, blocks, words

PROGRAMS = {
    "nova-vhard-attestor": attestor,
    "nova-vhard-cleaner": cleaner,
    "nova-vhard-exporter": exporter,
    "nova-vhard-guard": guard,
    "nova-vhard-reporter": reporter,
}
UNITS = sorted(path.name for path in ETC.glob("*.service"))
#: Root's: devices are reset, and nobody else sees who has one open.
CLEANER = "nova-vhard-cleaner.service"
#: Runs as root: only root's libvirt connection can remove a guest's device.
GUARD = "nova-vhard-guard.service"
UNPRIVILEGED = [name for name in UNITS if name not in (CLEANER, GUARD)]
POLICY = (ETC / "policy.yaml").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"(?:^#\S.*\n(?:^#  .*\n)*)", POLICY, re.MULTILINE)


def generated(settings):
    """Return the sample that belongs to a generator's file, and what it is."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--config-file", str(ETC / settings)], default_config_files=[])
    written = io.StringIO()
    generator.generate(conf, written)
    sample = ROOT / conf.output_file
    return sample.read_text(encoding="utf-8"), written.getvalue()


def test_sample_of_the_gates_options_is_what_the_generator_writes():
    sample, expected = generated("config-generator.conf")
    assert sample == expected


def test_sample_of_the_exporters_options_is_what_the_generator_writes():
    sample, expected = generated("config-generator-exporter.conf")
    assert sample == expected


def test_sample_of_the_cleaners_options_is_what_the_generator_writes():
    sample, expected = generated("config-generator-cleaner.conf")
    group = "[vhard_cleaner]\n"
    assert sample.partition(group)[2] == expected.partition(group)[2] != ""


def test_the_cleaners_unit_fits_its_options_and_its_work():
    service = unit(CLEANER)
    defaults = {each.dest: each.default for each in cleaner_conf.OPTS}
    state = f"/var/lib/{service['StateDirectory']}"
    assert state == defaults["state_path"]
    run = f"/run/{service['RuntimeDirectory']}"
    assert run == defaults["run_dir"]
    options = cleaner._parser().parse_args(command(service)[1:])
    assert options.command == "run"
    text = (ETC / CLEANER).read_text(encoding="utf-8")
    assert handed(text) == dict(
        zip(options.config_file, cleaner._PROGRAM.default_files, strict=True)
    )
    lines = re.findall("^SystemCallFilter=(.*)", text, re.MULTILINE)
    # A list of what is let through, first; then what is not.
    assert lines[:2] == ["@system-service", "~@privileged @resources"]
    for name in (
        "ProtectKernelTunables",
        "PrivateDevices",
        "PrivateUsers",
        "ProtectClock",
        "ProcSubset",
        "ProtectProc",
        "User",
        "DynamicUser",
    ):
        assert name not in service
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"


def test_sample_of_the_attestors_options_is_what_the_generator_writes():
    sample, expected = generated("config-generator-attestor.conf")
    group = "[vhard_attestor]\n"
    assert sample.partition(group)[2] == expected.partition(group)[2] != ""


def test_sample_of_the_guards_options_is_what_the_generator_writes():
    sample, expected = generated("config-generator-guard.conf")
    assert sample == expected


def test_the_guards_units_fit_its_options_and_its_work():
    service = unit(GUARD)
    defaults = {each.dest: each.default for each in guard_conf.OPTS}
    assert f"/var/lib/{service['StateDirectory']}" == defaults["state_path"]
    # The socket's folder too: it must not go when the service stops.
    assert f"/run/{service['RuntimeDirectory']}" == defaults["run_dir"]
    assert service["RuntimeDirectoryPreserve"] == "yes"
    options = guard._parser().parse_args(command(service)[1:])
    assert options.command == "run"
    assert options.config_file == [*guard._PROGRAM.default_files]
    assert service["RestrictAddressFamilies"] == "AF_UNIX"
    assert service["PrivateNetwork"] == "yes"
    assert service["CapabilityBoundingSet"] == "CAP_DAC_READ_SEARCH"
    text = (ETC / "nova-vhard-guard.socket").read_text(encoding="utf-8")
    assert f"ListenStream={defaults['run_dir']}/guard.sock\n" in text
    for daemon in ("libvirtd", "virtqemud"):
        assert re.search(rf"^Before=.*\b{daemon}.socket", text, re.MULTILINE)


def test_the_page_of_the_guard_has_every_metric():
    page = ROOT / "doc" / "source" / "admin" / "guard.rst"
    metrics = guard_metrics.Metrics()
    metrics.guarded = True
    named = set(re.findall(r"``(nova_vhard_guard_\w+)``", words(page)))
    assert named == {
        each.name + ("_total" if each.type == "counter" else "")
        for each in metrics.collect()
    }


def test_sample_of_the_reporters_options_is_what_the_generator_writes():
    sample, expected = generated("config-generator-reporter.conf")
    group = "[vhard_reporter]\n"
    login, _, ours = sample.partition(group)
    known, _, now = expected.partition(group)
    assert ours == now
    # keystoneauth owns group placement; its version varies.
    names = set(re.findall(r"^#(\w+) =", login, re.MULTILINE))
    assert "auth_url" in names
    lacking = names - set(re.findall(r"^#(\w+) =", known, re.MULTILINE))
    if lacking and services.NOVA < services.NEWEST:
        pytest.skip(f"this keystoneauth has no {', '.join(sorted(lacking))}")
    assert not lacking


def uncommented(text):
    return re.sub(r"^#(?=\S|  )", "", text, flags=re.MULTILINE)


def test_sample_policy_is_baseline_as_long_as_nothing_is_uncommented():
    sample = document.load(str(ETC / "policy.yaml"))
    baseline = document.load(document.shipped("baseline"))
    assert sample.digest == baseline.digest


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda text: text[1:].partition(":")[0]
)
def test_each_example_of_the_sample_policy_loads(example, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace(example, uncommented(example)))
    document.load(str(path))


def known(part):
    """Yield the path of every key that a policy file can have."""
    for name, value in part.get("properties", {}).items():
        yield (name,)
        if name != "rules":
            yield from ((name, *rest) for rest in known(value))
    if "items" in part:
        yield from known(part["items"])


def given(data):
    """Yield the path of every key that plain data has."""
    if isinstance(data, list):
        for each in data:
            yield from given(each)
    elif isinstance(data, dict):
        for name, value in data.items():
            yield (name,)
            yield from ((name, *rest) for rest in given(value))


def without_kinds(paths):
    """Return paths, those within rules of device kinds as of one kind."""
    return {
        (path[0], *path[2:]) if path[0] == "guest_devices" else path
        for path in paths
    }


def test_sample_policy_has_an_example_of_every_key(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(uncommented(POLICY), encoding="utf-8")
    document.load(str(path))
    examples = given(yaml.safe_load(path.read_text(encoding="utf-8")))
    missing = without_kinds(known(SCHEMA)) - without_kinds(examples)
    assert missing == set()


def unit(name):
    """Return group [Service] of a unit."""
    # A list in a unit may span several lines.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string((ETC / name).read_text(encoding="utf-8"))
    return parser["Service"]


def handed(text):
    """Return what a unit hands over: what a program sees to its source."""
    pairs = re.findall("^LoadCredential=(.*):(.*)$", text, re.MULTILINE)
    return {f"/run/credentials/x/{name}": path for name, path in pairs}


@pytest.mark.parametrize("name", ["reporter", "cleaner"])
def test_a_host_that_is_not_enrolled_starts_its_units(name):
    text = (ETC / f"nova-vhard-{name}.service").read_text(encoding="utf-8")
    # What stands for the file that is not there is one of oslo.config.
    (default,) = re.findall("^SetCredential=(.*)$", text, re.MULTILINE)
    assert default == "placement.conf:[placement]"
    assert "/run/credentials/x/placement.conf" in handed(text)


def command(service):
    """Return a unit's command as systemd would start it."""
    text = service["ExecStart"]
    name, _, value = service.get("Environment", "").partition("=")
    text = text.replace(f"${{{name}}}", value)
    text = text.replace("${CREDENTIALS_DIRECTORY}", "/run/credentials/x")
    assert "$" not in text
    return shlex.split(text)


@pytest.mark.parametrize("name", UNPRIVILEGED)
def test_a_units_command_is_one_that_its_program_knows(name):
    service = unit(name)
    program, *arguments = command(service)
    text = (ETC / name).read_text(encoding="utf-8")
    folder, _, name = program.rpartition("/bin/")
    options = PROGRAMS[name]._parser().parse_args(arguments)
    files = handed(text)
    others = {name for name in files if not name.endswith(".conf")}
    for path in others:
        # An option must name each file that is not a configuration file.
        del files[path]
        assert f"=%d/{path.rpartition('/')[2]}\n" in text
    assert options.config_file == list(files)
    default = PROGRAMS[name]._PROGRAM.default_files
    assert list(files.values()) == list(default[: len(files)])
    assert f"python3 -m venv {folder} " in words(REPORTER)


def test_units_do_what_they_are_there_for():
    names = {"nova-vhard-reporter.service", "nova-vhard-sweep.service"}
    others = {"nova-vhard-attestor.service", "nova-vhard-exporter.service"}
    assert set(UNPRIVILEGED) == names | others
    running, sweeping = (
        reporter._parser().parse_args(command(unit(name))[1:])
        for name in sorted(names)
    )
    assert (running.command, running.once) == ("run", False)
    assert sweeping.command == "sweep"
    baseline = document.load(document.shipped("baseline"))
    assert sweeping.max_report_age >= baseline.hosts.max_report_age


def test_the_attestors_unit_fits_its_options():
    service = unit("nova-vhard-attestor.service")
    assert service["Type"] == "notify"
    text = (ETC / "nova-vhard-attestor.service").read_text(encoding="utf-8")
    named = re.findall(
        r"^Environment=OS_VHARD_ATTESTOR__(\w+)=%d/(.+)$", text, re.MULTILINE
    )
    options = {each.dest for each in attestor_conf.OPTS}
    assert {name.lower() for name, _ in named} <= options
    paths = {f"/run/credentials/x/{path}" for _, path in named}
    assert paths == {
        path for path in handed(text) if not path.endswith(".conf")
    }
    mapping.load(str(ETC / "attested-hosts.yaml"))


def test_the_page_of_the_attestor_has_every_metric():
    page = ROOT / "doc" / "source" / "admin" / "attestation.rst"
    named = set(re.findall(r"``(nova_vhard_attest\w+)``", words(page)))
    assert named == {
        each.name + ("_total" if each.type == "counter" else "")
        for each in attestor_metrics._Metrics(Numbers()).collect()
    }


def test_the_page_of_the_attestor_has_files_that_can_be_read(tmp_path):
    tmp_path.chmod(0o755)
    page = ROOT / "doc" / "source" / "admin" / "attestation.rst"
    path = tmp_path / "file.yaml"
    path.touch(0o644)
    conf = cfg.ConfigOpts()
    attestor_conf.register(conf)
    conf([], default_config_files=[])
    conf.set_override("verdicts_file", str(path), "vhard_attestor")
    hosts, _, agents = blocks(page, "yaml")
    path.write_text(hosts)
    assert len(mapping.load(str(path))) == 2
    path.write_text(agents)
    verdicts = ListFile(conf).verdicts()
    assert [verdict.failed for verdict in verdicts.values()] == [False, True]
    assert not any(verdict.nonsense for verdict in verdicts.values())


def test_the_reporters_unit_fits_its_options():
    service = unit("nova-vhard-reporter.service")
    defaults = {each.dest: each.default for each in reporter_conf.OPTS}
    assert service["Type"] == "notify"
    watchdog = service["WatchdogSec"]
    assert watchdog == "3min"
    # A publisher may take half of it at most.
    assert defaults["publish_timeout"] <= 3 * 60 / 2
    state = f"/var/lib/{service['StateDirectory']}"
    assert state == defaults["state_path"]
    # The pre-step's folder is root's: systemd would remove one of the
    # service's own when it stops.
    assert "RuntimeDirectory" not in service
    assert defaults["run_dir"] in service["ReadOnlyPaths"]
    assert service["ExecStartPre"].endswith("/reporter.conf facts")
    # systemd would end the whole service when a check is out of memory.
    assert service["OOMPolicy"] == "continue"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_page_has_every_metric():
    # The collector's own names; a counter's ends with _total.
    report = HostReport(datetime.datetime.now(datetime.UTC), ())
    families = [*_Metrics(report, Record(days_ahead=14)).collect()]
    text = words(REPORTER)
    named = set(re.findall(r"``(nova_vhard_\w+)``", text))
    assert named == {
        each.name + ("_total" if each.type == "counter" else "")
        for each in families
    }


@pytest.mark.parametrize("name", UNPRIVILEGED)
def test_a_unit_has_no_privilege(name):
    service = unit(name)
    assert service["DynamicUser"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"


def test_the_exporters_sandbox_lets_it_connect_and_listen_alone():
    service = unit("nova-vhard-exporter.service")
    assert "SupplementaryGroups" not in service
    assert service["LoadCredential"].startswith("exporter.conf:")
    assert "AF_INET" in service["RestrictAddressFamilies"].split()
    for name in ("InaccessiblePaths", "PrivateNetwork", "TemporaryFileSystem"):
        assert name not in service


def test_the_reporters_sandbox_hides_nothing_that_checks_read():
    service = unit("nova-vhard-reporter.service")
    for name in ("ProcSubset", "ProtectProc", "InaccessiblePaths"):
        assert name not in service
