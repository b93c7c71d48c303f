# SPDX-License-Identifier: Apache-2.0
"""A gate with no router behind it, or with another one, does not start."""

import configparser
from unittest import mock

from nova.api.openstack.compute import servers

from nova_vhard.gates import routing
from tests.functional.nova import service, verdicts


def opaque_factory(global_conf, **local_conf):
    """Return a paste filter that hides the application it wraps."""
    return lambda application: lambda *arguments: application(*arguments)


class TestRouting(verdicts.VerdictCase):
    def paste(self, change):
        """Return the gate's paste file, changed."""
        path = self.directory / "changed.ini"
        service.paste_file(path, service.GATE)
        paste = configparser.RawConfigParser()
        paste.optionxform = str
        paste.read(path)
        change(paste)
        with path.open("w") as stream:
            paste.write(stream)
        return path

    def refused(self, change):
        """Check that Nova's API does not start; return why."""
        path = self.paste(change)
        return str(self.assertRaises(routing.NoRouter, self.load_app, path))

    def test_a_filter_that_hides_the_router(self):
        def hide(paste):
            paste["filter:opaque"] = {
                "paste.filter_factory": f"{__name__}:opaque_factory",
                "filter-with": "vhard",
            }
            paste[service.APPLICATION]["filter-with"] = "opaque"

        why = self.refused(hide)
        self.assertIn(f"[{service.APPLICATION}]", why)
        self.assertIn("api-paste.ini", why)
        self.assertIn("(found: function)", why)

    def test_a_pipeline_of_another_application(self):
        def misplace(paste):
            (name,) = (
                each
                for each in paste.sections()
                if each.endswith(":oscomputeversions")
            )
            pipeline = paste[name]["pipeline"]
            paste[name]["pipeline"] = pipeline.replace(
                "oscomputeversionapp", "vhard oscomputeversionapp"
            )

        self.assertIn(f"[{service.APPLICATION}]", self.refused(misplace))

    def test_a_router_that_lacks_what_is_judged(self):
        for name in ("rebuild", "createImage"):
            kept = dict(servers.ServersController.wsgi_actions)
            del kept[name]
            with mock.patch.object(
                servers.ServersController, "wsgi_actions", kept
            ):
                why = self.refused(lambda paste: None)
            self.assertIn(f"'{name}'", why)
            self.assertIn("releases", why)

    def test_a_controller_of_another_name(self):
        controller = servers.ServersController
        self.addCleanup(setattr, controller, "__name__", controller.__name__)
        controller.__name__ = "Renamed"
        why = self.refused(lambda paste: None)
        self.assertIn("('ServersController', 'create', None)", why)

    def test_the_gates_own_place(self):
        """The check of the above: nothing else keeps it down."""
        self.assertIsNotNone(self.load_app(self.paste(lambda paste: None)))
