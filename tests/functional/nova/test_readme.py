# SPDX-License-Identifier: Apache-2.0
"""The lines for nova.conf that the pages give, in Nova's HostManager."""

import textwrap
from pathlib import Path

from nova.conf import scheduler
from nova.scheduler import filters, host_manager

from tests.functional.nova import base

INSTALL = Path(__file__).parents[3] / "doc" / "source/install/index.rst"
OURS = "VirtHardeningFilter"


def literal_blocks(text):
    """Yield the literal and code blocks of a reStructuredText page."""
    block, inside = [], False
    for line in [*text.splitlines(), "end"]:
        indented = line.startswith((" ", "\t")) or not line.strip()
        if inside and not indented:
            yield textwrap.dedent("\n".join(block)).strip("\n") + "\n"
            block, inside = [], False
        if inside:
            block.append(line)
        elif line.rstrip().endswith("::") or line.startswith(".. code-block"):
            inside = True


def nova_conf():
    """Return the block about Nova's scheduler."""
    (block,) = [
        block
        for block in literal_blocks(INSTALL.read_text())
        if "[filter_scheduler]" in block and "available_filters" in block
    ]
    return block


class TestReadme(base.FakeDriverCase):
    API_GATE = None
    FILTER = None

    def setUp(self):
        super().setUp()
        self.stock_enabled = list(base.CONF.filter_scheduler.enabled_filters)
        path = self.directory / "nova.conf"
        path.write_text(nova_conf())
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
        """What a deployment tool without lists of values can write."""
        single = filters.HostFilterHandler().get_matching_classes(
            ["nova_vhard.gates.scheduler.all_filters"]
        )
        self.assertEqual(
            sorted(self.manager.filter_cls_map),
            sorted(each.__name__ for each in single),
        )

    def test_the_option_is_named_twice(self):
        """It replaces Nova's default, so that both must be named."""
        lines = [
            line
            for line in nova_conf().splitlines()
            if line.replace(" ", "").startswith("available_filters=")
        ]
        self.assertEqual(2, len(lines))
        self.assertIn(
            "available_filters",
            [option.name for option in scheduler.filter_scheduler_opts],
        )
