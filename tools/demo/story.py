# SPDX-License-Identifier: Apache-2.0
"""The story: its steps, in their order."""

from demo.steps import (
    flavors,
    modes,
    passthrough,
    proof,
    servers,
    uploads,
)

STEPS = (
    uploads.before_the_policy,
    uploads.upload,
    uploads.legacy_upload,
    uploads.clean_upload,
    uploads.change,
    servers.clean_boot,
    servers.old_boot,
    servers.fixed_boot,
    servers.old_boot_without_api_gate,
    servers.rebuild,
    servers.volume_boot,
    servers.exempted_boot,
    modes.warn,
    modes.edited,
    passthrough.not_allowed,
    passthrough.nothing_proven,
    proof.reported,
    passthrough.lands,
    passthrough.resize_not_allowed,
    passthrough.resize_lands,
    proof.lost,
    passthrough.resize_elsewhere,
    proof.silent,
    flavors.forced_before,
    flavors.synced,
    flavors.forced_after,
    flavors.lands,
    proof.fleet,
)
