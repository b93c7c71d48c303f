# SPDX-License-Identifier: Apache-2.0
"""nova-vhard-reporter as a process, on this machine and its libvirt."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from nova_vhard.policy import document
from tests.host import daemon

#: The installed program, in the environment that the tests run in.
PROGRAM = pathlib.Path(sys.executable).with_name("nova-vhard-reporter")

Results = dict[str, dict[str, Any]]

_CONFIG = """\
[vhard_reporter]
libvirt_uri = {uri}
policy_file = {policy}
run_dir = {place}/run
state_path = {place}/state
"""

NOVA_CONF = """\
[libvirt]
virt_type = kvm
hw_machine_type = x86_64=q35
[pci]
report_in_placement = false
{device_spec}
"""


class Reporter:
    """A configured reporter.

    :param place: folder for its configuration and all that it writes
    :param uri: of libvirt
    :param more: lines of its configuration
    :param policy: name of a shipped one
    """

    def __init__(
        self,
        place: pathlib.Path,
        uri: str,
        more: str = "",
        policy: str = "baseline",
    ) -> None:
        self.place = place
        self.config = place / "reporter.conf"
        (place / "state").mkdir(parents=True)
        path = document.shipped(policy)
        self.config.write_text(
            _CONFIG.format(uri=uri, policy=path, place=place) + more
        )

    def command(self, *words: str) -> list[str]:
        """Return the command line of a subcommand."""
        return [str(PROGRAM), "--config-file", str(self.config), *words]

    def facts(self, *device_spec: dict[str, str]) -> None:
        """Do root's part, with a nova.conf that offers devices."""
        path = self.place / "nova.conf"
        lines = (f"device_spec = {json.dumps(each)}" for each in device_spec)
        specs = "\n".join(lines)
        path.write_text(NOVA_CONF.format(device_spec=specs))
        command = self.command("facts", "--nova-config-file", str(path))
        subprocess.run(command, check=True, timeout=60)

    def check(self, mounts: dict[str, object] | None = None) -> Results:
        """Run every check; return check to result.

        :param mounts: path to what is there instead, for this run
        """
        command: Sequence[str] = self.command("check", "--format", "json")
        done = subprocess.run(
            daemon.within(mounts, *command) if mounts else command,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in (0, 1, 2), done.stderr
        result = json.loads(done.stdout)["results"]
        return {each["check"]: each for each in result}
