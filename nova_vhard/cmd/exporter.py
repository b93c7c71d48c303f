# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-exporter: count what the gates decide, for Prometheus."""

import argparse
import signal
import sys
import warnings
from collections.abc import Sequence

from oslo_config import cfg

from nova_vhard.cmd import daemon
from nova_vhard.conf import exporter as exporter_conf
from nova_vhard.daemon import interrupts

_PROGRAM = daemon.Program(
    "nova-vhard-exporter",
    ("/etc/nova-vhard/exporter.conf",),
    exporter_conf,
)


def _parser() -> argparse.ArgumentParser:
    return _PROGRAM.parser(__doc__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM; return the exit status."""
    interrupts.note_hangup()
    return _PROGRAM.run(_run, _parser().parse_args(argv))


def _run(conf: cfg.ConfigOpts, _: argparse.Namespace) -> int:
    """Listen to the buses until SIGTERM or SIGINT.

    :raises ValueError: with the cause and the fix
    """
    # oslo.messaging imports eventlet, which warns of its own deprecation.
    # Nothing here uses it.
    warnings.filterwarnings("ignore", r"\W*Eventlet is deprecated")
    try:
        import oslo_messaging

        from nova_vhard.exporter import service
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the Python package {error.name} is not installed: install "
            "nova-vhard[exporter]"
        ) from error
    # Use an exchange of our own for heartbeats.
    oslo_messaging.set_transport_defaults(_PROGRAM.name)
    exporter = service.Exporter(service.buses(conf))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: exporter.stop())
    host, port = conf.vhard_exporter.bind_host, conf.vhard_exporter.port
    try:
        exporter.run(host, port)
    except OSError as error:
        raise ValueError(
            f"cannot listen on {host}, port {port}: {error.strerror}; see "
            "[vhard_exporter] bind_host and port"
        ) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
