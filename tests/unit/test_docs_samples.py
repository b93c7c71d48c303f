# SPDX-License-Identifier: Apache-2.0
"""The samples and units in etc/ are what the code takes."""

import configparser
import io
import re
import shlex

import pytest
import yaml
from oslo_config import cfg, generator

from nova_vhard.attestor import mapping
from nova_vhard.attestor.sources.list_file import ListFile
from nova_vhard.cmd import attestor, cleaner, exporter, guard, reporter
from nova_vhard.conf import attestor as attestor_conf
from nova_vhard.conf import cleaner as cleaner_conf
from nova_vhard.conf import guard as guard_conf
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.policy import document
from nova_vhard.policy.schema import SCHEMA
from tests.unit.docs import (
    ETC,
    REPORTER,
    ROOT,
    SOURCE,
    blocks,
    schema_keys,
    words,
)

PROGRAMS = {
    "attestor": attestor,
    "cleaner": cleaner,
    "exporter": exporter,
    "guard": guard,
    "reporter": reporter,
}
POLICY = (ETC / "policy.yaml").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"(?:^#\S.*\n(?:^#  .*\n)*)", POLICY, re.MULTILINE)

#: Files of the generator, and where our options begin: what keystoneauth has
#: before them varies with its version.
GENERATORS = {
    "config-generator.conf": "",
    "config-generator-exporter.conf": "",
    "config-generator-guard.conf": "",
    "config-generator-attestor.conf": "\n[vhard_attestor]\n",
    "config-generator-cleaner.conf": "\n[vhard_cleaner]\n",
    "config-generator-reporter.conf": "\n[vhard_reporter]\n",
}

UNPRIVILEGED = {
    "DynamicUser": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "NoNewPrivileges": "yes",
}
#: Unit to settings; None is what it must not have. The cleaner is root, since
#: devices are reset, and nobody else sees who has one open. The guard is root
#: because only root's libvirt connection can remove a guest's device.
UNITS = {
    "attestor": {**UNPRIVILEGED, "Type": "notify"},
    "exporter": {
        **UNPRIVILEGED,
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "InaccessiblePaths": None,
        "PrivateNetwork": None,
        "SupplementaryGroups": None,
        "TemporaryFileSystem": None,
    },
    "sweep": UNPRIVILEGED,
    "reporter": {
        **UNPRIVILEGED,
        "Type": "notify",
        # Twice what a publisher may take.
        "WatchdogSec": "3min",
        # systemd would end the whole service when a check is out of memory.
        "OOMPolicy": "continue",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        # The pre-step's folder is root's: systemd would remove one of the
        # service's own when it stops.
        "RuntimeDirectory": None,
        "ReadOnlyPaths": "-/run/nova-vhard",
        # What checks read.
        "InaccessiblePaths": None,
        "ProcSubset": None,
        "ProtectProc": None,
    },
    "cleaner": {
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
        "DynamicUser": None,
        "PrivateDevices": None,
        "PrivateUsers": None,
        "ProcSubset": None,
        "ProtectClock": None,
        "ProtectKernelTunables": None,
        "ProtectProc": None,
        "User": None,
    },
    "guard": {
        "CapabilityBoundingSet": "CAP_DAC_READ_SEARCH",
        "PrivateNetwork": "yes",
        "RestrictAddressFamilies": "AF_UNIX",
        # The socket's folder too: it must not go when the service stops.
        "RuntimeDirectoryPreserve": "yes",
    },
}


def text_of(name):
    path = ETC / f"nova-vhard-{name}.service"
    return path.read_text(encoding="utf-8")


def unit(name):
    """Return group [Service] of a unit."""
    # A list in a unit may span several lines.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(text_of(name))
    return parser["Service"]


def handed(text):
    """Return what a unit hands over: what a program sees to its source."""
    pairs = re.findall("^LoadCredential=(.*):(.*)$", text, re.MULTILINE)
    return {f"/run/credentials/x/{name}": path for name, path in pairs}


def command(service):
    """Return the options of a unit's command, as its program parses it."""
    text = service["ExecStart"]
    name, _, value = service.get("Environment", "").partition("=")
    text = text.replace(f"${{{name}}}", value)
    text = text.replace("${CREDENTIALS_DIRECTORY}", "/run/credentials/x")
    assert "$" not in text
    program, *arguments = shlex.split(text)
    folder, _, name = program.rpartition("/bin/nova-vhard-")
    assert f"python3 -m venv {folder} " in words(REPORTER)
    program = PROGRAMS[name]
    options = program._parser().parse_args(arguments)
    return options, program._PROGRAM.default_files


@pytest.mark.parametrize("name", GENERATORS)
def test_a_sample_is_what_the_generator_writes(name):
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--config-file", str(ETC / name)], default_config_files=[])
    written = io.StringIO()
    generator.generate(conf, written)
    sample = (ROOT / conf.output_file).read_text(encoding="utf-8")
    begin = GENERATORS[name]
    expected = written.getvalue()
    assert sample[sample.index(begin) :] == expected[expected.index(begin) :]


def test_every_unit_is_in_the_table():
    files = {path.name for path in ETC.glob("*.service")}
    assert files == {f"nova-vhard-{name}.service" for name in UNITS}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_its_settings_and_no_privilege_more(name):
    service = unit(name)
    settings = UNITS[name]
    assert {each: service.get(each) for each in settings} == settings


@pytest.mark.parametrize("name", UNITS)
def test_a_units_command_is_one_that_its_program_knows(name):
    options, default = command(unit(name))
    files = handed(text_of(name))
    for path in [each for each in files if not each.endswith(".conf")]:
        # An option must name each file that is not a configuration file.
        del files[path]
        assert f"=%d/{path.rpartition('/')[2]}\n" in text_of(name)
    # The guard reads its file as root.
    files = files or {path: path for path in default}
    assert options.config_file == list(files)
    assert list(files.values()) == list(default[: len(files)])
    if name != "exporter":
        assert options.command == ("sweep" if name == "sweep" else "run")


@pytest.mark.parametrize(
    ("name", "conf", "key"),
    [
        ("reporter", reporter_conf, None),
        ("cleaner", cleaner_conf, "RuntimeDirectory"),
        ("guard", guard_conf, "RuntimeDirectory"),
    ],
)
def test_a_units_folders_are_the_options(name, conf, key):
    service = unit(name)
    defaults = {each.dest: each.default for each in conf.OPTS}
    assert defaults["state_path"] == f"/var/lib/{service['StateDirectory']}"
    run = service[key] if key else service["ReadOnlyPaths"].rpartition("/")[2]
    assert defaults["run_dir"] == f"/run/{run}"
    # A publisher may take half of the watchdog's time at most.
    assert defaults.get("publish_timeout", 0) <= 3 * 60 / 2


@pytest.mark.parametrize("name", ["reporter", "cleaner"])
def test_a_host_that_is_not_enrolled_starts_its_units(name):
    # What stands for the file that is not there is one of oslo.config.
    assert "\nSetCredential=placement.conf:[placement]\n" in text_of(name)
    assert "/run/credentials/x/placement.conf" in handed(text_of(name))


def test_what_single_units_do():
    sweep, _ = command(unit("sweep"))
    baseline = document.load(document.shipped("baseline"))
    assert sweep.max_report_age >= baseline.hosts.max_report_age
    running, _ = command(unit("reporter"))
    assert not running.once
    assert unit("reporter")["ExecStartPre"].endswith("/reporter.conf facts")
    filters = re.findall("^SystemCallFilter=(.*)", text_of("cleaner"), re.M)
    # First devices that are allowed, then those that are not.
    assert filters[:2] == ["@system-service", "~@privileged @resources"]
    socket = (ETC / "nova-vhard-guard.socket").read_text(encoding="utf-8")
    (run_dir,) = (o.default for o in guard_conf.OPTS if o.dest == "run_dir")
    assert f"ListenStream={run_dir}/guard.sock\n" in socket
    assert re.search(
        r"^Before=.*libvirtd.socket.* virtqemud.socket", socket, re.M
    )


def test_the_attestors_unit_fits_its_options():
    text = text_of("attestor")
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


def test_the_page_of_the_attestor_has_files_that_can_be_read(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "file.yaml"
    path.touch(0o644)
    conf = cfg.ConfigOpts()
    attestor_conf.register(conf)
    conf([], default_config_files=[])
    conf.set_override("verdicts_file", str(path), "vhard_attestor")
    hosts, _, agents = blocks(SOURCE / "admin" / "attestation.rst", "yaml")
    path.write_text(hosts)
    assert len(mapping.load(str(path))) == 2
    path.write_text(agents)
    verdicts = ListFile(conf).verdicts()
    assert [verdict.failed for verdict in verdicts.values()] == [False, True]
    assert not any(verdict.nonsense for verdict in verdicts.values())


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
    assert without_kinds(schema_keys(SCHEMA)) <= without_kinds(examples)
