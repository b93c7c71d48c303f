# SPDX-License-Identifier: Apache-2.0
"""How Nova is set up on a host: what the root pre-step found in nova.conf.

nova.conf holds every password and is not the reporter's to read. A command
that root runs (``nova-vhard-reporter facts``) leaves the few keys that the
checks need in one file below the run directory. Where it could not, it leaves
the reason in their place: nobody goes on to believe what held before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any

from nova_vhard.host import prestep
from nova_vhard.host.host import Host
from nova_vhard.host.nova import nova_compute
from nova_vhard.host.root import Unreadable, unreadable

#: Name of the file below the run directory.
FILE = "nova.json"
#: Version of its content: another one is not understood.
VERSION = 1

_TEXT = str | None
_NAME_FILES = (
    f"Fix this, then run {prestep.COMMAND} as root again. If nova-compute "
    "reads files outside /etc/nova, specify them with --nova-config-file."
)


@dataclass(frozen=True)
class Channels:
    """Network channels of migrations and consoles, from Nova's settings.

    :ivar native_tls: ``live_migration_with_native_tls``
    :ivar tunnelled: ``live_migration_tunnelled``
    :ivar transport: scheme of the migration URI, such as ``tcp``
    :ivar consoles: ``server_listen`` of each enabled console, by kind (``vnc``
        or ``spice``)
    """

    native_tls: bool
    tunnelled: bool
    transport: str
    consoles: Mapping[str, str]


@dataclass(frozen=True)
class NovaFacts:
    """The keys of nova.conf that the checks need, as nova-compute has them.

    :ivar path: of the file that they were read from
    :ivar time: when the pre-step read nova.conf (ISO 8601, UTC)
    :ivar files: the configuration files that it read, in their order
    :ivar device_spec: ``[pci] device_spec``, each entry as it is written
    :ivar cpu_sets: option to the processors that it gives to guests, of
        those that are set
    :ivar channels: what leaves the host
    :ivar mdev_types: ``[devices] enabled_mdev_types``
    :ivar cpu_mode: ``[libvirt] cpu_mode``, empty if it is not set
    :ivar hw_machine_type: ``[libvirt] hw_machine_type``, ``arch=machine``
    :ivar rescue_image_id: None where the instance's own image is used
    :ivar changed: when the newest of the files had been changed, in seconds
        since 1970
    :ivar user: number of the user that runs nova-compute; None if unknown
    """

    path: str
    time: str
    files: tuple[str, ...]
    device_spec: tuple[str, ...]
    report_in_placement: bool
    virt_type: str
    hw_machine_type: tuple[str, ...]
    use_virtio_for_bridges: bool
    rescue_image_id: str | None
    force_config_drive: bool
    config_drive_format: str | None
    pointer_model: str | None
    cpu_sets: Mapping[str, str]
    channels: Channels
    mdev_types: tuple[str, ...]
    cpu_mode: str
    changed: float
    user: int | None


def path(host: Host) -> str:
    """Return the path, on the host, of the file of facts."""
    return f"{host.run_dir.rstrip('/')}/{FILE}"


def read(host: Host) -> NovaFacts:
    """Return what the pre-step found.

    :raises Unreadable: if it did not run, found no configuration that can be
        believed or that nova-compute runs with, or what it left is not
        understood
    """
    result = left(host)
    nova_compute.must_have_read(
        host, result.path, result.files, result.changed, result.user
    )
    return result


def left(host: Host) -> NovaFacts:
    """Return what the pre-step left, whatever nova-compute runs with.

    :raises Unreadable: if it did not run, found no configuration that can be
        believed, or what it left is not understood
    """
    place = path(host)
    try:
        text = host.root.peek(place)
    except Unreadable as error:
        error.step = prestep.STEP
        raise
    try:
        result = json.loads(text)
        if result["version"] != VERSION:
            raise ValueError(f"version is not {VERSION}")
        # The pre-step ran and could not read nova.conf. The answer is its
        # reason, and never what an earlier run of it found.
        if "error" in result:
            raise unreadable(place, _typed(result["error"], str), _NAME_FILES)
        return _facts(place, result)
    except KeyError as error:
        raise unreadable(place, f"has no {error}", prestep.STEP) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise unreadable(place, str(error), prestep.STEP) from error


def _facts(place: str, fields: dict[str, Any]) -> NovaFacts:
    # A key that is missing must be an error: with .get() a setting that was
    # not read would look like Nova's default, and pass. An unknown user counts
    # the programs of all users, which is strict.
    default, libvirt, pci = fields["DEFAULT"], fields["libvirt"], fields["pci"]
    return NovaFacts(
        path=place,
        time=_typed(fields["time"], str),
        files=_texts(fields["files"]),
        device_spec=_texts(pci["device_spec"]),
        report_in_placement=_typed(pci["report_in_placement"], bool),
        virt_type=_typed(libvirt["virt_type"], str),
        hw_machine_type=_texts(libvirt["hw_machine_type"] or []),
        use_virtio_for_bridges=_typed(libvirt["use_virtio_for_bridges"], bool),
        rescue_image_id=_typed(libvirt["rescue_image_id"], _TEXT),
        force_config_drive=_typed(default["force_config_drive"], bool),
        config_drive_format=_typed(default["config_drive_format"], _TEXT),
        pointer_model=_typed(default["pointer_model"], _TEXT),
        cpu_sets=_cpu_sets(fields),
        channels=_channels(fields),
        mdev_types=_texts(fields["devices"]["enabled_mdev_types"]),
        cpu_mode=_typed(libvirt["cpu_mode"], _TEXT) or "",
        changed=_typed(fields["changed"], float | int),
        user=_typed(fields.get("user"), int | None),
    )


def _cpu_sets(fields: dict[str, Any]) -> dict[str, str]:
    """Return the sets of processors that Nova takes for guests.

    ``vcpu_pin_set`` counts where ``cpu_dedicated_set`` is not set.
    """
    # _check_cpu_set_configuration() in nova/virt/libvirt/driver.py refuses
    # vcpu_pin_set next to cpu_dedicated_set; next to cpu_shared_set it counts.
    compute = fields["compute"]
    shared = _typed(compute["cpu_shared_set"], _TEXT)
    dedicated = _typed(compute["cpu_dedicated_set"], _TEXT)
    legacy = _typed(fields["DEFAULT"]["vcpu_pin_set"], _TEXT)
    every = {
        "[compute] cpu_shared_set": shared,
        "[compute] cpu_dedicated_set": dedicated,
        "[DEFAULT] vcpu_pin_set": None if dedicated else legacy,
    }
    return {name: value for name, value in every.items() if value}


def _channels(fields: dict[str, Any]) -> Channels:
    """Return how migrations and consoles leave the host.

    Of the URI, which wins over the scheme, the scheme alone was kept: without
    either Nova takes TCP.
    """
    # The order is that of _live_migration_uri() in
    # nova/virt/libvirt/driver.py: the URI, then the scheme, then tcp.
    libvirt = fields["libvirt"]
    uri = _typed(libvirt["live_migration_uri"], _TEXT) or ""
    scheme = _typed(libvirt["live_migration_scheme"], _TEXT)
    # A console that is off does not listen, wherever server_listen points.
    consoles = {
        kind: _typed(fields[kind]["server_listen"], str)
        for kind in ("vnc", "spice")
        if _typed(fields[kind]["enabled"], bool)
    }
    return Channels(
        _typed(libvirt["live_migration_with_native_tls"], bool),
        _typed(libvirt["live_migration_tunnelled"], bool),
        _transport(uri) if uri else scheme or "tcp",
        consoles,
    )


def _transport(uri: str) -> str:
    """Return the transport in a scheme; libvirt takes TLS where none is."""
    # "qemu://host/system" is TLS, "qemu+tcp://host/system" is not (libvirt's
    # docs/uri.rst). For another driver the result is "", which no check takes
    # for encrypted.
    driver, plus, transport = uri.partition("+")
    return transport if plus or driver != "qemu" else "tls"


def _typed(value: Any, kind: type | UnionType) -> Any:
    # Not converted: bool("false") would be true.
    if not isinstance(value, kind):
        # 64 characters are enough to find it, and the text goes into a report.
        raise TypeError(f"{str(value)[:64]!r} is not what belongs there")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_typed(item, str) for item in _typed(value, list))
