# SPDX-License-Identifier: Apache-2.0
"""The files of the Nova API of the benchmark.

Paths in nova.conf are relative: each Nova works in its copy of a directory.
"""

import configparser
import uuid
from pathlib import Path

from tests.functional.glance.service import IDENTITY
from tests.functional.nova import service

# A project of their own: servers booted during a run are not in the list.
PROJECT = "fedcba9876543210fedcba9876543210"
SERVERS = 20
#: The server that is locked and unlocked.
ACTED_ON = str(uuid.UUID(int=1))
FLAVOR = "m1"

# Nova takes a policy.yaml beside nova.conf for its access rules.  Nobody
# consumes what is cast; SQLite does not wait for the disk, which is no
# part of what is measured.  A log file, as in production.
CONFIGURATION = """\
[DEFAULT]
host = controller
my_ip = 127.0.0.1
state_path = .
log_file = nova-api.log
use_stderr = false
transport_url = fake:/
[api_database]
connection = sqlite:///api.sqlite
sqlite_synchronous = false
[database]
connection = sqlite:///cell1.sqlite
sqlite_synchronous = false
[filter_scheduler]
enabled_filters = VirtHardeningFilter,ComputeFilter
[glance]
endpoint_override = {glance}
[neutron]
endpoint_override = {network}
[oslo_concurrency]
lock_path = locks
[oslo_messaging_notifications]
driver = noop
[quota]
driver = nova.quota.NoopQuotaDriver
[vhard]
policy_file = vhard.yaml
state_path = vhard
"""


def write_paste_file(directory: Path, our_filter: str) -> None:
    """Write the shipped paste file with a filter around the application.

    The check of the token is the stand-in of Glance's functional tests.
    """
    target = service.paste_file(directory / "api-paste.ini", our_filter)
    paste = configparser.RawConfigParser()
    paste.optionxform = str  # type: ignore[assignment, method-assign]
    paste.read(target)
    paste["filter:authtoken"] = {"paste.filter_factory": IDENTITY}
    with target.open("w") as stream:
        paste.write(stream)
