# SPDX-License-Identifier: Apache-2.0
"""A workspace of tempest for one cloud: accounts, configuration, results."""

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import subunit
import testtools
import yaml

from cloud import clients, neighbours, users

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
WORKERS = 2
#: Projects, and the roles of the users of each. A test wants all of its users
#: in one project, and a second worker may take another user of that project:
#: each project has a whole set of users for each worker.
PROJECTS = 3 * WORKERS
ROLES = ("member", "member", "reader", "admin") * WORKERS
#: What an image must say to be let pass by the policy baseline, and more.
PROPERTIES = {"hw_disk_bus": "virtio", "hw_vif_model": "virtio"}

_CONFIGURATION = """\
[DEFAULT]
log_file = {folder}/tempest.log
[auth]
test_accounts_file = {folder}/accounts.yaml
use_dynamic_credentials = false
create_isolated_networks = false
[identity]
uri_v3 = {keystone}/v3
auth_version = v3
region = {region}
v3_endpoint_type = public
[oslo_concurrency]
lock_path = {folder}/locks
[service_available]
cinder = true
horizon = false
neutron = true
swift = false
[compute]
image_ref = {images[0]}
image_ref_alt = {images[1]}
flavor_ref = 1
flavor_ref_alt = 2
fixed_network_name = {network}
max_microversion = latest
build_timeout = 90
build_interval = 1
min_compute_nodes = 3
[compute-feature-enabled]
console_output = true
interface_attach = true
live_migration = false
shelve = true
stable_rescue = true
vnc_console = false
[image]
container_formats = bare
disk_formats = raw,qcow2,iso
image_path = {folder}/disk.raw
[image-feature-enabled]
import_image = true
[network-feature-enabled]
api_extensions = {extensions}
[validation]
run_validation = false
[volume]
catalog_type = volumev3
volume_size = 1
[volume-feature-enabled]
backup = false
"""


@dataclass(frozen=True)
class Result:
    """Result of a test.

    :ivar outcome: ``ok``, ``skipped`` or ``failed``
    :ivar text: text of the failure, or the reason for skipping
    """

    outcome: str
    text: str = ""


def make(facts, folder):
    """Make accounts, images and tempest's configuration."""
    admin = clients.Client(facts, users.ADMIN).sdk()
    accounts = yaml.safe_dump(_accounts(facts, admin.identity))
    (folder / "accounts.yaml").write_text(accounts)
    disk = folder / "disk.raw"
    disk.write_bytes(bytes(1 << 20))
    images = [
        admin.image.create_image(
            f"tempest-{number}",
            filename=str(disk),
            disk_format="raw",
            container_format="bare",
            visibility="public",
            wait=True,
            **PROPERTIES,
        ).id
        for number in range(2)
    ]
    (folder / "etc").mkdir()
    text = _CONFIGURATION.format(
        folder=folder,
        images=images,
        extensions=",".join(each.alias for each in admin.network.extensions()),
        network=neighbours.NETWORK,
        keystone=facts.url("keystone"),
        region=users.REGION,
    )
    (folder / "etc" / "tempest.conf").write_text(text)


def _accounts(facts, identity):
    """Make projects with their users; return tempest's rows."""
    roles = {role.name: role.id for role in identity.roles()}
    rows = []
    for number in range(PROJECTS):
        name = f"tempest-{number}"
        project = identity.create_project(name=name, domain_id="default")
        for place, role in enumerate(ROLES):
            user = identity.create_user(
                name=f"{name}-{place}",
                password=facts.password,
                domain_id="default",
            )
            identity.assign_project_role_to_user(project, user, roles[role])
            rows.append(
                {
                    "username": user.name,
                    "password": facts.password,
                    "project_name": name,
                    "project_domain_name": "Default",
                    "user_domain_name": "Default",
                    "domain_name": "Default",
                    "roles": [role],
                    "types": ["admin"] if role == "admin" else [],
                }
            )
    return rows


def run(folder, chosen):
    """Run tests; return each one's id and result.

    :param chosen: an option of tempest run, that says which
    """
    _call(folder, "stestr", "init", check=False)
    command = (
        *("tempest", "run", "--config-file", folder / "etc/tempest.conf"),
        *("--concurrency", WORKERS, chosen),
        f"--exclude-list={HERE / 'excluded.txt'}",
    )
    done = _call(folder, *command, check=False)
    (folder / "run.log").write_bytes(done.stdout)
    return dict(_results(_call(folder, "stestr", "last", "--subunit").stdout))


def _call(folder, program, *words, check=True):
    return subprocess.run(
        [BIN / program, *map(str, words)],
        cwd=folder,
        check=check,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )


def _results(stream):
    tests = []
    collect = testtools.StreamToDict(tests.append)
    collect.startTestRun()
    case = subunit.ByteStreamToStreamResult(io.BytesIO(stream), "stdout")
    case.run(collect)
    collect.stopTestRun()
    outcomes = {"success": "ok", "skip": "skipped"}
    for test in tests:
        texts = [
            test["details"][name].as_text()
            for name in ("reason", "traceback")
            if name in test["details"]
        ]
        outcome = outcomes.get(test["status"], "failed")
        yield test["id"].partition("[")[0], Result(outcome, "\n".join(texts))
