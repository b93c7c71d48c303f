# SPDX-License-Identifier: Apache-2.0
"""The lines for nova.conf that are printed, as Nova's scheduler reads them."""

import textwrap
from pathlib import Path

import nova.conf
from nova.scheduler import filters

from nova_vhard.cmd import status

CONF = nova.conf.CONF
INSTALL = Path(__file__).parents[3] / "doc" / "source/install/index.rst"
OURS = "VirtHardeningFilter"


def names(available):
    """Return the filters that Nova finds in ``available_filters``."""
    found = filters.HostFilterHandler().get_matching_classes(available)
    return sorted(each.__name__ for each in found)


def test_lines_for_nova_conf(tmp_path, capsys):
    CONF([], project="nova", default_config_files=[])
    stock = [*CONF.filter_scheduler.enabled_filters]
    path = tmp_path / "bare.conf"
    path.touch()
    assert status.main([f"--nova-config-file={path}", "filters"]) == 0
    out = capsys.readouterr().out
    path.write_text(out)
    # what nova-scheduler does with --config-file
    CONF([], project="nova", default_config_files=[str(path)])
    options = CONF.filter_scheduler
    # Ours comes first, and Nova's own are still there.
    assert options.enabled_filters == [OURS, *stock]
    novas = [each.__name__ for each in filters.all_filters()]
    # A single value, for deployment tools that cannot write lists of values,
    # finds the same.
    single = ["nova_vhard.gates.scheduler.all_filters"]
    for available in (options.available_filters, single):
        assert names(available) == sorted([OURS, *novas])
    CONF.reset()
    # The page shows the lines.
    shown = textwrap.indent(out.partition(",")[0], "   ")
    assert f"# nova-vhard-status filters\n{shown},…" in INSTALL.read_text()
