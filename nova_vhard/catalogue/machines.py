# SPDX-License-Identifier: Apache-2.0
"""The machine type that Nova picks where nobody names one.

Source: ``get_default_machine_type`` in nova/virt/libvirt/utils.py.
"""

from collections.abc import Mapping

#: By guest architecture.
NOVA_MACHINE_TYPES: Mapping[str, str] = {
    "armv7l": "virt",
    "aarch64": "virt",
    "ppc64le": "pseries",
    "s390": "s390-ccw-virtio",
    "s390x": "s390-ccw-virtio",
    "i686": "pc",
    "x86_64": "pc",
}
