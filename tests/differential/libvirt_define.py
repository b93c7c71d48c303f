# SPDX-License-Identifier: Apache-2.0
"""Have libvirt define a domain, and show what it has made of it.

Runs in a Python that has libvirt's bindings, and is told of domains line by
line, each a JSON text. For each it prints one line: the XML that libvirt
would start, or null and why it would not. Nothing is started; libvirt's QEMU
driver runs in this process, in a folder of its own.

    python libvirt_define.py FOLDER
"""

import json
import sys

import libvirt


def defined(
    connection: libvirt.virConnect, xml: str
) -> tuple[str | None, str]:
    """Return what libvirt makes of a domain, or why it does not."""
    try:
        domain = connection.defineXML(xml)
        try:
            return domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), ""
        finally:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    except libvirt.libvirtError as error:
        return None, str(error)


def main(folder: str) -> None:
    """Answer until the input ends."""
    libvirt.registerErrorHandler(lambda context, error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(f"qemu:///embed?root={folder}")
    print(json.dumps(connection.getLibVersion()), flush=True)
    for line in sys.stdin:
        print(json.dumps(defined(connection, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
