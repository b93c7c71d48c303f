# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-exporter as a process."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from nova_vhard.cmd.exporter import program
from tests.unit.exporter.logs import event

_WAIT = 60


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "service.log"
    path.write_text("old\n")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configured(tmp_path, **options):
    path = tmp_path / "exporter.conf"
    lines = [f"{name} = {value}\n" for name, value in options.items()]
    path.write_text("".join(["[vhard_exporter]\n", *lines]))
    return ["--config-file", str(path)]


@contextlib.contextmanager
def running(arguments):
    command = [
        sys.executable,
        "-m",
        "nova_vhard.cmd.exporter.program",
        *arguments,
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def scrape(port, process, until):
    """Return what is served, once it has a text."""
    deadline = time.monotonic() + _WAIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{port}/metrics"
            with urllib.request.urlopen(url, timeout=_WAIT) as answer:
                text = answer.read().decode()
            if until in text:
                return text
        time.sleep(0.05)
    raise AssertionError(f"no {until!r}: {process.poll()}")


def test_serves_what_is_written_and_stops_on_sigterm(tmp_path, path):
    port = free_port()
    options = {"files": path, "port": port, "poll_interval": 0.1}
    with running(configured(tmp_path, **options)) as process:
        series = 'gate="nova-api",mode="enforce",outcome="refuse"'
        name = "nova_vhard_decisions_total"
        scrape(port, process, f"{name}{{{series}}} 0.0")
        with open(path, "a") as log:
            log.write(event("context", {"hw_disk_bus": "ide"}) + "\n")
        scrape(port, process, f"{name}{{{series}}} 1.0")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=_WAIT)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_it_listens_on_loopback_alone_by_default(tmp_path, path):
    parser = program._parser()
    arguments = configured(tmp_path, files=path)
    conf = program._PROGRAM.configure(parser.parse_args(arguments))
    assert conf.vhard_exporter.bind_host == "127.0.0.1"


def test_a_port_that_is_in_use_is_one_clear_error(tmp_path, path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = configured(tmp_path, files=path, port=port)
        assert program.main(arguments) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        f"nova-vhard-exporter: cannot listen on 127.0.0.1, port {port}: "
        "Address already in use; see [vhard_exporter] bind_host and port"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no log to follow: name them in [vhard_exporter] files"),
        ({"files": "service.log"}, "'service.log' is no absolute path"),
        ({"files": "/x", "port": "http"}, "port"),
        ({"files": "/x", "bind_host": "not a host"}, "bind_host"),
        ({"files": "/x", "poll_interval": "0"}, "poll_interval"),
    ],
)
def test_a_wrong_option_is_one_clear_error(tmp_path, capsys, options, said):
    assert program.main(configured(tmp_path, **options)) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("nova-vhard-exporter: ")
    assert said in line


def python(text):
    command = [sys.executable, "-c", text]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_without_its_extra_it_says_what_to_install():
    found = python(
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from nova_vhard.cmd.exporter import program\n"
        "from oslo_config import cfg\n"
        "class Options: files = ['/x']\n"
        "try: program._follow(Options)\n"
        "except ValueError as error: print(error)\n"
    )
    assert "install nova-vhard[exporter]" in found.stdout


def test_importing_it_starts_no_thread():
    found = python(
        "import threading\n"
        "import nova_vhard.cmd.exporter.program\n"
        "import nova_vhard.cmd.exporter.service\n"
        "print(threading.active_count())\n"
    )
    assert found.stdout == "1\n"
