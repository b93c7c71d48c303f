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
from nova_vhard.conf import exporter as exporter_conf

_DEFAULT_FILE = "/etc/nova-vhard/exporter.conf"


_PROGRAM = daemon.Program(
    "nova-vhard-exporter",
    (_DEFAULT_FILE,),
    exporter_conf.register,
    "vhard_exporter",
    exporter_conf.OPTS,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM.name, description=__doc__)
    _PROGRAM.add_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM; return the exit status."""
    return _PROGRAM.run(_run, _parser().parse_args(argv))


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


def _run(conf: cfg.ConfigOpts, _: argparse.Namespace) -> int:
    _follow(conf.vhard_exporter)
    return 0


def _follow(options: Any) -> None:
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
        """End the exporter: a signal's handler."""
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
