# SPDX-License-Identifier: Apache-2.0
"""What our programs with a configuration file of their own do alike."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging


def configure(
    program: str,
    default_file: str,
    register: Sequence[Callable[[cfg.ConfigOpts], None]],
    files: Sequence[str] | None,
    debug: bool,
) -> cfg.ConfigOpts:
    """Read a program's configuration and set up its log.

    :param default_file: read if it is there and ``files`` names none
    :param register: each registers an option group
    :raises oslo_config.cfg.Error: for a file that cannot be read
    """
    conf = cfg.ConfigOpts()
    logging.register_options(conf)
    # Standard output is for results.
    conf.set_default("use_stderr", True)
    for one in register:
        one(conf)
    default = [default_file] if os.path.exists(default_file) else []
    conf(
        ["--debug"] if debug else [],
        project=program,
        default_config_files=files or default,
    )
    logging.setup(conf, program)
    return conf


def read_all(group: Any, options: Sequence[cfg.Opt]) -> None:
    """Read every option: oslo.config checks a value when it is read.

    :raises ValueError: for one that makes no sense
    """
    for option in options:
        getattr(group, option.dest)
