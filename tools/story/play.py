# SPDX-License-Identifier: Apache-2.0
"""Play the story on a cloud, and print the table."""

import contextlib

from story import stage, table
from story.steps import (
    doors,
    flavors,
    modes,
    passthrough,
    proof,
    reissue,
    servers,
    uploads,
    walk,
)

#: What the gates refuse and let pass.
GATES = (
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
    servers.scsi_rebuild,
    servers.volume_boot,
    servers.exempted_boot,
    doors.block_device,
    doors.rescue,
    doors.old_server,
    doors.snapshot,
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
    flavors.without_traits,
    flavors.forced_before,
    flavors.synced,
    flavors.forced_after,
    flavors.lands,
    reissue.used,
    reissue.never_cleaned,
    reissue.dirty,
    reissue.not_clean,
    reissue.cleaned,
    reissue.issued_again,
    proof.fleet,
)
#: The way from installed to enforcing, and back.
WALK = (
    walk.before_the_policy,
    walk.audits,
    walk.mends,
    walk.quarantines,
    walk.goes_back,
    walk.hosts,
    walk.report,
)


def play(cloud, steps):
    """Play steps, those that the cloud has what they need for.

    :param cloud: cloud.cloud.Cloud
    :returns: whether all went as told
    """
    small = cloud.facts.small
    steps = [step for step in steps if small or not step.small]
    with contextlib.ExitStack() as after:
        if not small:
            cloud.start("plain-nova-api")
            after.callback(cloud.stop, "plain-nova-api")
        return _play(stage.Stage(cloud), steps)


def _play(playing, steps):
    out = table.Table()
    out.head()
    outcomes = []
    for number, step in enumerate(steps, 1):
        outcomes.append(playing.play(step))
        out.row(number, step.title, outcomes[-1])
    out.block(playing.notes.get("fleet", ""))
    good = sum(outcome.as_told for outcome in outcomes)
    missing = sum(outcome.text.startswith("not ref") for outcome in outcomes)
    for number, outcome in enumerate(outcomes, 1):
        if not outcome.as_told:
            out.line(f"  {number:2d}: {outcome.text[:90]}", good=False)
    if missing:
        out.line(f"{missing} refusals are missing", good=False)
    text = f"{good} of {len(outcomes)} steps went as told"
    out.line(text, good == len(outcomes))
    return good == len(outcomes)
