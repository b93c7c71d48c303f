# SPDX-License-Identifier: Apache-2.0
"""Where the recipes and the deployers' own files are."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from oslo_config import cfg

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PREFIX = Path(sys.prefix)
#: The paste files of Nova and Glance as their wheels install them.
PASTE = {
    "nova": PREFIX / "etc" / "nova" / "api-paste.ini",
    "glance": PREFIX / "etc" / "glance" / "glance-api-paste.ini",
}


def run(name, *arguments, **more):
    """Run a command of this environment; return what it printed."""
    return output(PREFIX / "bin" / name, *arguments, **more)


def output(*command, **more):
    """Run a command of the system; return what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **more,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def playbook(folder, part, extra, **environment):
    """Run a play on this host; return what was printed.

    :param part: what the play has besides its host
    :param extra: values of ``--extra-vars``
    """
    here = {"hosts": "localhost", "connection": "local"}
    book = [{**here, "gather_facts": False, **part}]
    (folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    return run(
        "ansible-playbook",
        "--inventory",
        "localhost,",
        *(word for each in extra for word in ("--extra-vars", each)),
        "play.yml",
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            **environment,
        },
    )


def scheduler(folder, text, default=None):
    """Return the lists of filters that nova-scheduler reads in a nova.conf.

    :param default: of the enabled filters
    """
    path = folder / "nova.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    options = [
        cfg.MultiStrOpt("available_filters", default=[]),
        cfg.ListOpt("enabled_filters", default=default),
    ]
    conf.register_opts(options, "filter_scheduler")
    conf([], default_config_files=[str(path)], project="nova")
    group = conf.filter_scheduler
    return group.available_filters, group.enabled_filters
