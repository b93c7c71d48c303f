# SPDX-License-Identifier: Apache-2.0
"""Threads of these tests, beside those of an older Nova and Glance."""

from tests import services

# oslo.messaging, which some import, chooses for the whole process otherwise.
if services.NOVA < services.THREADS:
    services.choose_threads()
