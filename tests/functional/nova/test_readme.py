# SPDX-License-Identifier: Apache-2.0
"""The lines for nova.conf that are printed, in Nova's HostManager."""

import contextlib
import io
import textwrap
from pathlib import Path

from nova import test
from nova.scheduler import filters, host_manager

from nova_vhard.cmd import status
from tests.functional.nova import base

INSTALL = Path(__file__).parents[3] / "doc" / "source/install/index.rst"
OURS = "VirtHardeningFilter"


class TestReadme(base.Gates, test.TestCase):
    """No service runs."""

    ONE_CLOUD = False
    FILTER = None

    def test_lines_for_nova_conf(self):
        stock = list(base.CONF.filter_scheduler.enabled_filters)
        path = self.directory / "bare.conf"
        path.touch()
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            ended = status.main([f"--nova-config-file={path}", "filters"])
        self.assertEqual(0, ended)
        path.write_text(out.getvalue())
        # what nova-scheduler does with --config-file
        base.CONF([], project="nova", default_config_files=[str(path)])
        manager = host_manager.HostManager()

        # Ours comes first, and Nova's own are still there.
        enabled = [type(each).__name__ for each in manager.enabled_filters]
        self.assertEqual([OURS, *stock], enabled)
        novas = {each.__name__ for each in filters.all_filters()}
        self.assertEqual({*novas, OURS}, {*manager.filter_cls_map})
        # A single value, for deployment tools that cannot write lists of
        # values, finds the same.
        single = filters.HostFilterHandler().get_matching_classes(
            ["nova_vhard.gates.scheduler.all_filters"]
        )
        self.assertEqual(
            sorted(manager.filter_cls_map),
            sorted(each.__name__ for each in single),
        )
        # The page shows the lines.
        shown = textwrap.indent(out.getvalue().partition(",")[0], "   ")
        self.assertIn(
            f"# nova-vhard-status filters\n{shown},…", INSTALL.read_text()
        )
