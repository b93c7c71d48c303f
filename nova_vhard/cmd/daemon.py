# SPDX-License-Identifier: Apache-2.0
"""Common code of the programs that have their own configuration file."""

import argparse
import contextlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from nova_vhard.cmd import version
from nova_vhard.common import log, source, terminal
from nova_vhard.daemon import systemd
from nova_vhard.daemon.interrupts import Interrupted
from nova_vhard.daemon.runtime import Runtime, Service
from nova_vhard.placement.client import PlacementError

#: Runs a command; returns the exit status of the program.
Command = Callable[[cfg.ConfigOpts, argparse.Namespace], int]

#: Errors that the operator can correct: printed without a traceback.
_EXPECTED = (cfg.Error, PlacementError, OSError, ValueError)

#: Suffixes of options that are paths. An empty path would mean the working
#: directory, or the root of the file system.
_PLACES = ("_dir", "_file", "_path", "root")


@dataclass(frozen=True)
class Program:
    """A program with its own configuration file.

    :ivar name: ``nova-vhard-reporter``
    :ivar default_files: read if they exist and no file is named; later files
        override earlier ones
    :ivar options: module of nova_vhard/conf with its option group
    :ivar expected: its own errors that the operator can correct
    :ivar error_status: exit status after such an error
    :ivar crashed: exit status after any other error
    """

    name: str
    default_files: Sequence[str]
    options: ModuleType
    expected: tuple[type[Exception], ...] = ()
    error_status: int = 1
    crashed: int = 1

    def parser(self, description: str | None) -> argparse.ArgumentParser:
        """Return a parser with the options of every program.

        :param description: for --help
        """
        parser = argparse.ArgumentParser(
            prog=self.name, description=description
        )
        version.add_option(parser)
        parser.add_argument(
            "--config-file",
            action="append",
            metavar="FILE",
            help="Configuration file (repeat for several). The default is "
            f"{' and '.join(self.default_files)}, if they exist. "
            "A file that cannot be read is an error.",
        )
        parser.add_argument(
            "--debug", action="store_true", help="Log debug messages, too."
        )
        return parser

    def configure(self, options: argparse.Namespace) -> cfg.ConfigOpts:
        """Read the configuration and set up the log.

        :raises oslo_config.cfg.Error: for a file that cannot be parsed
        :raises ValueError: for one that cannot be read, or an option with an
            invalid value
        """
        conf = cfg.ConfigOpts()
        logging.register_options(conf)
        # Standard output is for results.
        conf.set_default("use_stderr", True)
        self.options.register(conf)
        there = filter(os.path.exists, self.default_files)
        files = options.config_file or list(there)
        try:
            conf(
                ["--debug"] if options.debug else [],
                project=self.name,
                default_config_files=files,
            )
        except (
            cfg.ConfigFilesNotFoundError,
            cfg.ConfigFilesPermissionDeniedError,
            OSError,
            UnicodeDecodeError,
        ) as error:
            place, why = _unreadable(files, error)
            option = "--config-file " if options.config_file else ""
            names = " and ".join(self.default_files)
            raise ValueError(
                f"{option}{place}: {why}: specify files that this user can "
                "read with --config-file, or omit the option to read "
                f"{names}"
            ) from error
        logging.setup(conf, self.name)
        log.clean_handlers()
        # oslo.config checks a value when it is read.
        group = self.options.GROUP.name
        for option in self.options.OPTS:
            try:
                value = conf[group][option.dest]
            except (
                cfg.NoSuchOptError,
                cfg.TemplateSubstitutionError,
            ) as error:
                text = f"{error}: write $$ for a dollar sign"
                raise ValueError(f"[{group}] {option.name}: {text}") from error
            fault = _fault(option, value)
            if fault:
                raise ValueError(f"[{group}] {option.name} {fault}")
        return conf

    def serve(
        self,
        conf: cfg.ConfigOpts,
        options: argparse.Namespace,
        make: Callable[[cfg.ConfigOpts, Runtime], Service],
        once: Callable[[Any], bool] | None = None,
    ) -> int:
        """Run a service until SIGTERM; return the exit status.

        :param make: returns the service by the configuration as it is now
        :param once: runs it once instead, for the option --once; returns
            whether all went well. A signal to stop ends it, and the status is
            1
        """
        runtime = Runtime(systemd.of_environment(os.environ))
        service = make(conf, runtime)
        if once and options.once:
            with (
                runtime.interrupts.installed(),
                contextlib.suppress(Interrupted),
            ):
                return 0 if once(service) else 1
            return 1
        runtime.run(service, lambda: make(self.configure(options), runtime))
        return 0

    def run(self, command: Command, options: argparse.Namespace) -> int:
        """Run a command; return the exit status.

        An error is printed as one line on standard error.
        """
        try:
            return command(self.configure(options), options)
        except (*_EXPECTED, *self.expected) as error:
            terminal.complain(f"{self.name}: {_words(error)}")
            return self.error_status
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            terminal.complain(f"{self.name}: crashed: {text}")
            if options.debug:
                raise
            return self.crashed


def _unreadable(files: Sequence[str], error: Exception) -> tuple[str, str]:
    """Return the file that cannot be read, and the reason.

    oslo.config states neither of them.

    :param files: that were to be read
    """
    blamed = getattr(error, "config_files", None)
    blamed = blamed or [getattr(error, "filename", None)]
    for path in blamed if all(blamed) else files:
        try:
            source.read_text(path, source.MAX_LIMIT)
        except source.UnreadableError as reason:
            return path, str(reason)
    return ", ".join(files), f"cannot be read: {error}"


def _words(error: Exception) -> str:
    """Return an error's text without its errno."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}"


def _fault(option: cfg.Opt, value: object) -> str:
    """Return the error of a value that oslo.config accepts, but we cannot."""
    missing = value is None or (value == "" and option.dest.endswith(_PLACES))
    if missing and option.default not in (None, ""):
        return (
            "has no value: set one, or remove the line to use the default "
            f"{option.default}"
        )
    # NaN is neither too small nor too large.
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which is not a finite number"
    words = value if isinstance(value, list) else [value]
    if any("\0" in word for word in words if isinstance(word, str)):
        return "has a character that no name and no path can have (NUL)"
    return ""
