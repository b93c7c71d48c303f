# SPDX-License-Identifier: Apache-2.0
"""Publisher ``json``: the last report as a file, evidence and all."""

import os

from nova_vhard.common import files
from nova_vhard.host.report import HostReport
from nova_vhard.reporter.publishers.base import Publisher, PublishError

#: What a host could not prove is of use to an attacker: not for everybody.
MODE = 0o640


class JsonPublisher(Publisher):
    """One file, replaced by each report."""

    name = "json"

    @property
    def path(self) -> str:
        """Where the report goes."""
        options = self.conf.vhard_reporter
        default = os.path.join(options.state_path, "report.json")
        return str(options.report_file or default)

    def publish(self, report: HostReport) -> None:
        """Replace the file in one step.

        :raises PublishError: if it cannot be written; the old one stays
        """
        try:
            files.replace(self.path, f"{report.as_json()}\n", MODE)
        except OSError as error:
            raise PublishError(f"{self.path}: {error.strerror}") from error
