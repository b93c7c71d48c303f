# SPDX-License-Identifier: Apache-2.0
"""The pages on nova-vhard-status, nova-vhard-paste and devstack."""

import re

from nova_vhard.cmd import paste, status
from nova_vhard.conf import status as status_conf
from nova_vhard.status import gates
from tests.unit.docs import INSTALL, MONITORING, ROOT, SOURCE, blocks, words


def test_every_check_has_its_paragraph_in_the_order_of_the_table():
    text = MONITORING.read_text(encoding="utf-8")
    result = re.findall(r"^([A-Z][\w -]+)\n   \S", text, re.MULTILINE)
    assert result == list(status.CHECKS)


def test_every_option_is_explained():
    page = SOURCE / "cli" / "nova-vhard-status.rst"
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"``--([\w-]+) [A-Z]+``", text)
    assert named == [each.name for each in status_conf.OPTS]
    for option in status_conf.OPTS:
        default = option.default or ()
        paths = default if isinstance(default, list) else [default]
        assert all(f"``{path}``" in words(page) for path in paths if path)


def test_the_paste_commands_that_are_shown(tmp_path, capsys):
    (block,) = [each for each in blocks(INSTALL, "console") if "paste" in each]
    commands = re.findall(r"^# nova-vhard-paste (\w+) (\w+) ", block, re.M)
    assert commands == [("add", "nova"), ("add", "glance")]
    for action, service in commands:
        anchor = paste.SERVICES[service].after[0]
        file = tmp_path / "paste.ini"
        file.write_text(f"[pipeline:a]\npipeline = {anchor} app\n[app:app]\n")
        assert paste.main([action, service, str(file)]) == 0
        text = capsys.readouterr().out.partition(": ")[2]
        assert f": {text}" in block + "\n"


def test_devstacks_page_names_every_setting():
    settings = (ROOT / "devstack" / "settings").read_text(encoding="utf-8")
    page = (ROOT / "devstack" / "README.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"^(NOVA_VHARD_\w+)=", settings, re.MULTILINE))
    # Where the checkout and the commands are is devstack's matter.
    named -= {"NOVA_VHARD_DIR", "NOVA_VHARD_BIN_DIR"}
    assert set(re.findall(r"^``(NOVA_VHARD_\w+)``", page, re.M)) == named
    (line,) = re.findall(r"enable_plugin .*", page)
    assert line in words(INSTALL)


def test_the_filter_has_one_name():
    plugin = (ROOT / "devstack" / "plugin.sh").read_text(encoding="utf-8")
    assert f"NOVA_VHARD_FILTER={gates.FILTER}\n" in plugin
    source = (ROOT / "nova_vhard/gates/scheduler.py").read_text("utf-8")
    assert f"class {gates.FILTER}(" in source
