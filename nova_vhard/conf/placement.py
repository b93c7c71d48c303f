# SPDX-License-Identifier: Apache-2.0
"""Options of group ``placement``: keystoneauth's own, as in nova.conf."""

from oslo_config import cfg

from nova_vhard.conf import groups

GROUP = cfg.OptGroup(
    "placement", title="Placement", help="How to log in to Placement."
)


def files(own: str) -> tuple[str, str]:
    """Return a program's file, and that of its host's own credential.

    ``openstack vhard host enroll`` writes the latter. Its group ``placement``
    names another group to log in with, so that a password in the first file
    is not used.

    :param own: ``/etc/nova-vhard/reporter.conf``
    """
    return own, f"{own.removesuffix('.conf')}-placement.conf"


def register(conf: cfg.ConfigOpts) -> None:
    """Register session, auth and adapter options."""
    from keystoneauth1 import loading

    groups.register(conf, GROUP, ())
    loading.register_session_conf_options(conf, GROUP.name)
    loading.register_auth_conf_options(conf, GROUP.name)
    # Without the deprecated option interface, as Nova: where it is set beside
    # valid_interfaces, which has a default here, keystoneauth gives up.
    loading.register_adapter_conf_options(
        conf, GROUP.name, include_deprecated=False
    )
    conf.set_default("service_type", "placement", GROUP.name)
    # keystoneauth waits for ever by default.
    conf.set_default("timeout", 30, GROUP.name)
    conf.set_default("valid_interfaces", ["internal", "public"], GROUP.name)


def list_opts() -> list[cfg.Opt]:
    """Return what the sample shows."""
    from keystoneauth1 import loading

    return [
        *loading.get_session_conf_options(),
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options("password"),
        *loading.get_adapter_conf_options(include_deprecated=False),
    ]
