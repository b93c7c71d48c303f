# SPDX-License-Identifier: Apache-2.0
"""Rights of enrolled hosts; sessions/enroll.txt has the command."""

import pytest
from keystoneauth1 import loading
from oslo_config import cfg

from nova_vhard.common import files
from nova_vhard.conf import placement as placement_conf
from nova_vhard.placement.connect import connect

COMPUTE = "COMPUTE_NODE"
PASSWORD = """\
[placement]
auth_type = password
auth_url = https://old.example/v3
username = everybody
password = SECRET
project_name = service
timeout = 7
"""


ENROLL = "$ vhard host enroll --folder FOLDER"


def test_keystoneauth_logs_in_by_the_file_whatever_stood_there_before(
    world, keystone, tmp_path
):
    world.host("compute1", COMPUTE)
    world.run(f"{ENROLL} compute1 --auth-url https://inner.example/$v3")
    old = tmp_path / "reporter.conf"
    old.write_text(PASSWORD)
    conf = cfg.ConfigOpts()
    new = world.folder / "compute1" / "reporter-placement.conf"
    conf([], default_config_files=[str(old), str(new)])
    placement_conf.register(conf)
    auth = loading.load_auth_from_conf_options(conf, "placement")
    ((made,),), (method,) = keystone.credentials.values(), auth.auth_methods
    assert auth.auth_url == "https://inner.example/$v3"
    assert method.application_credential_id == made.id
    assert method.application_credential_secret == made.secret
    assert not auth.has_scope_parameters
    options = conf.placement
    assert (options.region_name, options.timeout) == ("RegionOne", 7)
    connect(conf)


@pytest.mark.parametrize("when", ["user", "file"])
def test_two_who_enroll_a_host_at_once_take_nothing_from_each_other(
    world, keystone, monkeypatch, when
):
    """The other has been faster by the user alone, or by the file, too."""
    world.host("compute1", COMPUTE)
    path = world.folder / "compute1" / "reporter-placement.conf"
    others = []
    make, write = keystone.create_user, files.create

    def made(name, **more):
        others.append(keystone.add("users", name, description="theirs"))
        return make(name, **more)

    def written(where, text, mode):
        path.write_text("theirs")
        write(where, text, mode)

    place, name, faster = {
        "user": (keystone, "create_user", made),
        "file": (files, "create", written),
    }[when]
    monkeypatch.setattr(place, name, faster)
    (line,) = world.run(f"{ENROLL} compute1")
    assert line.startswith("  ! not enrolled: compute1: ")
    assert list(keystone.users.values()) == others
    texts = [each.read_text() for each in path.parent.iterdir()]
    assert texts == ["theirs"] * (when == "file")
