# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-exporter: count what the gates decide, for Prometheus."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from nova_vhard.cmd import daemon
from nova_vhard.common import terminal
from nova_vhard.conf import exporter as exporter_conf

_DEFAULT_FILE = "/etc/nova-vhard/exporter.conf"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nova-vhard-exporter", description=__doc__
    )
    parser.add_argument(
        "--config-file",
        action="append",
        metavar="FILE",
        help=f"configuration file; default {_DEFAULT_FILE} if it is there",
    )
    parser.add_argument("--debug", action="store_true", help="log more")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM; return the exit status."""
    options = _parser().parse_args(argv)
    try:
        _run(_configure(options).vhard_exporter)
    except (cfg.Error, ValueError) as error:
        terminal.complain(f"nova-vhard-exporter: {error}")
        return 1
    return 0


def _configure(options: argparse.Namespace) -> cfg.ConfigOpts:
    conf = daemon.configure(
        "nova-vhard-exporter",
        _DEFAULT_FILE,
        [exporter_conf.register],
        options.config_file,
        options.debug,
    )
    daemon.read_all(conf.vhard_exporter, exporter_conf.OPTS)
    return conf


def _files(options: Any) -> list[str]:
    """Return the logs to follow.

    :raises ValueError: if there is none, or a path is not absolute
    """
    if not options.files:
        raise ValueError(
            "no log to follow: name them in [vhard_exporter] files of "
            f"{_DEFAULT_FILE}, or of the file that --config-file names"
        )
    for path in options.files:
        if not os.path.isabs(path):
            raise ValueError(
                f"[vhard_exporter] files: {path!r} is no absolute path"
            )
    return list(options.files)


def _run(options: Any) -> None:
    """Follow the logs until SIGTERM or SIGINT.

    :raises ValueError: with what is wrong, and how to put it right
    """
    files = _files(options)
    try:
        from nova_vhard.cmd.exporter.service import Exporter
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the Python package {error.name} is not installed: install "
            "nova-vhard[exporter]"
        ) from error
    exporter = Exporter(files, options.poll_interval)

    def stop(signum: int, frame: Any) -> None:
        exporter.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    host, port = options.bind_host, options.port
    try:
        exporter.run(host, port)
    except OSError as error:
        raise ValueError(
            f"cannot listen on {host}, port {port}: {error.strerror}; see "
            "[vhard_exporter] bind_host and port"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
