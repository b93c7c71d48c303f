# SPDX-License-Identifier: Apache-2.0
"""What Horizon loads: to be copied to openstack_dashboard/local/enabled/."""

FEATURE = "nova_vhard"
ADD_INSTALLED_APPS = ["nova_vhard_dashboard"]
ADD_ANGULAR_MODULES = ["horizon.app.nova_vhard"]
ADD_SCSS_FILES = ["vhard/refusal.scss"]
ADD_JS_FILES = [
    "vhard/refusal.js",
    "vhard/dialogs.js",
    "vhard/image.js",
]
