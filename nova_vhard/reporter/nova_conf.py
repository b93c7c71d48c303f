# SPDX-License-Identifier: Apache-2.0
"""Reading a few keys of nova.conf, and no others.

nova.conf holds every password. Only the options of ``nova_vhard.conf.nova``
are registered, so that no other value can get out, nor into an error:
oslo.config quotes the line that it cannot parse, which is left out.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from nova_vhard.catalogue.devices import KINDS
from nova_vhard.conf import nova
from nova_vhard.host.nova import nova_compute
from nova_vhard.host.root import HostRoot

_MACHINE = re.compile(
    rf"({'|'.join(KINDS['architecture'].values)})=[\w.-]+", re.ASCII
)
_SCHEME = re.compile(r"[a-z+]{1,32}")


class FactsError(ValueError):
    """Nova's configuration cannot be read, or what was found not written."""


@dataclass(frozen=True)
class Sources:
    """Configuration sources of nova-compute.

    :ivar arguments: ``--config-file=…`` and ``--config-dir=…`` of its command
        line, in order; it searches for those that are not given
    :ivar root: folder below which it looks for its default files
    :ivar compute_id: path of what it writes when it starts for the first time
    """

    arguments: Sequence[str] = ()
    root: str = "/"
    compute_id: str = "/var/lib/nova/compute_id"


def read(sources: Sources) -> dict[str, Any]:
    """Return the files that were read, and group to option to value.

    :raises FactsError: if they cannot be read
    """
    # As oslo.config, which looks for its default files if none is named.
    given = {each.partition("=")[0] for each in sources.arguments}
    files, folders = (
        [] if option in given else _default(sources.root, extension)
        for option, extension in (
            ("--config-file", ".conf"),
            ("--config-dir", ".conf.d"),
        )
    )
    read = [*files, *folders, *sources.arguments]
    if not read:
        raise FactsError(
            "no nova.conf in /etc/nova or /etc; name what nova-compute "
            "reads with --nova-config-file"
        )
    for path in (*files, *folders):
        _must_be_plain(path)
    for argument in sources.arguments:
        _must_be_readable(*argument.split("=", 1))
    before = _newest(read)
    conf = cfg.ConfigOpts()
    nova.register(conf)
    with _explained():
        # Not the environment: it is ours, and not nova-compute's.
        conf(
            list(sources.arguments),
            project="nova",
            default_config_files=files,
            default_config_dirs=folders,
            use_env=False,
        )
    # Group to option to value; each is checked when it is read.
    values = {
        group: {
            option.dest: _value(conf, group, option.dest) for option in options
        }
        for group, options in nova.OPTS.items()
    }
    if _newest(read) != before:
        raise FactsError("nova.conf was changed while it was read; try again")
    user = _owner(os.path.join(sources.root, sources.compute_id.lstrip("/")))
    return {"files": read, "changed": before, "user": user, **values}


def _owner(path: str) -> int | None:
    """Return the user that owns a file; None if it is root's or missing."""
    try:
        return os.stat(path).st_uid or None
    except OSError:
        return None


def _newest(read: Sequence[str]) -> float:
    """Return when the newest of what is read was changed."""
    paths = [path.partition("=")[2] or path for path in read]
    return nova_compute.newest(HostRoot(), list(map(os.path.abspath, paths)))


def _must_be_plain(path: str) -> None:
    """Refuse what is neither a file nor a folder of them.

    A pipe or a device in the place of nova.conf would be waited for.

    :raises FactsError: for anything else that is there
    """
    each = [path]
    with contextlib.suppress(OSError):
        each += [os.path.join(path, name) for name in os.listdir(path)]
    for name in each:
        if os.path.exists(name) and not (
            os.path.isfile(name) or os.path.isdir(name)
        ):
            raise FactsError(f"{name}: neither a file nor a folder")


def _must_be_readable(option: str, path: str) -> None:
    """Refuse what is named and cannot be read.

    :param option: of nova-compute: ``--config-file`` or ``--config-dir``
    :raises FactsError: with our option, the path, why, and the fix
    """
    _must_be_plain(path)
    try:
        if option == "--config-dir":
            os.listdir(path)
        elif os.path.isdir(path):
            raise IsADirectoryError(0, "it is a directory")
        else:
            open(path, "rb").close()
    except OSError as error:
        ours = option.replace("--", "--nova-")
        kind = "folder" if option == "--config-dir" else "file"
        raise FactsError(
            f"{ours} {path}: cannot be read: {error.strerror}: name a {kind} "
            "of nova-compute's that this user may read, or leave it out to "
            "read what is in /etc/nova and /etc"
        ) from None


def _default(root: str, extension: str) -> list[str]:
    """Return what nova-compute finds: at most one for each name."""
    result = []
    for name in ("nova", "nova-compute"):
        paths = (
            os.path.join(root, f"{place}/{name}{extension}".lstrip("/"))
            for place in ("/etc/nova", "/etc")
        )
        first = next((path for path in paths if os.path.exists(path)), None)
        if first:
            result.append(first)
    return result


def _value(conf: cfg.ConfigOpts, group: str, name: str) -> Any:
    """Return a value that cannot have swallowed a line of something else.

    An indented line belongs to the value above it: the next key of a file
    that is laid out wrongly, and what is secret about it.
    """
    where = f"[{group}] {name}"
    try:
        value = conf[name] if group == "DEFAULT" else conf[group][name]
    except (cfg.Error, ValueError):
        raise FactsError(f"{where} has no valid value") from None
    if name == "device_spec":
        for entry in value:
            try:
                json.loads(entry)
            except (ValueError, RecursionError):
                raise FactsError(
                    f"{where}: an entry is no JSON; nova-compute does not "
                    "start"
                ) from None
    elif name == "hw_machine_type":
        # Nova looks up architectures, and ignores invalid entries.
        return [item for item in value or () if _MACHINE.fullmatch(item)]
    elif name == "live_migration_uri":
        return _scheme(value) if value else None
    elif isinstance(value, str) and not value.isprintable():
        raise FactsError(f"{where} has more than one line")
    return value


def _scheme(uri: str) -> str:
    """Return the scheme of a URI and nothing else of it.

    One that is not understood has a word too: the URI holds all the same.
    """
    scheme, separator, rest = uri.partition("://")
    # With no_verify libvirt talks to any host that answers.
    known = separator and "no_verify" not in rest
    return scheme if known and _SCHEME.fullmatch(scheme) else "unknown"


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn oslo.config's errors into one that quotes no foreign line."""
    try:
        yield
    except cfg.ConfigFileParseError as error:
        raise FactsError(_place(error)) from None
    except UnicodeDecodeError as error:
        raise FactsError(
            f"a configuration file is not UTF-8, at byte {error.start}"
        ) from None
    except (cfg.ConfigFileValueError, cfg.TemplateSubstitutionError):
        raise FactsError("a value is not valid") from None
    except cfg.Error as error:
        raise FactsError(str(error)) from None
    except OSError as error:
        raise FactsError(f"{error.filename}: {error.strerror}") from None


def _place(error: cfg.ConfigFileParseError) -> str:
    """Return where a file cannot be parsed, without the text there."""
    cause = error.__context__
    if isinstance(cause, cfg.ParseError):
        return f"{cause.filename}: line {cause.lineno}: {cause.msg}"
    return f"{error.config_file}: cannot be parsed"
