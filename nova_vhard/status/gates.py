# SPDX-License-Identifier: Apache-2.0
"""The gates: each is plugged in where it must be."""

import os
from collections.abc import Iterator

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Result

from nova_vhard.catalogue.gates import FILTER
from nova_vhard.common import paste_file
from nova_vhard.common.paste_file import SERVICES
from nova_vhard.status import files
from nova_vhard.status.answers import (
    Broken,
    fail,
    fine,
    together,
    warn,
)
from nova_vhard.status.node import Node

_FILTER_CLASS = f"nova_vhard.gates.scheduler.{FILTER}"
_ALL = "nova_vhard.gates.scheduler.all_filters"
_STOCK = "nova.scheduler.filters.all_filters"
_PLUGIN = "vhard"
_FORCED_HOSTS = (
    "For a server on a forced host (availability zone zone:host), Nova "
    "calls no filter, so only the Nova API gate checks it. The rule "
    'os_compute_api:servers:create:forced_host: "!" in Nova\'s policy '
    "file forbids such servers."
)


def scheduler(node: Node) -> Result:
    """Judge the scheduler's filters.

    =======  ==========================================================
    SUCCESS  ours is the first of several, and all can be found
    WARNING  ours is not the first, or one that Nova enables is missing
    FAILURE  ours is not enabled, or a filter cannot be found
    =======  ==========================================================
    """
    group = node.nova.filter_scheduler
    enabled = list(filter(None, group.enabled_filters))
    return together(
        _filters(enabled, group.available_filters),
        f"enabled_filters: {', '.join(enabled)}. {_FORCED_HOSTS}",
    )


def _filters(enabled: list[str], available: list[str]) -> Iterator[Result]:
    where = "[filter_scheduler] of nova-scheduler's nova.conf"
    if FILTER not in enabled:
        yield fail(
            f"{FILTER} is not in enabled_filters, so boots and moves are "
            f"not checked by the scheduler. Put it first, in {where}."
        )
        return
    # A filter class that Nova does not find.
    if _ALL not in available and _FILTER_CLASS not in available:
        yield fail(
            f"available_filters does not name {_FILTER_CLASS}: "
            f"nova-scheduler does not start. Add it, in {where}."
        )
    if _ALL not in available and not any(
        name.startswith("nova.scheduler.filters.") for name in available
    ):
        yield fail(
            "available_filters does not include Nova's own filters: "
            "setting it to ours replaces the default. Add a line "
            f"available_filters = {_STOCK}, in {where}."
        )
    if enabled[0] != FILTER:
        yield warn(
            f"{FILTER} comes after {enabled[0]}. If that filter leaves no "
            f"host, users do not see the reason of the policy. Put {FILTER} "
            f"first, in {where}."
        )
    for name in files.STOCK_FILTERS:
        if name not in enabled:
            yield warn(
                f"{name} is not in enabled_filters, and Nova enables it by "
                f"default: was it dropped when {FILTER} was added? Put it "
                f"back, in {where}."
            )


def filters(node: Node) -> str:
    """Return the lines that put our filter before those of nova-scheduler.

    For a deployment tool that replaces a list as a whole.
    """
    group = node.nova.filter_scheduler
    available = list(group.available_filters)
    if not {_ALL, _FILTER_CLASS}.intersection(available):
        available.append(_FILTER_CLASS)
    enabled = dict.fromkeys((FILTER, *filter(None, group.enabled_filters)))
    return "\n".join(
        (
            "[filter_scheduler]",
            *(f"available_filters = {name}" for name in available),
            f"enabled_filters = {','.join(enabled)}",
        )
    )


def nova_api(node: Node) -> Result:
    """Judge every pipeline of nova-api that serves users.

    If only ``/v2.1`` has a gate, users can bypass it through ``/v2``. The file
    is the one that nova-api loads under WSGI. If ``[wsgi] api_paste_config``
    names another file, it is checked, too; only a standalone nova-api reads it
    (before Nova 32).
    """
    conf = node.nova
    if conf.api.auth_strategy != "keystone":
        raise Broken(
            f"[api] auth_strategy is {conf.api.auth_strategy!r}: requests "
            "then have no user to check. Set it to keystone."
        )
    loaded = files.wsgi_paste(conf, os.environ)
    if not os.path.exists(loaded):
        doubt = warn(
            f"Under WSGI, nova-api would load {loaded}, which does not "
            "exist. Run this command with the same OS_NOVA_CONFIG_DIR and "
            "OS_NOVA_CONFIG_FILES as nova-api."
        )
        other = _file(conf, conf.wsgi.api_paste_config, "nova")
        return together([other, doubt], "")
    result = _file(conf, loaded, "nova")
    named = conf.find_file(conf.wsgi.api_paste_config)
    if named is None or os.path.realpath(named) == os.path.realpath(loaded):
        return result
    other = _file(conf, named, "nova")
    text = (
        f"{other.details} This file is named by [wsgi] api_paste_config, but "
        f"under WSGI, nova-api loads {loaded}."
    )
    return together([result, fine(text) if not other.code else warn(text)], "")


def glance_api(node: Node) -> Result:
    """Judge every pipeline of glance-api that serves users."""
    return _file(node.glance, files.glance_paste(node.glance), "glance")


def _file(conf: cfg.ConfigOpts, name: str, service: str) -> Result:
    """Judge a paste file.

    :raises Broken: if there is none of that name, or it cannot be used
    """
    path, text = files.paste(conf, name)
    try:
        lacking = paste_file.unguarded(text, SERVICES[service])
    except paste_file.PasteError as error:
        raise Broken(f"{path}: {error}") from error
    if not lacking:
        return fine(f"{path}: the gate is in every user pipeline.")
    return fail(
        f"{path}: no gate in {', '.join(lacking)}: requests through these "
        "pipelines are not checked. Run "
        f"nova-vhard-paste add {service} {path}, and restart {service}-api."
    )


def imports(node: Node) -> Result:
    """Judge the plug-ins of Glance's image imports."""
    plugins = list(node.glance.image_import_opts.image_import_plugins)
    listed = ", ".join(plugins)
    if _PLUGIN not in plugins:
        return fail(
            f"[image_import_opts] image_import_plugins is [{listed}]: "
            "properties that an import adds are not checked. Add vhard as "
            "the last plugin, in glance-api.conf."
        )
    if plugins[-1] != _PLUGIN:
        return warn(
            f"[image_import_opts] image_import_plugins is [{listed}]: "
            "properties that plugins after vhard add are not checked. Make "
            "vhard the last plugin, in glance-api.conf."
        )
    return fine(f"image_import_plugins: [{listed}]")
