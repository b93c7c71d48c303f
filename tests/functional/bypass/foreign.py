# SPDX-License-Identifier: Apache-2.0
"""An image service outside this cloud.

Nova opens any URL in a reference to an image with its own client; here it
leads to a port of this machine that answers as Glance would.
"""

import http.server
import json
import threading
import uuid
import warnings
from typing import Any

import fixtures
from nova.api import auth
from nova.image import glance

OWN_CALL = glance.GlanceClientWrapper.call
#: What Glance's schema calls its own, and no property.
BASE: dict[str, Any] = {
    "id": "",
    "name": "an image of somebody's",
    "status": "active",
    "visibility": "public",
    "container_format": "bare",
    "disk_format": "raw",
    "size": 1,
    "min_disk": 0,
    "min_ram": 0,
    "protected": False,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "tags": [],
}


class ForeignGlance(fixtures.Fixture):
    """Serves one image, and notes the tokens that come with the requests.

    :param properties: of the image
    """

    def __init__(self, **properties: str) -> None:
        self._properties = properties
        self.tokens: list[str | None] = []

    def _setUp(self) -> None:
        self.image_id = str(uuid.uuid4())
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), self._handler()
        )
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = (
            f"http://127.0.0.1:{server.server_port}/v2/images/{self.image_id}"
        )
        self._let_nova_ask_it()
        self._let_nova_keep_tokens()
        self._let_nova_keep_urls()

    def _let_nova_keep_urls(self) -> None:
        """Let the id of an image be a URL, with a warning, as in a cloud.

        Nova's fixture turns that warning into an error.
        """
        filters = warnings.catch_warnings()
        filters.__enter__()
        self.addCleanup(filters.__exit__, None, None, None)
        warnings.filterwarnings("ignore", message=".*invalid UUID")

    def _let_nova_keep_tokens(self) -> None:
        """Put the user's token into the context, as Nova does itself.

        Nova's stand-in for the check of the token leaves it out.
        """
        without = auth.NovaKeystoneContext._create_context

        def create(env: dict[str, Any], **more: Any) -> Any:
            context = without(env, **more)
            context.auth_token = env.get("HTTP_X_AUTH_TOKEN")
            return context

        self.useFixture(
            fixtures.MonkeyPatch(
                "nova.api.auth.NovaKeystoneContext._create_context", create
            )
        )

    def _let_nova_ask_it(self) -> None:
        """Have Nova's own client again where it goes by a URL."""
        in_memory = glance.GlanceClientWrapper.call

        def call(client: Any, *args: Any, **more: Any) -> Any:
            chosen = OWN_CALL if client.client else in_memory
            return chosen(client, *args, **more)

        self.useFixture(
            fixtures.MonkeyPatch(
                "nova.image.glance.GlanceClientWrapper.call", call
            )
        )

    def _answer(self, path: str) -> dict[str, Any]:
        if path.startswith("/v2/schemas/"):
            return {
                "name": "image",
                "properties": {name: {} for name in BASE},
                "additionalProperties": {"type": "string"},
            }
        return {**BASE, "id": self.image_id, **self._properties}

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        foreign = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                foreign.tokens.append(self.headers.get("X-Auth-Token"))
                body = json.dumps(foreign._answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler
