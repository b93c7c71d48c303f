# SPDX-License-Identifier: Apache-2.0
"""A small cloud: its clock, the commands of its operators and their files."""

import contextlib
import datetime
import functools
import importlib.metadata
import io
import itertools
import logging
import pathlib
import re
import shlex
import stat
from types import SimpleNamespace
from unittest import mock
from uuid import UUID

import yaml
from keystonemiddleware import auth_token
from openstack import exceptions as sdk
from osc_lib import exceptions

from nova_vhard.attestor.service import Means
from nova_vhard.catalogue import results, traits
from nova_vhard.cmd import attestor, cleaner, reporter
from nova_vhard.common import log
from nova_vhard.conf import reporter as reporter_conf
from nova_vhard.host.libvirt import virconf
from nova_vhard.osc.host import enroll, fix, listing, show, withdraw
from nova_vhard.placement import marks, names, upkeep
from nova_vhard.placement.client import PlacementError
from nova_vhard.placement.fleet import fleet
from nova_vhard.placement.posture import (
    Clock,
    Posture,
    PostureUnavailable,
    Question,
)
from nova_vhard.reporter.publishers.base import PublishError
from nova_vhard.reporter.publishers.placement import PlacementPublisher
from tests.functional.placement import keystone as keystones
from tests.functional.placement.attestors import Story
from tests.functional.placement.conftest import DAYS, Answer
from tests.functional.placement.reports import (
    HOUR,
    NOW,
    inspect,
    report_of,
)
from tests.functional.placement.used import Used
from tests.functional.sessions import Session
from tests.trees import build
from tests.unit.helpers import configured, never

ERRORS = (
    exceptions.CommandError,
    PlacementError,
    PublishError,
    PostureUnavailable,
)
PROGRAMS = {
    "nova-vhard-attestor": attestor,
    "nova-vhard-cleaner": cleaner,
    "nova-vhard-reporter": reporter,
}
_COMMANDS = importlib.metadata.entry_points(group="openstack.vhard.v1")
#: Output that differs from one run to the next, or from one release of
#: Placement to another.
VARYING = {
    r"\b[0-9a-f]{32}\b": "<id>",
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b": "<server>",
    r"\b\d{4}-\d\d-\d\dT[\d:.]+[+:\d]*": "<time>",
    r'"seconds": [\d.]+': '"seconds": <seconds>',
    r"(! .*status \d+: )\{.*": r"\1...",
    # What PyYAML and oslo.config say about a file; the place is kept.
    r"(: cannot be parsed: ).*(from line \d+: ).+": r"\1\2...",
    r"(?m)(^\S+: ).*\b(interval)\b.*program\.conf.* 5$": r"\1... \2 ... 5",
}
#: If a sweep deletes more names, only the first and the last are printed.
FEW = 20
#: Names of the maximum length that Placement accepts.
FOREIGN = {
    f"{prefix}{number:0{255 - len(prefix)}}"
    for prefix in (traits.PREFIX, traits.REPORTED, results.PREFIX)
    for number in range(100)
}


def span(time):
    """Return the time of a text such as 2h, 29m, 10s or -1h."""
    return int(time[:-1]) * HOUR / {"h": 1, "m": 60, "s": 3600}[time[-1]]


class World(Session):
    """Steps of a session with Placement.

    :param request: pytest's request, for fixtures that few sessions need
    """

    errors, varying = ERRORS, VARYING

    def __init__(self, cloud, keystone, folder, patch, request):
        super().__init__(FOLDER=f"{folder}/desk", TEMP=str(folder))
        self.cloud, self.keystone, self.patch = cloud, keystone, patch
        self.folder, self.request, self.now = folder / "desk", request, NOW
        self.skew, self.log_ = 0 * HOUR, request.getfixturevalue("caplog")
        self.root, self.reporters = folder / "root", {}
        self.folder.mkdir()
        self.url = "https://placement.example/placement"
        self._used, self._made, self._story = None, None, None
        self.options = {}
        # The second at which a host writes a mark depends on its uuid.
        self.ids = itertools.count(1 << 64)
        world = self

        class Time(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return world.now

        clock = SimpleNamespace(
            monotonic=lambda: (self.now - NOW).total_seconds()
        )
        patch.setattr(log, "time", clock)
        self.jump = 0 * HOUR
        self.known_hosts = Posture(
            lambda: cloud.placement,
            60,
            600,
            Clock(clock.monotonic, lambda: self.now + self.jump, never),
        )
        times = SimpleNamespace(datetime=Time, UTC=datetime.UTC)
        for module in (enroll, fix, listing, show, withdraw):
            patch.setattr(module, "datetime", times)

    def command(self, name, *words):
        """Run a command of ``openstack vhard``, or one of our programs."""
        run = self._openstack if name == "vhard" else self._program
        return run(name, *words)

    def _openstack(self, *words):
        """Run a command of ``openstack vhard``, which has three words."""
        out = io.StringIO()
        self.cloud.requests.clear()
        vhard = keystones.client(self.cloud, self.keystone, self.url)
        app = SimpleNamespace(
            client_manager=SimpleNamespace(vhard=vhard),
            stdout=out,
            stderr=out,
        )
        command = _COMMANDS["_".join(words[:3])].load()(app, None)
        options = command.get_parser("openstack").parse_args(words[3:])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = command.run(options)
        return out.getvalue() + (f"= {code}" if code else "")

    def _program(self, name, *words):
        """Run a program; return its output, messages and exit status."""
        program, out, errors = PROGRAMS[name], io.StringIO(), io.StringIO()
        path = self.folder / "program.conf"
        lines = ["[vhard_cleaner]"]
        if self._used:
            options = self._used.conf.vhard_cleaner
            names = ("root", "state_path", "run_dir", "rules_file")
            lines += (f"{each} = {options[each]}" for each in names)
        if self._story:
            options = {
                "key_file": self._story.key,
                "mapping_file": self._story.mapping,
                **self.options,
            }
            lines.append("[vhard_attestor]")
            lines += (f"{each} = {options[each]}" for each in options)
        path.write_text("\n".join(lines))
        self.patch.setattr(program, "connect", lambda *_: self.cloud.placement)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
        ):
            try:
                code = program.main(["--config-file", str(path), *words])
            except SystemExit as end:
                code = end.code
        path.unlink()
        said = [
            re.sub(r".* (ERROR|WARNING) (\S+) \[.*?\]", r"\1 \2:", line)
            for line in errors.getvalue().splitlines()
            if re.match("nova-vhard-|.* (ERROR|WARNING nova_vhard)", line)
        ]
        return "\n".join([out.getvalue(), *said, f"= {code}"]).strip()

    def sudo(self, user=""):
        """Run programs with sudo by a user, or by a user without a name."""
        self.patch.setenv("SUDO_USER", user)
        self.patch.setattr("getpass.getuser", None)

    def at(self, time):
        """Set the time, relative to NOW: such as 2h, 29m or -1h."""
        self.now = NOW + span(time)

    def wrong(self, time):
        """Make the clock of the hosts, and of the sweep, wrong."""
        self.skew = span(time)

    def jumps(self, time):
        """Make the scheduler's wall clock wrong, but not its monotonic one."""
        self.jump = span(time)

    def repeat(self, times, time, *step):
        """Repeat a step, and let time pass after each."""
        for _ in range(int(times)):
            self.run(f"> {shlex.join(step)}")
            self.now += span(time)

    def weeks(self):
        """Let sweeps and hosts create names for weeks, as in a cloud."""
        for name, days in DAYS.items():
            self.patch.setattr(names, name, days)

    def log(self):
        """Print the warnings and errors since the last time."""
        lines = [
            each.getMessage()
            for each in self.log_.records
            if each.name.startswith("nova_vhard")
            and each.levelno > logging.INFO
        ]
        self.log_.clear()
        return "\n".join(lines)

    # Reporters, sweeps and schedulers.

    def put(self, path, text):
        """Write a file of the host on which reporters run."""
        build(self.root, {path: text})

    def identify(self, name):
        """Let reporters find their provider by its uuid."""
        self.put("/var/lib/nova/compute_id", self.uuids[name])

    def machine(self, name):
        """Name the host on which reporters run."""
        self.patch.setattr("socket.getfqdn", lambda: f"{name}.example.org")
        self.patch.setattr("socket.gethostname", lambda: name)

    def report(self, what, reporter="a"):
        """Report a captured host ("" for none), or results of checks.

        :param what: such as vtd-on or iommu=PASS,smt=FAIL
        """
        if reporter not in self.reporters:
            conf = configured(
                reporter_conf,
                "vhard_reporter",
                **{"root": str(self.root), **self.options},
            )
            made = PlacementPublisher(conf, self.cloud.placement)
            self.reporters[reporter] = made
        time = self.now + self.skew
        report = (
            inspect(what, time)
            if "=" not in what
            else report_of(
                time, **dict(each.split("=") for each in what.split(","))
            )
        )
        self.cloud.requests.clear()
        self.reporters[reporter].publish(report)

    def interval(self, seconds):
        """Set the interval of reporters and attestors that start next."""
        self.options["interval"] = int(seconds)

    def ahead(self, reporter="a"):
        """Print the number of days for which names of reports exist."""
        return str(self.reporters[reporter].record.days_ahead)

    def claims(self, name):
        """Print the checks that a host claims, and the hours of reports."""
        ours = self.cloud.claims(self.uuids[name])[0]
        return " ".join(sorted(each for each in ours if "_VHARD_" in each))

    def sweep(self):
        self.cloud.requests.clear()
        done = upkeep.sweep(self.cloud.placement, self.now + self.skew, 2)
        made = sorted(
            name for name in done.made if name.startswith(traits.REPORTED)
        )
        deleted = sorted(done.deleted)
        if len(deleted) > FEW:
            deleted = f"{len(deleted)}, {deleted[0]} to {deleted[-1]}"
        return (
            f"silent: {sorted(done.silent)}, failed: {sorted(done.failed)}\n"
            f"deleted: {deleted}\n"
            f"made: {len(done.made)}, {' to '.join(made[:1] + made[-1:])}"
        )

    def hours_exist(self, first, last):
        """Create the names of the hours of reports, from now."""
        self.cloud.insert(traits.hours(NOW, int(first), int(last)))

    def filled(self):
        """Create the names of our checks, and hundreds of foreign names."""
        self.cloud.insert(names.of_checks().union(FOREIGN))

    def foreign(self):
        """Print the number of foreign names that are left."""
        return str(len(self.cloud.names() & FOREIGN))

    def long_urls_are_refused(self, limit):
        """Let a server in front of Placement reject longer URLs."""

        def refuse(method, url):
            too_long = len(url) > int(limit)
            return Answer(414, "URI Too Long") if too_long else None

        self.cloud.faults.append(refuse)

    def hours(self, name, first, count):
        """Add the marks of hours to the traits of a provider."""
        marks = traits.hours(NOW, int(first), int(first) + int(count))
        self.give(name, *self.cloud.traits(self.uuids[name])[0], *marks)

    def answers_are_short(self, size):
        """Limit the bytes that the client reads of a list of names."""
        limit = "nova_vhard.placement.client._MOST_BYTES"
        self.patch.setattr(limit, int(size))

    def no_client(self):
        """Make the scheduler fail to create a client of Placement."""
        broken = mock.Mock(side_effect=ZeroDivisionError)
        self.patch.setattr(self.known_hosts, "_connect", broken)

    def acts(self, *roles):
        """Send the next requests with roles, under our sample policy."""
        self.request.getfixturevalue("acting")(",".join(roles))

    def scheduler(self, check, age="2"):
        """Print the hosts that have passed checks, for a scheduler."""
        self.cloud.requests.clear()
        checks = frozenset(check.split(","))
        attested = "attested" in checks
        question = Question(checks - {"attested"}, int(age), attested=attested)
        # An old answer is used at once, while a thread asks for the next one:
        # wait for that, and show what the next request gets.
        self.known_hosts.hosts(question)
        assert self.known_hosts._answers[question].ended.wait(60)
        found = self.known_hosts.hosts(question)
        names = (name for name, uuid in self.uuids.items() if uuid in found)
        return f"hosts: {' '.join(sorted(names))}"

    def before(self, method, part, *step):
        """Run a step before the first request of a kind."""
        line = shlex.join(step)
        self.cloud.before(method, part, lambda: self.run(f"> {line}"))

    # Placement.

    def host(self, name, *traits):
        """Create a provider with traits, or with results such as smt=FAIL."""
        made = self.cloud.make(name=name, uuid=str(UUID(int=next(self.ids))))
        self.uuids[name] = made
        self.give(name, *traits)

    def give(self, name, *traits):
        """Replace the traits of a provider."""
        told = dict(each.split("=") for each in traits if "=" in each)
        named = {each for each in traits if "=" not in each}
        self.cloud.give(self.uuids[name], named.union(results.encode(told)))

    def traits(self, name):
        return " ".join(sorted(self.cloud.traits(self.uuids[name])[0]))

    def make(self, *names):
        """Create traits."""
        self.cloud.placement.create_traits(names)

    def names(self):
        """Print our names that exist."""
        return " ".join(sorted(self.cloud.names()))

    def known(self, *names):
        """Print the given names that exist."""
        return " ".join(sorted(self.cloud.placement.known(names)))

    def results(self, *checks):
        """Print the results of some checks on each host of the fleet."""
        return "\n".join(
            f"{host.name}: {[host.result(check) for check in checks]}"
            for host in fleet(self.cloud.placement, self.now, 2, results=True)
        )

    def mark(self, name, seconds):
        """Create an attestor's mark that is valid for some seconds."""
        end = int(self.now.timestamp()) + int(seconds)
        made = marks.make(b"k" * 32, max(end, 0), [self.uuids[name]])
        self.make(made.name)

    def refuse(self, method, part, status, text="no"):
        """Make Placement answer some requests with a status."""
        self.answer()
        self.cloud.refuse(method, part, int(status), text)

    def lose(self, name, *traits):
        """Write traits, and lose the response."""
        self.give(name, *traits)
        raise ConnectionError("reset by peer")

    def unreachable(self):
        self.cloud.refuse("", "")

    def remove(self, name):
        """Delete a provider."""
        self.cloud.send("DELETE", f"/resource_providers/{self.uuids[name]}")

    def drop(self, name):
        """Delete a trait."""
        self.cloud.placement.delete_trait(name)

    def answer(self):
        """Make Placement answer all requests again."""
        self.cloud.faults.clear()

    def requests(self, part=""):
        """Print the methods of the last requests whose URL has a part."""
        asked = self.cloud.requests
        return " ".join(method for method, url in asked if part in url)

    def urls(self):
        """Print the last requests."""
        return "\n".join(map(" ".join, self.cloud.requests))

    # Keystone.

    def endpoint(self, url=None):
        """Set the endpoint of Placement in the catalog."""
        self.url = url

    def add(self, kind, name, description="", domain="default"):
        """Add users or groups."""
        self.keystone.add(
            kind, name, description=description, domain_id=domain
        )

    def no_roles(self):
        self.keystone.roles.clear()

    def grant(self, name, role):
        """Give a role in the project "service" to users or groups."""
        (project,) = self.keystone.projects.values()
        role = self.keystone.find_role(role).id
        for kind in (self.keystone.users, self.keystone.groups):
            for each in kind.values():
                if each.name == name:
                    self.keystone.held.append((each.id, project.id, role))

    def keystone_fails(self, method, text):
        self.keystone.faults[method] = sdk.ForbiddenException(text)

    def enrolled(self, name):
        """Create the user and the credential of a host's reporter."""
        accounts = keystones.OwnAccounts(self.keystone)
        accounts.make(name, "0" * 36, "service", ["reporter"])

    def twin(self, name, domain, other=""):
        """Copy a user that enroll created, to another domain or name."""
        text = self.keystone.users(name)[0].description
        self.add("users", other or name, text, domain)

    def widen(self, role, *rules):
        """Change the only credential.

        :param role: role to add; "" for none
        :param rules: service:method:path of each; none for no rules
        """
        ((made,),) = self.keystone.credentials.values()
        made.roles += [{"name": role}] if role else []
        names = ("service", "method", "path")
        made.access_rules = [
            dict(zip(names, each.split(":"), strict=True)) for each in rules
        ] or None

    def users(self):
        """Print all users with their credentials."""
        lines = []
        for user in self.keystone.users.values():
            lines.append(f"{user.name} ({user.domain_id})")
            for each in self.keystone.application_credentials(user.id):
                roles = " ".join(role["name"] for role in each.roles)
                free = each.unrestricted
                lines.append(f"  {each.name}: {roles}, unrestricted: {free}")
                lines += (
                    f"    {rule['service']} {rule['method']} {rule['path']}"
                    for rule in each.access_rules
                )
        return "\n".join(lines)

    # The desk, and a host with a device.

    def credential(self, name):
        """Print facts about the only credential and the host's file."""
        path = self.folder / name / "reporter-placement.conf"
        text = path.read_text() if path.exists() else ""
        ((made,),) = self.keystone.credentials.values()
        old, self._made = self._made, made
        return (
            f"known: {made is old}, in the file: {made.secret in text}, "
            f"a password: {self.keystone.passwords[made.user] in text}"
        )

    def held_to(self, program):
        """Allow only requests that the access rules of a program allow."""
        (made,) = self.keystone.credentials.values()
        (rules,) = (each.access_rules for each in made if each.name == program)

        def refuse(method, url):
            path = "/placement" + url.partition("?")[0]
            fits = any(
                each["service"] == "placement"
                and each["method"] == method
                and auth_token._path_matches(path, each["path"])
                for each in rules
            )
            return None if fits else Answer(401, "not allowed")

        self.cloud.faults[:] = [refuse]

    def moved(self, name):
        """Move the file of a host, as an operator who hands it over."""
        path = self.folder / name / "reporter-placement.conf"
        path.rename(self.folder / "handed-over")

    def disk_full(self):
        full = mock.Mock(side_effect=OSError(28, "No space left on device"))
        self.patch.setattr("nova_vhard.common.files.create", full)

    def other_user(self):
        """Run the commands as a user who does not own the files."""
        self.patch.setattr("os.geteuid", lambda: 12345)

    def file(self, name, text=""):
        (self.folder / name).write_text(text)

    def place(self, name, mode):
        """Create the folder of a host, with a mode."""
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name).chmod(int(mode, 8))

    def link(self, name):
        """Make the folder of a host a link to the desk."""
        (self.folder / name).rmdir()
        (self.folder / name).symlink_to(self.folder)

    def files(self):
        """Print the files of the desk with their modes."""
        return "\n".join(
            f"{stat.S_IMODE(path.stat().st_mode):o} {path}"
            for path in sorted(self.folder.rglob("*"))
        )

    def playbook(self):
        """Print the plays of fix.yml with their tasks.

        For each play, print the variables that have the code of our edits; for
        each task, the arguments with which it runs that code.
        """
        lines, code = [], pathlib.Path(virconf.__file__).read_text()
        for play in yaml.safe_load((self.folder / "fix.yml").read_text()):
            ours = [
                name for name in play["vars"] if play["vars"][name] == code
            ]
            lines.append(f"{play['hosts']}: {ours}")
            for task in play["tasks"]:
                lines.append(f"  {task['tags']} {task['name']}")
                command = task.get("ansible.builtin.command", {})
                if "stdin" in command:
                    line = shlex.join(command["argv"][-2:])
                    lines.append(f"    {line} < {command['stdin']}")
        return "\n".join(lines)

    def answers(self, text):
        """Answer the questions of commands."""
        self.patch.setattr("sys.stdin", io.StringIO(text))

    def used(self, *events):
        """Use and clean the device of host "node", with steps of ``used``."""
        if self._used is None:
            self._used = Used(self.cloud, self.folder.parent)
            self.uuids["node"] = self._used.root
            steps = self._used.steps
            rules = "nova_vhard.cleaner.rules.installed_steps"
            self.patch.setattr(rules, lambda: steps)
        self._used.happens(" ".join(events))
        self.uuids["device"] = self._used.provider

    def attest(self, *events):
        """Run events of a ``Story``; the attestor uses its clock."""
        if self._story is None:
            self._story = story = Story(self.cloud, self.folder.parent)
            clock = SimpleNamespace(time=lambda: story.now().timestamp())
            means = functools.partial(Means, now=clock.time)
            self.patch.setattr(attestor, "load", lambda conf: story)
            self.patch.setattr(attestor, "time", clock)
            self.patch.setattr(attestor, "Means", means)
            self.known_hosts.keys = story.keys
        self._story.happens(" ".join(events))
        self.uuids |= self._story.names
