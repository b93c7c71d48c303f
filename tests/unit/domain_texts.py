# SPDX-License-Identifier: Apache-2.0
"""Domains in a line."""

UUID = "155d900f-4e14-4e4c-a73d-069cbf4541e6"
NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"
NO_HPET = "<clock><timer name='hpet' present='no'/></clock>"
OS = "<os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os>"


def instance(specs: str | None = "", image: str = "i1") -> str:
    """Return Nova's metadata.

    :param specs: elements; None for a Nova that writes none
    """
    extra = (
        f"<n:extraSpecs>{specs}</n:extraSpecs>" if specs is not None else ""
    )
    return (
        f"<metadata><n:instance xmlns:n='{NOVA}'>"
        f"<n:flavor name='m1' id='42'>{extra}</n:flavor>"
        f"<n:image uuid='{image}'/>"
        "<n:owner><n:user uuid='u1'>user</n:user>"
        "<n:project uuid='p1'>project</n:project></n:owner>"
        "</n:instance></metadata>"
    )


def spec(name: str, value: str) -> str:
    return f"<n:extraSpec name='{name}'>{value}</n:extraSpec>"


def text(
    devices: str = "", more: str = "", system: str = OS, meta: str = ""
) -> bytes:
    """Return the XML of a domain; no HPET if more has no clock."""
    more += "" if "<clock" in more else NO_HPET
    return (
        f"<domain type='kvm'><name>instance-1</name><uuid>{UUID}</uuid>"
        f"{meta or instance()}{system}{more}<devices>{devices}</devices>"
        "</domain>"
    ).encode()
