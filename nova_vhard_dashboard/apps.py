# SPDX-License-Identifier: Apache-2.0
"""The Django application."""

import importlib

from django.apps import AppConfig, apps
from django.conf import settings

MIDDLEWARE = "nova_vhard_dashboard.middleware.RefusalMiddleware"


class DashboardConfig(AppConfig):  # type: ignore[misc]
    """Adds the middleware, which Horizon's plugin files cannot name."""

    name = "nova_vhard_dashboard"
    verbose_name = "Hardening policy"

    def ready(self) -> None:
        """Add the middleware, nearest to the views.

        Django creates the middlewares after all applications are ready. The
        nearest one sees an answer before Horizon renders it as a page.
        """
        if MIDDLEWARE not in settings.MIDDLEWARE:
            settings.MIDDLEWARE = (*settings.MIDDLEWARE, MIDDLEWARE)
        # Horizon's API takes what has registered itself by then.
        if apps.is_installed("openstack_dashboard"):
            importlib.import_module("nova_vhard_dashboard.rest")
