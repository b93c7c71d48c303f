# SPDX-License-Identifier: Apache-2.0
"""Options of a reporter."""

import pytest

from nova_vhard.conf import reporter as reporter_conf
from tests.unit.helpers import configured


@pytest.fixture
def conf(tmp_path):
    return configured(
        reporter_conf,
        "vhard_reporter",
        state_path=str(tmp_path),
        textfile_directory=str(tmp_path),
    )
