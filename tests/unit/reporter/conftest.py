# SPDX-License-Identifier: Apache-2.0
"""Options of a reporter."""

import pytest
from oslo_config import cfg

from nova_vhard.conf import reporter as reporter_conf


@pytest.fixture
def conf(tmp_path):
    conf = cfg.ConfigOpts()
    conf([], project="test")
    reporter_conf.register(conf)
    for name in ("state_path", "textfile_directory"):
        conf.set_override(name, str(tmp_path), "vhard_reporter")
    return conf
