# SPDX-License-Identifier: Apache-2.0
"""Policy, rules and exemptions as frozen dataclasses."""

import datetime
import enum
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from nova_vhard.catalogue.devices import KINDS, USB_TABLET
from nova_vhard.catalogue.kinds import NO_DEVICE
from nova_vhard.policy.subject import MOVE, Subject

#: A rule's path, what an exemption selects by, and its value.
_Key = tuple[str, str, str]

_EMPTY: Mapping[str, str] = MappingProxyType({})
ANY = "*"


class Mode(enum.StrEnum):
    """Reaction to a violation, from the weakest to the strongest."""

    AUDIT = "audit"
    WARN = "warn"
    ENFORCE = "enforce"


# The order of the class decides. StrEnum would compare the words.
_STRENGTH = {mode: index for index, mode in enumerate(Mode)}


def weaker(mode: Mode, other: Mode) -> Mode:
    """Return the mode that refuses less."""
    return min(mode, other, key=_STRENGTH.__getitem__)


def strongest(modes: Iterable[Mode]) -> Mode | None:
    """Return the mode that refuses most; None without modes."""
    return max(modes, key=_STRENGTH.__getitem__, default=None)


@dataclass(frozen=True)
class Values:
    """A list of allowed values: exact ones, and patterns with ``*``."""

    listed: tuple[str, ...] = ()

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(self.listed)

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        return tuple(item for item in self.listed if set(item) & set("*?["))

    def __contains__(self, value: object) -> bool:
        """Return whether a value, as Nova would read it, is in the list.

        :param value: None for an unknown value, which only ``*`` allows
        """
        # fnmatchcase: ``fnmatch`` folds case where the operating system does,
        # and a value has been made canonical before.
        return value in self._exact or any(
            pattern == ANY
            or (value is not None and fnmatch.fnmatchcase(str(value), pattern))
            for pattern in self._patterns
        )

    @cached_property
    def literals(self) -> tuple[str, ...]:
        """The values that are not patterns, in the order of the file."""
        return tuple(
            value for value in self.listed if value not in self._patterns
        )


@dataclass(frozen=True)
class Rule:
    """A list of allowed values. By default none is allowed.

    :ivar id: the rule's place in the policy file
    :ivar allow: the allowed values
    :ivar mode: the rule's own mode; None if the project's or file's applies
    :ivar explicit: whether the guest's image must set it, so that no default
        of Nova or libosinfo decides
    """

    id: str
    allow: Values = Values()
    mode: Mode | None = None
    explicit: bool = False

    def refuses(self, value: str | None, synonyms: tuple[str, ...]) -> bool:
        """Return whether a value is refused, by each of its names."""
        return value not in self.allow and not any(
            name in self.allow for name in synonyms
        )

    def refuses_default(self, value: str | None) -> bool:
        """Return whether a guest violates it by setting no value.

        :param value: Nova's default; None if it is unknown, which a rule
            refuses that requires an explicit value
        """
        if value is None:
            return self.explicit
        # Nova's default ``none`` is not a device, so that rules need not list
        # it. With ``explicit`` the image must set even that.
        there = self.explicit or value not in NO_DEVICE
        return there and value not in self.allow


@dataclass(frozen=True)
class DeviceRule(Rule):
    """Rule for one device kind.

    :ivar replace: refused value, or ``*``, to a value that the operator
        considers a safe replacement in existing images
    """

    replace: Mapping[str, str] = field(default_factory=lambda: _EMPTY)

    @property
    def kind(self) -> str:
        """The name of the device kind."""
        return self.id.removeprefix("guest_devices.")

    def replacement(self, value: str | None) -> str | None:
        """Return what may safely take a value's place; None for nothing.

        Only what the rule allows: a file that extends another may allow
        less than that one replaces with.
        """
        # Exact before ``*``. The result is proposed to the owner of an image,
        # so it must pass the same rule.
        result = self.replace.get(str(value), self.replace.get(ANY))
        return result if result in self.allow else None


@dataclass(frozen=True)
class ProjectMode:
    """The mode of some projects or domains, in place of the file's."""

    mode: Mode
    projects: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def covers(self, subject: Subject) -> bool:
        """Return whether it holds for who asks."""
        return (
            subject.project in self.projects or subject.domain in self.domains
        )


#: Selectors that an exemption can be found by, the narrowest first.
#: No images: such an exemption names projects as well (check.py), and is found
#: by them.
_INDEXED = ("servers", "projects", "flavors", "domains", "roles")


@dataclass(frozen=True)
class Exemption:
    """A permission to break certain rules, with a reason and an end date.

    All given selectors must match (projects *and* images). A selector matches
    if any of its values does.

    :ivar rules: rule id to the values that are let through
    :ivar until: last day (UTC) on which it holds
    """

    id: str
    reason: str
    until: datetime.date
    rules: Mapping[str, Values]
    projects: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    flavors: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()

    def covers(self, subject: Subject, today: datetime.date) -> bool:
        """Return whether it holds today for who asks."""
        return today <= self.until and all(
            # An absent selector excludes nobody; an unknown fact (None) is in
            # no set.
            not wanted or wanted & has
            for wanted, has in (
                (self.projects, {subject.project}),
                (self.domains, {subject.domain}),
                (self.images, {subject.image}),
                (self.flavors, {subject.flavor, subject.flavor_id}),
                (self.roles, subject.roles),
                (self.servers, {subject.server}),
            )
        )

    def selectors(self) -> Iterable[tuple[str, str]]:
        """Yield the selector values that it can be found by."""
        # By one selector only, the narrowest: ``covers`` checks the others,
        # and no exemption is found twice.
        for selector in _INDEXED:
            values = getattr(self, selector)
            if values:
                yield from ((selector, value) for value in values)
                return


@dataclass(frozen=True)
class PassthroughRule:
    """Rule for devices of the host: which are allowed, and on which hosts.

    :ivar allow: kind of request to the allowed names
    :ivar require: checks that the host must have passed
    :ivar of_devices: requirements on each device of a request:
        ``one_time_use``
    """

    allow: Mapping[str, Values] = field(default_factory=dict)
    require: frozenset[str] = frozenset()
    mode: Mode | None = None
    of_devices: frozenset[str] = frozenset()


class Trust(enum.StrEnum):
    """When what a host says of itself counts."""

    REPORTED = "reported"
    ATTESTED = "attested"


@dataclass(frozen=True)
class HostsRule:
    """Checks that every host must have passed before it may run a guest.

    :ivar max_report_age: whole hours; an older status does not count
    :ivar trust: when a host's own claims count, for all rules that require
        them
    """

    require: frozenset[str] = frozenset()
    mode: Mode | None = None
    max_report_age: int = 2
    trust: Trust = Trust.REPORTED


@dataclass(frozen=True)
class Assume:
    """Defaults of nova-compute for properties that an image does not set.

    :ivar libosinfo: True if hosts choose buses and models by ``os_distro``
    """

    virt_type: str = "kvm"
    architecture: str = "x86_64"
    machine_type: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    use_virtio_for_bridges: bool = True
    force_config_drive: bool = False
    pointer_model: str = USB_TABLET
    cpu_mode: str = "host-model"
    libosinfo: bool = True


class HotPlug(enum.StrEnum):
    """Reaction of the guard to a device that is new to a running guest."""

    REPORT = "report"
    DETACH = "detach"


class Unanswered(enum.StrEnum):
    """Reaction of libvirt's hook if no guard answers it."""

    ALLOW = "allow"
    REFUSE = "refuse"


@dataclass(frozen=True)
class GuardSettings:
    """Settings of the guard on a host, the gate before libvirt's start.

    :ivar mode: the strongest mode for a violation there
    """

    mode: Mode = Mode.AUDIT
    hot_plug: HotPlug = HotPlug.REPORT
    unanswered: Unanswered = Unanswered.ALLOW


@dataclass(frozen=True)
class Policy:
    """A complete policy: all files merged, and all defaults filled in.

    :ivar hypervisor_types: in lower case; other hosts are not judged
    :ivar digest: of the whole content, to name it in decision events
    :ivar files: every file it was read from, the outermost first
    """

    digest: str
    files: tuple[str, ...] = ()
    enabled: bool = True
    mode: Mode = Mode.ENFORCE
    hypervisor_types: frozenset[str] = frozenset(("qemu", "kvm"))
    assume: Assume = field(default_factory=Assume)
    guest_devices: Mapping[str, DeviceRule] = field(default_factory=dict)
    passthrough: PassthroughRule | None = None
    hosts: HostsRule = field(default_factory=HostsRule)
    moves_guest_devices: Mode = Mode.WARN
    moves_hosts: Mode = Mode.WARN
    on_host: GuardSettings = field(default_factory=GuardSettings)
    projects: tuple[ProjectMode, ...] = ()
    exemptions: tuple[Exemption, ...] = ()

    @cached_property
    def refusing_default(self) -> tuple[DeviceRule, ...]:
        """The rules that a guest violates if it sets no value for them."""
        return tuple(
            rule
            for rule in self.guest_devices.values()
            if rule.refuses_default(KINDS[rule.kind].default)
        )

    @cached_property
    def image_projects(self) -> frozenset[str]:
        """The projects in exemptions that select images."""
        # Lets a gate skip a question to Cinder for every other project.
        exemptions = (item for item in self.exemptions if item.images)
        return frozenset().union(*(item.projects for item in exemptions))

    def mode_for(
        self,
        rule_mode: Mode | None,
        subject: Subject,
        moves: Mode = Mode.ENFORCE,
    ) -> Mode:
        """Return the mode that holds for a rule.

        A rule's own mode, else that of the project, else the file's; a move
        of a server that exists is never judged harder than ``moves`` says.

        :param moves: what ``moves`` says of such rules, if anything
        """
        # A rule's own mode wins over a project's, so that an operator can
        # enforce one rule for all while a project is still in mode warn.
        mode = rule_mode or next(
            (
                project.mode
                for project in self.projects
                if project.covers(subject)
            ),
            self.mode,
        )
        return weaker(mode, moves) if subject.operation == MOVE else mode

    @cached_property
    def _exemptions_by_key(self) -> Mapping[_Key, tuple[Exemption, ...]]:
        index: dict[_Key, list[Exemption]] = {}
        # An index, since thousands of exemptions would otherwise be tried for
        # each violation.
        for exemption in self.exemptions:
            for rule in exemption.rules:
                for selector, value in exemption.selectors():
                    key = (rule, selector, value)
                    index.setdefault(key, []).append(exemption)
        return {key: tuple(listed) for key, listed in index.items()}

    def exemption(
        self,
        rule: str,
        value: str | None,
        subject: Subject,
        today: datetime.date,
    ) -> Exemption | None:
        """Return an exemption that lifts a rule for a value, if any.

        :param value: None for a value that cannot be known, which only an
            exemption for any value covers
        """
        # The usual case, for each violation of each request.
        if not self.exemptions:
            return None
        keys = (
            ("servers", subject.server or None),
            ("projects", subject.project),
            ("flavors", subject.flavor),
            ("flavors", subject.flavor_id),
            ("domains", subject.domain),
            *(("roles", role) for role in sorted(subject.roles)),
        )
        for selector, name in keys:
            if name is None:
                continue
            result = self._exemptions_by_key.get((rule, selector, name), ())
            for item in result:
                # Nobody knows which device libosinfo picks, so only "*" can
                # permit it.
                wanted = ANY if value is None else value
                if wanted in item.rules[rule] and item.covers(subject, today):
                    return item
        return None
