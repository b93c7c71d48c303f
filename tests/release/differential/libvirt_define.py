# SPDX-License-Identifier: Apache-2.0
"""Let libvirt define or start a domain, and print the result.

Runs in a Python that has libvirt's bindings, and reads one JSON text per line
with an action and a domain. For each it prints one line: the XML that libvirt
would start, QEMU's command line or the XML of the started guest; or null and
the reason why there is none. libvirt's QEMU driver runs in this process, in a
folder of its own.

    python libvirt_define.py FOLDER
"""

import json
import sys

import libvirt


def defined(connection: libvirt.virConnect, xml: str) -> str:
    """Define a domain and return its XML as completed by libvirt."""
    domain = connection.defineXML(xml)
    try:
        return domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    finally:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def native(connection: libvirt.virConnect, xml: str) -> str:
    """Return the command line of QEMU that libvirt would run."""
    return connection.domainXMLToNative("qemu-argv", xml)


def started(connection: libvirt.virConnect, xml: str) -> str:
    """Return the XML of a guest that was started, and is gone again."""
    domain = connection.createXML(xml, libvirt.VIR_DOMAIN_START_PAUSED)
    try:
        return domain.XMLDesc()
    finally:
        domain.destroy()


_TASKS = {task.__name__: task for task in (defined, native, started)}


def main(folder: str) -> None:
    """Answer until the input ends."""
    libvirt.registerErrorHandler(lambda context, error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(f"qemu:///embed?root={folder}")
    print("ready", flush=True)
    for line in sys.stdin:
        task, xml = json.loads(line)
        try:
            answer = _TASKS[task](connection, xml), ""
        except libvirt.libvirtError as error:
            answer = None, str(error)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
