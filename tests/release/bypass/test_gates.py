# SPDX-License-Identifier: Apache-2.0
"""The rows with the gates that NOVA_VHARD_GATES names: ``tox -e gates-api``.

What is open with one gate alone is recorded in setups.yaml, and no failure.
"""

from tests.functional.bypass import ways
from tests.release.bypass import clouds

if clouds.SETUP:
    cloud = ways.Guarded if clouds.SETUP == "both" else clouds.OneGate
    globals().update(clouds.again(cloud, __name__))
