# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-exporter as a process."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request

import oslo_messaging
import pytest

from nova_vhard.cmd import exporter
from tests.unit.guard.domains import until

_WAIT = 60
#: Nothing listens there.
DOWN = "rabbit://u:hidden@127.0.0.1:1/vhost"


@pytest.fixture(autouse=True)
def defaults(monkeypatch):
    """Leave alone what other tests of this process have of the same module."""
    monkeypatch.setattr(
        oslo_messaging, "set_transport_defaults", lambda exchange: None
    )


def configured(tmp_path, **options):
    path = tmp_path / "exporter.conf"
    lines = [f"{name} = {value}\n" for name, value in options.items()]
    path.write_text("".join(["[vhard_exporter]\n", *lines]))
    return ["--config-file", str(path)]


def scraped(port):
    """Return the metrics; "" while the exporter does not respond."""
    with contextlib.suppress(OSError):
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=_WAIT) as answer:
            return answer.read().decode()
    return ""


def test_serves_while_the_bus_is_down_and_stops_on_sigterm(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = configured(tmp_path, transport_urls=DOWN, port=port)
    command = [sys.executable, "-m", "nova_vhard.cmd.exporter", *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            down = 'nova_vhard_bus_up{bus="127.0.0.1:1/vhost"} 0.0'
            until(lambda: down in scraped(port))
            text = scraped(port)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=_WAIT)
        finally:
            process.kill()
    series = 'gate="nova-api",mode="enforce",outcome="refuse"'
    assert f"nova_vhard_decisions_total{{{series}}} 0.0" in text
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "hidden" not in errors + text


def test_a_port_that_is_in_use_is_one_clear_error(tmp_path, capsys):
    """It is one of loopback alone by default."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = configured(tmp_path, transport_urls=DOWN, port=port)
        assert exporter.main(arguments) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        f"nova-vhard-exporter: cannot listen on 127.0.0.1, port {port}: "
        "Address already in use; see [vhard_exporter] bind_host and port"
    )


#: Number of the URL in the option, before what is wrong with it.
URL = "[vhard_exporter] transport_urls, number 1: "


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "no message bus to listen to: name it in [vhard_exporter] "),
        # An option of an older version.
        ({"files": "/x"}, "no message bus to listen to"),
        ({"transport_urls": DOWN, "port": "http"}, "port"),
        ({"transport_urls": DOWN, "bind_host": "not a host"}, "bind_host"),
        ({"transport_urls": DOWN, "topic": "a b"}, "topic"),
        # An option of the driver, in a group of its own.
        (
            {
                "transport_urls": DOWN,
                "topic": "vhard\n[oslo_messaging_rabbit]\nssl = maybe",
            },
            "Value for option ssl from ",
        ),
        ({"transport_urls": ""}, f"{URL}it is not the URL of a message bus"),
        (
            {"transport_urls": "u:hidden@rabbit1:5672"},
            f"{URL}there is no driver for u://",
        ),
        (
            {"transport_urls": "rabbit://u:hidden/@rabbit1:5672"},
            f"{URL}it is not the URL of a message bus",
        ),
        (
            {"transport_urls": "rabbit://u:hidden@rabbit1:x"},
            f"{URL}it is not the URL of a message bus",
        ),
        (
            {"transport_urls": "rabit://u:hidden@rabbit1:1"},
            f"{URL}there is no driver for rabit://",
        ),
        (
            {"transport_urls": "rabbit://u:hidden@rabbit1:1/?ssl=hidden"},
            f"{URL}an option behind the ?",
        ),
        (
            {"transport_urls": "rabbit://u:hidden@rabbit1:1/?hidden=1"},
            f"{URL}an option behind the ?",
        ),
    ],
)
def test_a_wrong_option_is_one_clear_error_without_the_password(
    tmp_path, capsys, options, text
):
    assert exporter.main(configured(tmp_path, **options)) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("nova-vhard-exporter: ")
    assert text in line
    assert "hidden" not in line


def python(text):
    command = [sys.executable, "-c", text]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("package", ["prometheus_client", "oslo_messaging"])
def test_without_its_extra_it_says_what_to_install(package):
    result = python(
        f"import sys; sys.modules['{package}'] = None\n"
        "from nova_vhard.cmd import exporter\n"
        "try: exporter._run(None, None)\n"
        "except ValueError as error: print(error)\n"
    )
    assert "install nova-vhard[exporter]" in result.stdout


def test_importing_it_starts_no_thread():
    result = python(
        "import threading\n"
        "import nova_vhard.cmd.exporter\n"
        "import nova_vhard.exporter.service\n"
        "print(threading.active_count())\n"
    )
    assert result.stdout == "1\n"


_FORGED = """
import json, sys, threading
import oslo_messaging
from nova_vhard.cmd import exporter
from nova_vhard.exporter import service

def run(self, host, port):
    self.start()
    driver = self._buses[0]._transport._driver
    exchange = driver._exchange_manager.get_exchange("nova-vhard-exporter")
    for message in json.loads(sys.argv.pop()):
        exchange.deliver_message("vhard_notifications.info", {}, message, None)
    until = threading.Event()
    dropped = dict(service="nova-api")
    name = "nova_vhard_notifications_dropped_total"
    while not self.metrics.registry.get_sample_value(name, dropped):
        until.wait(0.01)

service.Exporter.run = run
sys.exit(exporter.main(sys.argv[1:-1]))
"""

FORGED = "\n1999-01-01 09:00:00.000 1 CRITICAL forged [-] \x1b[2Jforged\u202e"


def test_what_a_library_logs_of_a_notification_is_clean_too(tmp_path):
    # given: what oslo.messaging itself cannot read, and logs
    good = {
        "publisher_id": "nova-api:host",
        "event_type": "vhard.heard",
        "priority": "INFO",
        "payload": {"version": "1.0", "dropped": 1},
    }
    messages = [
        {**good, "priority": FORGED},
        {**good, "priority": {FORGED: FORGED}},
        {**good, "publisher_id": FORGED, "payload": FORGED},
        good,
    ]
    options = configured(tmp_path, transport_urls="fake:")
    # when
    ended = subprocess.run(
        [sys.executable, "-c", _FORGED, *options, json.dumps(messages)],
        capture_output=True,
        text=True,
        timeout=_WAIT,
        check=True,
    )
    # then
    assert "Unknown priority" in ended.stderr
    lines = ended.stderr.splitlines()
    assert not [line for line in lines if line.startswith("1999-01-01")]
    assert not {"\x1b", "\u202e"} & {*ended.stderr}
