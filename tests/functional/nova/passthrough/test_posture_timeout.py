# SPDX-License-Identifier: Apache-2.0
"""The scheduler's own Placement client has a time limit, by Nova's options."""

import http.server
import json
import threading
from contextlib import closing

import nova.conf
import pytest
from keystoneauth1 import loading

from nova_vhard.gates import posture_filter
from nova_vhard.placement.client import PlacementError
from nova_vhard.placement.posture import PostureUnavailable, Question
from tests.functional.placement.test_posture_hangs import Silent

CONF = nova.conf.CONF
IOMMU = "CUSTOM_VHARD_IOMMU"
LIMIT = 1


@pytest.fixture
def configure():
    """Call to let ``[placement]`` lead to an address, and say more."""
    overridden = []

    def to(url, **more):
        options = {"auth_type": "none", "endpoint_override": url, **more}
        for name, value in options.items():
            CONF.set_override(name, value, "placement")
            overridden.append(name)

    CONF([], project="nova", default_config_files=[])
    yield to
    for name in overridden:
        CONF.clear_override(name, "placement")
    CONF.reset()
    # Otherwise the plugin's required options break tests that read a file.
    demanded = loading.get_auth_plugin_conf_options("password")
    CONF.unregister_opts(demanded, group="placement")


def fails_in_time(server, limit):
    """Check that a request ends, although the server never answers it."""
    with closing(server), pytest.raises(PlacementError, match=r"imed? ?out"):
        posture_filter._connect(limit).known({IOMMU})
    assert server.asked.is_set()


@pytest.mark.parametrize(
    ("timeout", "limit"), [(None, LIMIT), (600, LIMIT), (LIMIT, 600)]
)
def test_the_shorter_limit_holds_nova_s_or_ours(configure, timeout, limit):
    server = Silent(drips=False)
    configure(server.url, timeout=timeout)
    fails_in_time(server, limit)


def test_the_option_reaches_the_posture(configure):
    server = Silent(drips=True)
    configure(server.url)
    options = type("Options", (), {})()
    options.posture_ttl, options.posture_max_age = 60, 600
    options.posture_timeout = LIMIT
    hosts = posture_filter.PostureFilter(options)
    try:
        with pytest.raises(PostureUnavailable):
            hosts._posture.hosts(Question(frozenset(("iommu",)), 2))
        assert server.asked.is_set()
    finally:
        server.close()


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers with no traits; keeps the headers."""

    def do_GET(self):
        self.server.headers = dict(self.headers)
        body = json.dumps({"traits": []}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_it_speaks_as_novas_own_client_does(configure):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.status = 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    configure(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        client = posture_filter._connect(LIMIT * 30)
        assert client.known({IOMMU}) == set()
        version = server.headers["OpenStack-API-Version"]
        assert version == "placement 1.39"
        # and a status is an answer, not keystoneauth's exception
        server.status = 418
        with pytest.raises(PlacementError) as caught:
            client.known({IOMMU})
        assert caught.value.status == 418
    finally:
        server.shutdown()
        server.server_close()


LOGIN = """\
[placement]
auth_type = password
auth_url = {url}
username = nova
password = secret
project_name = service
user_domain_name = Default
project_domain_name = Default
"""


def test_the_limit_holds_for_keystone_too(configure, tmp_path):
    """The requests for a token and for the catalog come first."""
    server = Silent(drips=False)
    path = tmp_path / "nova.conf"
    path.write_text(LOGIN.format(url=server.url))
    CONF([], project="nova", default_config_files=[str(path)])
    fails_in_time(server, LIMIT)
