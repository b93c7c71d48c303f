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


def printed(folder):
    """Return what ``nova-vhard-status filters`` prints of a bare nova.conf."""
    path = folder / "bare.conf"
    path.touch()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert status.main([f"--nova-config-file={path}", "filters"]) == 0
    return out.getvalue()


class TestReadme(base.Gates, test.TestCase):
    """No service runs."""

    ONE_CLOUD = False
    FILTER = None

    def setUp(self):
        super().setUp()
        self.stock_enabled = list(base.CONF.filter_scheduler.enabled_filters)
        path = self.directory / "nova.conf"
        self.lines = printed(self.directory)
        path.write_text(self.lines)
        # what nova-scheduler does with --config-file
        base.CONF([], project="nova", default_config_files=[str(path)])
        self.manager = host_manager.HostManager()

    def test_ours_comes_first(self):
        enabled = [
            type(each).__name__ for each in self.manager.enabled_filters
        ]
        self.assertEqual([OURS, *self.stock_enabled], enabled)

    def test_novas_own_filters_are_still_there(self):
        known = set(self.manager.filter_cls_map)
        stock = {each.__name__ for each in filters.all_filters()}
        self.assertIn("ImagePropertiesFilter", stock)
        self.assertEqual(stock | {OURS}, known)

    def test_a_single_value_finds_the_same_filters(self):
        """For deployment tools that cannot write lists of values."""
        single = filters.HostFilterHandler().get_matching_classes(
            ["nova_vhard.gates.scheduler.all_filters"]
        )
        self.assertEqual(
            sorted(self.manager.filter_cls_map),
            sorted(each.__name__ for each in single),
        )

    def test_the_page_shows_them(self):
        shown = textwrap.indent(self.lines.partition(",")[0], "   ")
        self.assertIn(
            f"# nova-vhard-status filters\n{shown},…", INSTALL.read_text()
        )
