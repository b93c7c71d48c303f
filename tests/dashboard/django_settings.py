# SPDX-License-Identifier: Apache-2.0
"""Django with the plugin in it and no Horizon, for what needs no more."""

import django
from django.conf import settings

OTHERS = ("one.of.horizons",)

if not settings.configured:
    settings.configure(
        INSTALLED_APPS=["nova_vhard_dashboard"], MIDDLEWARE=OTHERS
    )
    django.setup()
