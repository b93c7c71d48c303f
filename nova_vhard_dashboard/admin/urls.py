# SPDX-License-Identifier: Apache-2.0
"""The addresses of the panel."""

from django.urls import re_path

from nova_vhard_dashboard.admin import views

urlpatterns = [re_path(r"^$", views.IndexView.as_view(), name="index")]
