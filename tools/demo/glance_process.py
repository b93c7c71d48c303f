# SPDX-License-Identifier: Apache-2.0
"""Glance, from its own paste file, in a process of its own.

Arguments: the configuration directory and the number of a bound socket.
"""

import os

from demo import serve


def main(directory, descriptor):
    """Make the database, then serve until the parent ends."""
    reporter = serve.Reporter()
    os.environ["OS_GLANCE_CONFIG_DIR"] = directory
    reporter.say("importing Glance")
    from glance.common import wsgi_app

    reporter.say("making Glance's database")
    _make_database(directory)
    reporter.say("loading Glance's pipeline")
    serve.serve(wsgi_app.init_app(), serve.inherited(descriptor))
    reporter.ready()
    serve.until_parent_ends()


def _make_database(directory):
    from glance.cmd import manage
    from glance.common import config

    config.parse_args(
        args=[], default_config_files=[f"{directory}/glance-api.conf"]
    )
    manage.DbCommands().sync()


if __name__ == "__main__":
    serve.run(main)
