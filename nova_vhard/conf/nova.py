# SPDX-License-Identifier: Apache-2.0
"""The few of Nova's own options that say how a host is set up.

As nova-compute registers them: name, type, default, choices and former names.
They are read by the root pre-step and by nobody else, and never generated
into a sample: their documentation is Nova's.
"""

from collections.abc import Mapping

from oslo_config import cfg

_FORMATS = ("iso9660", "vfat")
_POINTERS = ("ps2mouse", "usbtablet", None)
_CPU_MODES = ("host-model", "host-passthrough", "custom", "none")
_VIRT_TYPES = ("kvm", "lxc", "qemu", "parallels")

#: Group to options. What is not named here is not read.
OPTS: Mapping[str, tuple[cfg.Opt, ...]] = {
    "DEFAULT": (
        cfg.BoolOpt("force_config_drive", default=False),
        cfg.StrOpt("config_drive_format", default="iso9660", choices=_FORMATS),
        cfg.StrOpt("pointer_model", default="usbtablet", choices=_POINTERS),
        cfg.StrOpt("vcpu_pin_set"),
    ),
    "libvirt": (
        cfg.StrOpt("virt_type", default="kvm", choices=_VIRT_TYPES),
        cfg.StrOpt("cpu_mode", choices=_CPU_MODES),
        cfg.ListOpt("hw_machine_type"),
        cfg.BoolOpt("use_virtio_for_bridges", default=True),
        cfg.StrOpt("rescue_image_id"),
        cfg.BoolOpt("live_migration_with_native_tls", default=False),
        cfg.BoolOpt("live_migration_tunnelled", default=False),
        cfg.StrOpt("live_migration_scheme"),
        # Of this the scheme alone is read: it may name a user.
        cfg.StrOpt("live_migration_uri"),
    ),
    "vnc": (
        cfg.BoolOpt(
            "enabled",
            default=True,
            deprecated_group="DEFAULT",
            deprecated_name="vnc_enabled",
        ),
        cfg.HostAddressOpt("server_listen", default="127.0.0.1"),
    ),
    "spice": (
        cfg.BoolOpt("enabled", default=False),
        cfg.StrOpt("server_listen", default="127.0.0.1"),
    ),
    "compute": (
        cfg.StrOpt("cpu_shared_set"),
        cfg.StrOpt("cpu_dedicated_set"),
    ),
    "devices": (
        cfg.ListOpt(
            "enabled_mdev_types",
            default=[],
            deprecated_name="enabled_vgpu_types",
        ),
    ),
    "pci": (
        cfg.MultiStrOpt(
            "device_spec",
            default=[],
            deprecated_opts=[
                cfg.DeprecatedOpt("passthrough_whitelist", group="pci"),
                cfg.DeprecatedOpt(
                    "pci_passthrough_whitelist", group="DEFAULT"
                ),
            ],
        ),
        cfg.BoolOpt("report_in_placement", default=False),
    ),
}


def register(conf: cfg.ConfigOpts) -> None:
    """Register these options, and what their values refer to by its name."""
    for group, options in OPTS.items():
        conf.register_opts(options, None if group == "DEFAULT" else group)
    # The host's own addresses, for values such as server_listen = $my_ip.
    from oslo_utils import netutils

    conf.register_opts(
        (
            cfg.StrOpt("my_ip", default=netutils.get_my_ipv4()),
            cfg.StrOpt("my_block_storage_ip", default="$my_ip"),
            cfg.StrOpt("my_shared_fs_storage_ip", default="$my_ip"),
        )
    )
