# SPDX-License-Identifier: Apache-2.0
"""Serve Horizon on loopback, with this project's plugin or as it ships.

``python -m cloud.dashboard PORT KEYSTONE HOME [PLUGIN]``: KEYSTONE is the
address of its API; HOME a directory for what Horizon writes; PLUGIN the
directory of the plugin's own ``enabled`` file.
"""

import os
import pathlib
import sys

_SETTINGS = """\
ALLOWED_HOSTS = ["127.0.0.1"]
CACHES = {{
    "default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
}}
COMPRESS_ENABLED = True
DEBUG = False
LOCAL_PATH = "{local}"
NOVA_VHARD_POLICY_FILE = "{policy}"
OPENSTACK_HOST = "127.0.0.1"
OPENSTACK_KEYSTONE_URL = "{keystone}/v3"
SECRET_KEY = "{secret}"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
STATIC_ROOT = "{home}/static"
WEBROOT = "/"
"""


def configure(home, keystone, plugin=None):
    """Write the settings of Horizon, and have it find them.

    :param home: pathlib.Path of a directory of a cloud
    :param keystone: address of Keystone's API
    :param plugin: directory of a plugin's ``enabled`` file
    """
    local = home / "local"
    local.mkdir(parents=True, exist_ok=True)
    (local / "__init__.py").touch()
    (local / "local_settings.py").write_text(
        _SETTINGS.format(
            home=home,
            local=local,
            keystone=keystone,
            policy=home.parent / "policy.yaml",
            secret="of one cloud",
        )
    )
    # Horizon looks for the package "local" on the path.
    sys.path.insert(0, str(home))
    os.environ["DJANGO_SETTINGS_MODULE"] = "openstack_dashboard.settings"
    if plugin:
        import openstack_dashboard.local.enabled as enabled

        # As if the file had been copied there.
        enabled.__path__.append(str(plugin))


def main(port, keystone, home, plugin=None):
    """Serve it until the process is stopped."""
    configure(pathlib.Path(home), keystone, plugin)
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
