# SPDX-License-Identifier: Apache-2.0
"""The configuration files of the demo's services, written to disk."""

import json

from common import options, paste
from demo import identity, machines

_NOVA = (
    options.NOVA
    + """\
[DEFAULT]
host = controller
transport_url = fake:/
compute_driver = libvirt.LibvirtDriver
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
[api_database]
connection = sqlite:///{home}/api.sqlite
sqlite_synchronous = false
[database]
connection = sqlite:///{home}/cell1.sqlite
sqlite_synchronous = false
[filter_scheduler]
pci_weight_multiplier = 100
pci_in_placement = true
[libvirt]
virt_type = kvm
hw_machine_type = x86_64=q35
[pci]
report_in_placement = true
{pci}
"""
)
_DATABASE = """\
connection = sqlite:///{home}/{service}.sqlite
sqlite_synchronous = false
"""
#: So that the story need not wait a minute for what a reporter says.
_POSTURE = "posture_ttl = 1\n"


def write(place, keystone, gates):
    """Write every configuration file.

    :param place: common.place.Place with the directories
    :param keystone: address of the identity service
    :param gates: whether this project's gates are configured
    """
    for service in ("nova", "glance", "placement"):
        (place.home(service) / "vhard").mkdir(parents=True)
    ours = options.VHARD if gates else ""
    posture = _POSTURE if gates else ""
    nova = _NOVA + ours + posture
    _write(place, "nova", "nova.conf", nova, keystone, gates)
    glance = options.GLANCE + ours
    _write(place, "glance", "glance-api.conf", glance, keystone, gates)
    placement = options.PLACEMENT
    _write(place, "placement", "placement.conf", placement, keystone, False)
    nova, glance = place.home("nova"), place.home("glance")
    (nova / "api-paste.ini").write_text(paste.nova(gates))
    (nova / "shipped-api-paste.ini").write_text(paste.nova(False))
    (glance / "glance-api-paste.ini").write_text(paste.glance(gates))
    for store in options.GLANCE_STORES:
        (glance / store).mkdir()


def auth(keystone):
    """Give the options by which a service logs in, as text.

    :param keystone: address of the identity service
    """
    return options.auth(keystone, identity.PASSWORD, identity.REGION)


def _pci():
    lines = []
    for card in machines.CARDS:
        ids = {"vendor_id": card.vendor_id, "product_id": card.product_id}
        alias = {"name": card.alias, "device_type": "type-PCI", **ids}
        once = {"one_time_use": "true"} if card.once else {}
        lines += [
            f"device_spec = {json.dumps(ids | once)}",
            f"alias = {json.dumps(alias)}",
        ]
    return "\n".join(lines)


def _write(place, service, name, template, keystone, gates):
    common = {"logs": place.logs, "home": place.home(service)}
    text = template.format(
        **common,
        logging=options.LOGGING.format(service=service, **common),
        database=_DATABASE.format(service=service, **common),
        auth=auth(keystone),
        filters=options.filters(gates),
        pci=_pci(),
        policy=place.policy,
        region=identity.REGION,
    )
    (place.home(service) / name).write_text(text)
