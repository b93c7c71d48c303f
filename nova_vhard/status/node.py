# SPDX-License-Identifier: Apache-2.0
"""Inputs of the checks: this node's files, and the cloud through them."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import openstack
from keystoneauth1 import loading
from openstack.connection import Connection
from oslo_config import cfg

from nova_vhard.common.problems import PolicyError
from nova_vhard.placement.client import Placement
from nova_vhard.placement.connect import connect
from nova_vhard.policy import document
from nova_vhard.policy.model import Policy
from nova_vhard.status import files
from nova_vhard.status.answers import Broken, NotHere


class Node:
    """This node and its cloud; each thing is read once, on first use.

    :ivar conf: with the options of ``nova_vhard.conf.status``
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf

    @functools.cached_property
    def nova(self) -> cfg.ConfigOpts:
        """Nova's configuration.

        :raises NotHere, Broken: if there is none that can be used
        """
        return files.nova(self.conf.nova_config_file)

    @functools.cached_property
    def glance(self) -> cfg.ConfigOpts:
        """Glance's configuration; raises as ``nova`` does."""
        return files.glance(self.conf.glance_config_file)

    def gated(self) -> Iterator[tuple[str, cfg.ConfigOpts]]:
        """Yield nova and glance, each with its configuration if it has any.

        Other checks report files that cannot be read.
        """
        for service in ("nova", "glance"):
            with contextlib.suppress(NotHere, Broken):
                yield service, getattr(self, service)

    @functools.cached_property
    def placement_api(self) -> cfg.ConfigOpts:
        """Placement's own configuration; raises as ``nova`` does."""
        return files.placement_api(self.conf.placement_config_file)

    @functools.cached_property
    def reporter(self) -> cfg.ConfigOpts:
        """The reporter's configuration; raises as ``nova`` does."""
        return files.reporter(self.conf.reporter_config_file)

    @functools.cached_property
    def policy(self) -> Policy:
        """The policy in the file that Nova's gates read, else Glance's.

        :raises NotHere: if neither is on this node
        :raises Broken: if it cannot be used
        """
        path = self.conf.policy
        if not path:
            try:
                conf = self.nova
            except NotHere as error:
                try:
                    conf = self.glance
                except NotHere:
                    raise error from None
            path = conf.vhard.policy_file
        try:
            return document.load(path)
        except PolicyError as error:
            raise Broken(
                f"the policy cannot be used ({error.problems[0]})"
            ) from error

    @functools.cached_property
    def placement(self) -> Placement:
        """Placement, as nova-scheduler logs in to it.

        :raises PlacementError: if the configuration of the login is invalid
        """
        return connect(self.nova)

    @functools.cached_property
    def cloud(self) -> Connection:
        """The cloud's APIs, by ``--os-cloud`` or else by Nova's login."""
        name = self.conf.os_cloud
        if name:
            try:
                return openstack.connect(cloud=name)
            except openstack.exceptions.ConfigException as error:
                raise Broken(
                    f"--os-cloud {name}: {str(error).rstrip('.')}"
                ) from error
        auth = loading.load_auth_from_conf_options(self.nova, "placement")
        session = loading.load_session_from_conf_options(
            self.nova, "placement", auth=auth
        )
        return Connection(
            session=session, region_name=self.nova.placement.region_name
        )

    @functools.cached_property
    def compute(self) -> Any:
        """openstacksdk's compute proxy."""
        return self.cloud.compute

    def sees_all(self) -> bool | None:
        """Return whether the login has role admin; None if unknown."""
        session = self.cloud.session
        try:
            access = session.auth.get_access(session)
        except AttributeError:
            # The login is a bare token, whose roles are unknown.
            return None
        return "admin" in {role.lower() for role in access.role_names}
