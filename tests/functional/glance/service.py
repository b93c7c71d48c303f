# SPDX-License-Identifier: Apache-2.0
"""Glance's own WSGI application, configured in a directory of its own.

``write`` puts a glance-api.conf and a copy of the *shipped* paste file there,
with our filter after ``context`` and a stand-in for Keystone's token check.
``create_database`` runs ``glance-manage db sync``.  ``load`` builds the
application in this process.  The functional tests and the benchmark use it.
"""

import configparser
import functools
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

GATE = "nova_vhard.gates.glance_api:filter_factory"
IDENTITY = "tests.functional.glance.identity:filter_factory"
FLAVOR = "keystone"

# Glance takes a policy.yaml beside its configuration for its access rules.
_CONFIGURATION = """\
[DEFAULT]
enabled_backends = fast:file
enabled_import_methods = [glance-direct]
[database]
connection = sqlite:///{directory}/glance.sqlite?timeout=60
[paste_deploy]
flavor = {flavor}
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {directory}/images
[os_glance_staging_store]
filesystem_store_datadir = {directory}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {directory}/tasks
[oslo_concurrency]
lock_path = {directory}/locks
[vhard]
policy_file = {directory}/vhard.yaml
state_path = {directory}/state
"""


@functools.cache
def shipped_paste_file() -> Path:
    """Return glance-api-paste.ini as the installed Glance ships it."""
    (file,) = (
        file
        for file in importlib.metadata.files("glance") or []
        if file.name == "glance-api-paste.ini"
    )
    return Path(str(file.locate())).resolve()


def paste_file(
    target: Path, our_filter: str | None, **more: dict[str, str]
) -> Path:
    """Write the shipped paste file with our filter around the application.

    ``our_filter`` is a paste filter factory ("module:name"); None leaves
    Glance as it ships.  Only the token check is replaced in either case.
    ``more`` are keys of the file's sections, old or new.
    """
    paste = configparser.RawConfigParser()
    paste.optionxform = str  # type: ignore[assignment, method-assign]
    paste.read(shipped_paste_file())
    paste["filter:authtoken"] = {"paste.filter_factory": IDENTITY}
    if our_filter:
        paste["filter:vhard"] = {"paste.filter_factory": our_filter}
        paste["composite:rootapp"]["filter-with"] = "vhard"
    paste.read_dict(more)
    with target.open("w") as stream:
        paste.write(stream)
    return target


def write(directory: Path, our_filter: str | None) -> Path:
    """Write glance-api.conf and its paste file; return the former."""
    for name in ("images", "staging", "tasks", "locks", "state"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    configuration = directory / "glance-api.conf"
    configuration.write_text(
        _CONFIGURATION.format(directory=directory, flavor=FLAVOR)
    )
    paste_file(directory / "glance-api-paste.ini", our_filter)
    return configuration


def create_database(configuration: Path) -> None:
    """Create the tables, with the command that an operator would run."""
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from glance.cmd.manage import main; main()",
            f"--config-file={configuration}",
            "db",
            "sync",
        ],
        check=True,
        capture_output=True,
        text=True,
    )


def configure(configuration: Path) -> None:
    """Point this process's Glance at a configuration and its stores.

    What glance.common.wsgi_app.init_app does, less what belongs to a server:
    log files, signal handlers and threads.
    """
    import glance_store
    from glance.async_ import set_threadpool_model
    from glance.common import config, wsgi_app

    config.set_config_defaults()
    config.CONF(
        [f"--config-file={configuration}"], project="glance", prog="glance-api"
    )
    set_threadpool_model("native")
    glance_store.register_store_opts(
        config.CONF, reserved_stores=wsgi_app.RESERVED_STORES
    )
    glance_store.create_multi_stores(
        config.CONF, reserved_stores=wsgi_app.RESERVED_STORES
    )


def load(paste: Path) -> Any:
    """Return the WSGI application of a paste file."""
    from glance.common import config

    return config.load_paste_app("glance-api", conf_file=str(paste))
