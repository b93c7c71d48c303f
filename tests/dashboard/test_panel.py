# SPDX-License-Identifier: Apache-2.0
"""The administrator's panel: what the report shows, in Horizon."""

import datetime
import json

import pytest

from cloud import policies
from nova_vhard.catalogue.checks import CHECKS
from tests.functional.report import browser
from tests.integration.people import refusal

PAGE = "/admin/nova_vhard/"
PANEL = ".nova-vhard-panel"
FLEET = f"{PANEL} .fleet"
MARKUP = "<img src=x onerror=alert(1)>"
#: For pictures: the name that the file has elsewhere.
NAME = (
    f"document.querySelector('{PANEL} p bdi').textContent = "
    "'/etc/nova-vhard/policy.yaml'"
)
POLICY = """\
version: "1"
extends: baseline
applies_to: {{hypervisor_type: [QEMU, KVM, fake]}}
exemptions:
  - id: legacy-routers
    reason: "{reason}"
    projects: [6f70656e737461636b2070726f6a6563]
    rules: {{guest_devices.disk_bus: [ide]}}
    until: {until}
"""


@pytest.fixture
def panel(as_admin):
    as_admin.go(PAGE)
    return as_admin


def table(chromium, selector):
    """Return the text of the cells of a table."""
    return chromium.run(
        f"return [...document.querySelectorAll('{selector} tr')].map("
        "row => [...row.children].map(cell => cell.textContent))"
    )


def test_it_is_in_the_menu_of_administrators(as_admin, as_member):
    find = f"#sidebar a[href='{PAGE}']"
    as_admin.go("/admin/images")
    assert as_admin.find(find).text == "Hardening Policy"
    as_member.go("/project/images")
    assert as_member.find("#sidebar")
    assert not as_member.chromium.elements(find)


def test_it_is_nobody_elses(as_member):
    as_member.go(PAGE)
    shown = as_member.find("body").text
    assert "You are not authorized to access this page" in shown
    assert not as_member.chromium.elements(PANEL)


def test_the_fleet_is_that_of_the_report(panel, admin, tmp_path):
    page = tmp_path / "report.html"
    assert admin.command("vhard", "report", "--html", str(page)).success
    shown = table(panel.chromium, FLEET)
    with browser.chromium() as other:
        other.show(page)
        rows = table(other, ".fleet")
    # The report tells the time of each host's, too.
    assert [
        [name, said.partition(",")[0], *cells] for name, said, *cells in rows
    ] == shown
    assert shown[0] == ["Host", "Report", *CHECKS]
    assert len(shown) == 1 + 3
    assert "3 hosts: 3 fresh, 0 stale, 0 silent" in panel.find(PANEL).text


def test_decisions_by_rule_and_project(panel, member):
    project = member.session.get_project_id()

    def counted():
        panel.go(PAGE)
        rows = table(panel.chromium, f"{PANEL} .counts tbody")
        key = ["guest_devices.disk_bus", project]
        counts = [row[2:4] for row in rows if row[:2] == key]
        return [int(text) for text in counts[0]] if counts else [0, 0]

    before = counted()
    refusal(member.upload, "panel-fw", hw_disk_bus="ide")
    panel.until(lambda: counted() == [number + 1 for number in before])


def test_servers_that_the_scheduler_refused(
    as_admin, as_member, member, policy
):
    policy(policies.BASELINE + "hosts: {require: [tpm_measured_boot]}\n")
    server = member.boot("unproven", "clean")
    reason = "no host of this cloud has passed the checks tpm_measured_boot"
    as_member.go(f"/project/instances/{server.id}/")
    assert reason in as_member.find("dl", "No valid host was found.").text

    as_admin.go(PAGE)
    first, *_ = table(as_admin.chromium, f"{PANEL} .scheduled tbody")
    project = member.session.get_project_id()
    assert first[1:] == [
        server.id,
        project,
        "tpm_measured_boot [rule hosts.require]",
    ]
    as_admin.click(f"{PANEL} .scheduled a", server.id)
    assert reason in as_admin.find("dl", "No valid host was found.").text
    member.remove(server)


def test_exemptions_that_end_soon(as_admin, policy):
    tomorrow = datetime.datetime.now(datetime.UTC).date()
    tomorrow += datetime.timedelta(days=1)
    policy(POLICY.format(reason=MARKUP, until=tomorrow))
    as_admin.go(PAGE)
    shown = as_admin.find(f"{PANEL} section", "Exemptions that end soon")
    assert f"{tomorrow} ends in 1 days" in shown.text
    assert "legacy-routers" in shown.text
    assert MARKUP in shown.text


def test_a_policy_that_cannot_be_used(as_admin, policy):
    as_admin.go(PAGE)
    policy('version: "1"\nmode: enforc\n')
    as_admin.go(PAGE)
    shown = as_admin.find(f"{PANEL} .trouble").text
    assert "the last valid policy is shown" in shown
    assert "did you mean" in shown


def test_a_policy_that_is_switched_off(as_admin, policy):
    policy('version: "1"\nenabled: false\n')
    as_admin.go(PAGE)
    shown = as_admin.find(f"{PANEL} .trouble").text
    assert shown.startswith("This policy is switched off")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "this user is not allowed to do that (HTTP 403)"),
        (503, "status 503: "),
    ],
)
def test_a_placement_that_refuses(as_admin, faults, status, text):
    fault = {"path": "/traits", "status": status}
    faults("placement", fault | {"body": json.dumps({"title": "busy"})})
    as_admin.go(PAGE)
    shown = as_admin.find(f"{PANEL} .trouble").text
    assert shown.startswith("The hosts could not be read, and this may hide")
    assert f"Placement: {text}" in shown
    assert not as_admin.chromium.elements(FLEET)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "size", [browser.WIDE, browser.NARROW], ids=["wide", "narrow"]
)
def test_axe_finds_nothing_in_it(
    as_admin, member, policy, size, dark, request
):
    refusal(member.upload, "panel-fw", hw_disk_bus="ide")
    policy(POLICY.format(reason="no driver yet", until="2026-05-31"))
    with as_admin.seen(size, dark):
        as_admin.go(PAGE)
        assert len(as_admin.elements(f"{PANEL} table")) >= 3
        as_admin.chromium.run(NAME)
        as_admin.whole_picture(f"panel-{request.node.callspec.id}")
        assert as_admin.chromium.axe(PANEL) == []
        wide = "return document.scrollingElement.scrollWidth"
        assert as_admin.chromium.run(wide) <= size[0]
