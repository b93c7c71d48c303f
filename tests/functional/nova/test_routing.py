# SPDX-License-Identifier: Apache-2.0
"""A gate with no router behind it, or with another one, does not start."""

from nova_vhard.gates import routing
from tests.functional.nova import service, verdicts

PLACE = f"[{service.APPLICATION}]"
#: Text to replace in the gate's paste file, its replacement, text to append,
#: and parts of the error.
PASTE = {
    "a filter that hides the router": (
        *(
            "filter-with = vhard",
            "filter-with = opaque",
            (
                f"""
[filter:opaque]
paste.filter_factory = {__name__}:opaque_factory
filter-with = vhard
"""
            ),
        ),
        (PLACE, "api-paste.ini", "(found: function)"),
    ),
    "a pipeline of another application": (
        *(" oscomputeversionapp", " vhard oscomputeversionapp", ""),
        (PLACE,),
    ),
}


def opaque_factory(global_conf, **local_conf):
    """Return a paste filter that hides the application it wraps."""
    return lambda application: lambda *arguments: application(*arguments)


class TestRouting(verdicts.VerdictCase):
    def load(self, old="", new="", more=""):
        """Load Nova's API from a changed copy of the gate's paste file."""
        path = self.directory / "changed.ini"
        text = service.paste_file(path, service.GATE).read_text()
        path.write_text(text.replace(old, new) + more)
        return self.load_app(path)

    def test_a_gate_in_another_place(self):
        for *change, texts in PASTE.values():
            error = self.assertRaises(routing.NoRouter, self.load, *change)
            for text in texts:
                self.assertIn(text, str(error))
        # It starts with the unchanged file.
        self.assertIsNotNone(self.load())
