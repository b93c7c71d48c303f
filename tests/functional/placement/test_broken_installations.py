# SPDX-License-Identifier: Apache-2.0
"""Broken installations: nova-vhard-status names each, and its fix works.

A wrong password of Placement needs Keystone: tests/integration/test_cloud.py.
"""

import contextlib
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import wsgi_intercept
from oslo_upgradecheck.upgradecheck import Code
from webob import dec

from nova_vhard.cmd import paste, status
from tests.functional.placement.test_status import (
    OFFERED,
    hypervisor,
    login,
    marks,
    seen,
)
from tests.unit.cli.nodes import GLANCE, NOVA, POLICY, Etc, shipped

ON = NOVA.replace("[service_user]", "pci_in_placement = true\n[service_user]")
PCI = ON.replace(
    "enabled_filters = V", "enabled_filters = PciPassthroughFilter,V"
)
#: Looks at a policy once, as a service does.
LOOK = """\
import sys
from nova_vhard.policy.watch import PolicyFile
PolicyFile(*sys.argv[1:]).runs()
"""

pytestmark = pytest.mark.usefixtures("weeks")


class Installation(Etc):
    """An installation to break, and to repair by the printed fix."""

    def __init__(self, folder, cloud, patch):
        super().__init__(folder)
        self.cloud, self.patch, self.as_user = cloud, patch, False
        self.nova(NOVA + login(cloud))

    def judge(self, *versions):
        """Let nova-api read the policy, with a wheel of each version."""
        wheel = self.folder / "-".join(("wheel", *versions))
        for version in versions:
            about = wheel / f"nova_vhard-{version}.dist-info"
            about.mkdir(parents=True)
            text = f"Name: nova-vhard\nVersion: {version}\n"
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\n{text}")
        state = self.folder / "state/policy-nova-api.json"
        subprocess.run(
            [sys.executable, "-c", LOOK, self.folder / "policy.yaml", state],
            env={**os.environ, "PYTHONPATH": str(wheel)},
            cwd=self.folder,
            check=True,
        )

    def is_told(self, hours):
        """Shift the time that Placement's web server sends."""
        where = urlsplit(self.cloud._fixture.endpoint).netloc, 80
        make, script = wsgi_intercept._wsgi_intercept[where]
        now = datetime.datetime.now(datetime.UTC)

        @dec.wsgify.middleware
        def serve(request, application):
            response = request.get_response(application)
            response.date = now + datetime.timedelta(hours=hours)
            return response

        served = (lambda: serve(make()), script)
        self.patch.setitem(wsgi_intercept._wsgi_intercept, where, served)

    def open(self, mode, state=0o777):
        """Let every user read the files; the policy has another mode."""
        self.as_user = True
        for path in self.folder.glob("*/*.conf"):
            path.chmod(0o644)
        (self.folder / "policy.yaml").chmod(mode)
        (self.folder / "state").mkdir()
        (self.folder / "state").chmod(state)

    def run(self):
        """Run the commands of a fix."""
        (text, _) = re.search(r"Run (.+?)\.( |$)", self.told).groups()
        for command in text.split(" and "):
            subprocess.run(shlex.split(command), check=True)

    def add_paste(self):
        """Run the nova-vhard-paste command of a fix."""
        words = re.search(r"nova-vhard-paste (add \w+ \S+),", self.told)[1]
        assert paste.main(words.split()) == 0

    def host(self):
        """Create a host that reports."""
        self.cloud.host("a", marks())

    def sweep(self):
        self.cloud.insert_swept(datetime.datetime.now(datetime.UTC))


AUDIT, ENFORCE, NEW = (
    ("write", "policy.yaml", f"{POLICY}{line}\n")
    for line in ("mode: audit", "mode: enforce", "requires: '>=0.10'")
)
OFFERS = ("write", "policy.yaml", OFFERED)
#: The problem, the check that reports it, steps that cause it, text of the
#: result, and steps of its fix; steps are methods of Installation.
CASES = {
    "a policy of mode 0600 of another user": (
        "Policy",
        [("open", 0o600)],
        r"cannot read it\. Run chmod 0644 \S+\.",
        ("run",),
    ),
    "a state_path that is not writable": (
        "Policy",
        [("open", 0o644, 0o755)],
        r"cannot write to \S+/state: .* Run install -d",
        ("run",),
    ),
    "no import plugin": (
        "Glance import gate",
        [("glance", GLANCE.replace("[vhard]", "[]"))],
        r"Add vhard as the last plugin, in glance-api\.conf",
        ("glance", GLANCE),
    ),
    "no filter": (
        "Scheduler filter",
        [("nova", NOVA.replace("VirtHardeningFilter,", ""))],
        r"VirtHardeningFilter is not in enabled_filters.*Put it first",
        ("nova", NOVA),
    ),
    "no filter-with in Nova": (
        "Nova API gate",
        [("write", "nova/api-paste.ini", shipped("nova"))],
        "Run nova-vhard-paste add nova",
        ("add_paste",),
    ),
    "no filter-with in Glance": (
        "Glance API gate",
        [("write", "glance/glance-api-paste.ini", shipped("glance"))],
        "Run nova-vhard-paste add glance",
        ("add_paste",),
    ),
    "another wheel in one service": (
        "Policy",
        [("judge", "0.9")],
        r"nova-api runs nova-vhard 0\.9, but .*: restart nova-api",
        ("judge",),
    ),
    "no PciPassthroughFilter": (
        "PCI passthrough",
        [("nova", ON), OFFERS],
        r"lacks PciPassthroughFilter.*Add it, in nova\.conf",
        ("nova", PCI),
    ),
    # An old service reads a policy that requires a new one.
    "a policy that the old service refuses": (
        "Policy",
        [("judge",), NEW, ("judge", "0.9")],
        r"refuses the file since \S+ \S+:3: requires: .*restart it",
        ("judge",),
    ),
    "a clock two hours off": (
        "Placement",
        [("is_told", 2)],
        r"clocks .* differ by (1:59|2:00):\S+ .* correct the wrong clock",
        ("is_told", 0),
    ),
    "no sweep for seven days": (
        "Reporters",
        [OFFERS, ("host",)],
        r"reports of only 0 more days.*Enable nova-vhard-sweep\.timer",
        ("sweep",),
    ),
    "audit mode": (
        "Policy",
        [AUDIT],
        "says mode: audit.*write mode: enforce",
        ENFORCE,
    ),
}


@pytest.fixture
def installation(cloud, monkeypatch):
    """Return one in a folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Installation(Path(folder), cloud, monkeypatch)


def told(installation, name):
    """Return code and details of a check, perhaps as another user."""
    if not installation.as_user:
        node = seen(installation, hypervisor("a"))
        result = status._run(status.CHECKS[name], node, None)
        return result.code, result.details
    if os.getuid():
        pytest.skip("only root can become another user")
    with tempfile.TemporaryFile() as file:
        pid = os.fork()
        if not pid:
            with contextlib.suppress(BaseException):
                os.dup2(file.fileno(), 1)
                sys.stdout = os.fdopen(1, "w")
                command = ["upgrade", "check", "--json", "--user=nobody"]
                status.main([*installation.arguments, *command])
                sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        file.seek(0)
        listed = json.loads(file.read().decode().splitlines()[-1])["checks"]
    (result,) = (each for each in listed if each["check"] == name)
    return result["result"], result["details"]


@pytest.mark.parametrize("case", CASES)
def test_a_broken_installation(installation, case):
    name, broken, text, (method, *arguments) = CASES[case]
    for breaks, *more in broken:
        getattr(installation, breaks)(*more)
    code, installation.told = told(installation, name)
    assert code != Code.SUCCESS
    assert re.search(text, installation.told), installation.told
    getattr(installation, method)(*arguments)
    code, details = told(installation, name)
    assert code == Code.SUCCESS, details
