# SPDX-License-Identifier: Apache-2.0
"""Serve Horizon on loopback, with this project's plugin.

``python -m cloud.dashboard PORT KEYSTONE HOME PLUGIN``: KEYSTONE is the
address of its API; HOME a directory for what Horizon writes; PLUGIN the
directory of the plugin's own ``enabled`` file.
"""

import os
import pathlib
import sys

from cloud import templates

#: The logs with decisions in them.
_DECIDE = ("nova-api", "nova-scheduler", "glance")
_SETTINGS = """\
ALLOWED_HOSTS = ["127.0.0.1"]
AVAILABLE_THEMES = [
    ("default", "Default", "themes/default"),
    ("dark", "Dark", "{dark}"),
]
CACHES = {{
    "default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
}}
COMPRESS_ENABLED = True
DEBUG = False
LAUNCH_INSTANCE_DEFAULTS = {{"create_volume": False}}
LOCAL_PATH = "{local}"
NOVA_VHARD_DECISIONS = {decisions}
NOVA_VHARD_POLICY_FILE = "{policy}"
OPENSTACK_HOST = "127.0.0.1"
OPENSTACK_KEYSTONE_URL = "{keystone}/v3"
SECRET_KEY = "{secret}"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
STATIC_ROOT = "{home}/static"
WEBROOT = "/"
"""


def main(port, keystone, home, plugin):
    """Write Horizon's settings, and serve it until the process is stopped."""
    home = pathlib.Path(home)
    local, logs = home / "local", home.parent / "logs"
    local.mkdir(parents=True, exist_ok=True)
    (local / "__init__.py").touch()
    (local / "local_settings.py").write_text(
        _SETTINGS.format(
            dark=templates.FOLDER / "dark",
            home=home,
            local=local,
            keystone=keystone,
            policy=home.parent / "policy.yaml",
            decisions=[str(logs / f"{name}.log") for name in _DECIDE],
            secret="of one cloud",
        )
    )
    # Horizon looks for the package "local" on the path.
    sys.path.insert(0, str(home))
    os.environ["DJANGO_SETTINGS_MODULE"] = "openstack_dashboard.settings"
    import openstack_dashboard.local.enabled as enabled

    # As if the file had been copied there.
    enabled.__path__.append(plugin)
    import waitress
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    call_command("collectstatic", interactive=False, verbosity=0)
    waitress.serve(
        StaticFilesHandler(application),
        host="127.0.0.1",
        port=int(port),
        threads=4,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
