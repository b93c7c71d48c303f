# SPDX-License-Identifier: Apache-2.0
"""Configuration files of the services, read without the services' code.

Only the options that a check uses are known, with the services' own defaults
(Nova 31 to 34, Glance 30 to 33). The environment is ignored: it is the
caller's, not the service's.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence

from oslo_config import cfg

from nova_vhard.conf import placement, vhard
from nova_vhard.status.answers import Broken, NotHere

#: Filters that nova-scheduler enables by default.
STOCK_FILTERS = [
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
]
_NOVA = {
    "DEFAULT": [
        cfg.StrOpt("compute_driver"),
        cfg.BoolOpt("force_config_drive", default=False),
    ],
    "api": [cfg.StrOpt("auth_strategy", default="keystone")],
    "filter_scheduler": [
        cfg.MultiStrOpt(
            "available_filters",
            default=["nova.scheduler.filters.all_filters"],
        ),
        cfg.ListOpt("enabled_filters", default=STOCK_FILTERS),
        cfg.BoolOpt("pci_in_placement", default=False),
    ],
    "glance": [cfg.BoolOpt("verify_glance_signatures", default=False)],
    "libvirt": [
        cfg.ListOpt("hw_machine_type", default=[]),
        cfg.StrOpt("images_type", default="default"),
        cfg.StrOpt("virt_type", default="kvm"),
        cfg.BoolOpt("use_virtio_for_bridges", default=True),
    ],
    "scheduler": [cfg.BoolOpt("image_metadata_prefilter", default=False)],
    "service_user": [
        cfg.BoolOpt("send_service_user_token", default=False),
        cfg.StrOpt("auth_type"),
        cfg.StrOpt("auth_section"),
    ],
    "wsgi": [cfg.StrOpt("api_paste_config", default="api-paste.ini")],
}
_PLACEMENT = {
    "keystone_authtoken": [
        cfg.StrOpt("service_type"),
        # keystonemiddleware before 13.0: false where it is not set.
        cfg.BoolOpt("service_token_roles_required", default=False),
    ],
}
_GLANCE = {
    "image_import_opts": [
        cfg.ListOpt(
            "image_import_plugins",
            item_type=cfg.types.String(quotes=True),
            bounds=True,
            default=[],
        ),
    ],
    "paste_deploy": [cfg.StrOpt("flavor"), cfg.StrOpt("config_file")],
}


def nova(files: Sequence[str]) -> cfg.ConfigOpts:
    """Return what nova.conf says, with groups vhard and placement too.

    :raises NotHere, Broken: as ``read`` does
    """
    conf = read("nova", files, _NOVA)
    vhard.register(conf)
    placement.register(conf)
    return conf


def glance(files: Sequence[str]) -> cfg.ConfigOpts:
    """Return what glance-api.conf says, with group vhard too."""
    conf = read("glance", files, _GLANCE)
    vhard.register(conf)
    return conf


def reporter(file: str) -> cfg.ConfigOpts:
    """Return what reporter.conf says of its login to Placement.

    A credential of the host's own, in the file beside it, holds before that.
    """
    own, enrolled = placement.files(file)
    if not os.path.exists(own):
        raise NotHere(own)
    there = [own, *[enrolled] * os.path.exists(enrolled)]
    conf = read("nova-vhard-reporter", there, {})
    placement.register(conf)
    return conf


def placement_api(files: Sequence[str]) -> cfg.ConfigOpts:
    """Return what placement.conf says of tokens."""
    return read("placement", files, _PLACEMENT)


def read(
    project: str, files: Sequence[str], groups: Mapping[str, list[cfg.Opt]]
) -> cfg.ConfigOpts:
    """Read a service's files, and its folder of more, as the service does.

    :param files: the last one must be there, those before it may be
    :param groups: the options to know, by their groups
    :raises NotHere: if it is not on this node, or not for this user
    :raises Broken: if they cannot be read
    """
    there = [file for file in files if os.access(file, os.R_OK)]
    if files[-1] not in there:
        raise NotHere(files[-1])
    more = os.path.join(os.path.dirname(files[-1]), f"{project}.conf.d")
    conf = cfg.ConfigOpts()
    try:
        conf(
            [],
            project=project,
            default_config_files=there,
            default_config_dirs=[more] if os.path.isdir(more) else [],
            use_env=False,
        )
    except (cfg.Error, OSError, UnicodeDecodeError) as error:
        raise Broken(f"{', '.join(there)}: {error}") from error
    for group, options in groups.items():
        conf.register_opts(options, None if group == "DEFAULT" else group)
    return conf


def wsgi_paste(conf: cfg.ConfigOpts, environ: Mapping[str, str]) -> str:
    """Return the path of the paste file that nova-api loads under WSGI.

    It is the first of ``OS_NOVA_CONFIG_FILES`` in ``OS_NOVA_CONFIG_DIR``,
    whatever ``[wsgi] api_paste_config`` says.

    :param environ: environment of nova-api; the folder of nova.conf and
        ``api-paste.ini`` stand for what is not in it
    """
    # Absolute: oslo.config would look for another below the folder.
    beside = os.path.dirname(os.path.abspath(conf.config_file[-1]))
    folder = environ.get("OS_NOVA_CONFIG_DIR", beside).strip()
    first = environ.get("OS_NOVA_CONFIG_FILES", "").partition(";")[0]
    return os.path.join(folder, first or "api-paste.ini")


def glance_paste(conf: cfg.ConfigOpts) -> str:
    """Return the name of the paste file that glance-api loads.

    It is looked for beside the other files (``find_file``), unless it is a
    path.
    """
    last = os.path.basename(conf.config_file[-1])
    beside = last.replace(".conf", "-paste.ini")
    return str(conf.paste_deploy.config_file or beside)


def paste(conf: cfg.ConfigOpts, name: str) -> tuple[str, str]:
    """Find a paste file as the service does.

    :param name: path, or name to be looked for beside the other files
    :returns: path and text
    :raises Broken: if there is none, or it cannot be read
    """
    path = conf.find_file(name)
    if path is None:
        raise Broken(
            f"there is no {name} next to {conf.config_file[-1]}: set the "
            "path of the paste file in the service's configuration"
        )
    try:
        return path, pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Broken(f"{path}: {error}") from error
