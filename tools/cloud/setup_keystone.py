# SPDX-License-Identifier: Apache-2.0
"""Make Keystone's database, keys, first user and endpoints.

Run as ``python -m cloud.setup_keystone FILE URL PASSWORD``. What
keystone-manage does in five calls, each of which imports Keystone anew.
"""

import sys

import keystone.conf
from keystone.cmd import bootstrap
from keystone.common import fernet_utils, sql
from keystone.common.sql import upgrades
from keystone.credential.providers import fernet

CONF = keystone.conf.CONF


def main(configuration, url, password):
    """Do it."""
    keystone.conf.configure()
    sql.initialize()
    keystone.conf.set_default_for_default_log_levels()
    CONF([], project="keystone", default_config_files=[configuration])
    keystone.conf.setup_logging()
    upgrades.offline_sync_database_to_version(None)
    for name in ("fernet_tokens", "fernet_receipts"):
        group = CONF[name]
        _make_keys(name, group.key_repository, group.max_active_keys)
    keys = CONF.credential.key_repository
    _make_keys("credential", keys, fernet.MAX_ACTIVE_KEYS)
    first = bootstrap.Bootstrapper()
    first.admin_username = first.project_name = "admin"
    first.admin_role_name = "admin"
    first.admin_password = password
    first.service_name = "keystone"
    first.region_id = "RegionOne"
    first.public_url = first.internal_url = first.admin_url = f"{url}/v3"
    first.immutable_roles = True
    first.bootstrap()


def _make_keys(group, directory, count):
    keys = fernet_utils.FernetUtils(directory, count, group)
    keys.create_key_directory()
    keys.initialize_key_repository()


if __name__ == "__main__":
    main(*sys.argv[1:])
