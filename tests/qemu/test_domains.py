# SPDX-License-Identifier: Apache-2.0
"""Each domain that Nova makes under the policy is started on the build."""

import pytest

from nova_vhard.osc.qemu import needs
from tests.qemu import build
from tests.release.differential import nova_domains, plan_domains, real_libvirt


@pytest.fixture(scope="module")
def domains(plan):
    with nova_domains.host() as host:
        return dict(plan_domains.made(host, plan))


def not_started(domains, emulator, place):
    """Return the names of the domains that a QEMU does not start, and why."""
    place.mkdir()
    with real_libvirt.started(place / "libvirt") as libvirt:
        answers = {
            name: libvirt.started(plan_domains.startable(xml, emulator, place))
            for name, xml in domains.items()
        }
    return {name: why for name, (xml, why) in answers.items() if not xml}


def test_each_domain_starts_or_the_readme_names_it(
    domains, emulator, place, plan
):
    """A domain that does not start does not start on a full QEMU either."""
    minimal = not_started(domains, emulator, place / "minimal")
    full = not_started(domains, build.SYSTEM, place / "full")
    assert minimal.keys() == full.keys(), minimal
    started = domains.keys() - minimal.keys()
    assert len(started) >= 8
    named = tuple(line.partition(" ")[0] for line in needs.unstarted(plan))
    for name in minimal:
        assert name.partition("hw_")[2].startswith(named), minimal[name]
    assert {"q35 hw:pmem=4GB", "q35 hw_tpm_model=tpm-crb"} <= started
