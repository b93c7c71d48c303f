# SPDX-License-Identifier: Apache-2.0
"""The configured source of verdicts."""

from oslo_config import cfg
from stevedore import driver, exception

from nova_vhard.attestor.sources.base import Source

NAMESPACE = "nova_vhard.verdicts"


def load(conf: cfg.ConfigOpts) -> Source:
    """Return the source that the configuration names.

    :raises ValueError: if it is not installed, cannot be loaded, or its
        options make no sense
    """
    name = conf.vhard_attestor.source
    place = f"[vhard_attestor] source: {name}"
    try:
        manager = driver.DriverManager(
            NAMESPACE,
            name,
            invoke_on_load=True,
            invoke_args=(conf,),
            warn_on_missing_entrypoint=False,
        )
    except exception.NoMatches as error:
        raise ValueError(f"{place} is not installed") from error
    except ImportError as error:
        raise ValueError(f"{place} cannot be loaded: {error}") from error
    source: Source = manager.driver
    return source
