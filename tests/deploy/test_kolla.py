# SPDX-License-Identifier: Apache-2.0
"""deploy/kolla, in the hands of kolla-build and of kolla-ansible's plugins."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from oslo_config import cfg

from tests.deploy.places import DEPLOY, PREFIX, run

KOLLA = DEPLOY / "kolla"
ANSIBLE = PREFIX / "share" / "kolla-ansible" / "ansible"
FILTERS = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
    "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"
)
STOCK = "nova.scheduler.filters.all_filters"
OURS = "nova_vhard.gates.scheduler.VirtHardeningFilter"
BLAZAR = "blazarnova.scheduler.filters.blazar_filter.BlazarFilter"


@pytest.fixture(scope="module")
def dockerfiles(tmp_path_factory):
    """Return what kolla-build renders: image to Dockerfile."""
    work = tmp_path_factory.mktemp("kolla")
    run(
        "kolla-build",
        "--config-file",
        KOLLA / "kolla-build.conf",
        "--template-override",
        KOLLA / "template-override.j2",
        "--template-only",
        "--work-dir",
        work,
        "^nova-base$",
        "^glance-base$",
    )
    return {
        path.parent.name: path.read_text() for path in work.rglob("Dockerfile")
    }


@pytest.mark.parametrize("service", ["nova", "glance"])
def test_the_gates_are_put_in_behind_the_service(dockerfiles, service):
    text = dockerfiles[f"{service}-base"]
    paste = "api-paste.ini" if service == "nova" else "glance-api-paste.ini"
    step = f"nova-vhard-paste add {service} /etc/{service}/{paste}"
    assert text.count(step) == 1
    # The file that is changed is there by then, and so is the package.
    assert text.index(f"/{service}/etc/") < text.index(step)
    assert text.index("plugins-archive /") < text.index(step)
    assert "/plugins/nova_vhard-*" in text


def test_other_images_stay_as_they_are(dockerfiles):
    changed = {n for n, text in dockerfiles.items() if "vhard" in text}
    assert changed == {"nova-base", "glance-base"}


def test_the_sources_are_plugins_of_both_images():
    """Sections of plug-ins stand in no Dockerfile: ask Kolla's worker."""
    from kolla.common import config
    from kolla.image.kolla_worker import KollaWorker

    conf = cfg.ConfigOpts()
    config.parse(
        conf,
        ["--config-file", str(KOLLA / "kolla-build.conf"), "^nova-base$"],
        prog="kolla-build",
    )
    conf.set_override("template_only", True)
    worker = KollaWorker(conf)
    worker.setup_working_dir()
    try:
        worker.find_dockerfiles()
        worker.create_dockerfiles()
        worker.build_image_list()
        plugins = {
            image.name: (plugin["type"], plugin["source"])
            for image in worker.images
            for plugin in image.plugins
            if plugin["name"].endswith("-plugin-vhard")
        }
    finally:
        shutil.rmtree(worker.temp_dir)
    assert set(plugins) == {"nova-base", "glance-base"}
    for kind, source in plugins.values():
        assert kind == "local"
        assert source.endswith(".tar.gz")


def play(folder, tasks, **variables):
    """Run tasks with the plug-ins, defaults and variables of kolla-ansible."""
    defaults = [
        ANSIBLE / "roles" / n / "defaults" / "main.yml"
        for n in ("nova", "nova-cell", "glance")
    ]
    groups = sorted((ANSIBLE / "group_vars" / "all").glob("*.yml"))
    book = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(path) for path in (*groups, *defaults)],
            "vars": {
                "api_interface_address": "192.0.2.10",
                "kolla_internal_vip_address": "192.0.2.1",
                "ansible_python_interpreter": str(PREFIX / "bin" / "python"),
            },
            "tasks": tasks,
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    (folder / "globals.yml").write_text(yaml.safe_dump(variables))
    return run(
        "ansible-playbook",
        "--inventory",
        "localhost,",
        # As kolla-ansible hands over globals.yml and what is in globals.d.
        "--extra-vars",
        "@globals.yml",
        "play.yml",
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_ACTION_PLUGINS": str(ANSIBLE / "action_plugins"),
            "ANSIBLE_FILTER_PLUGINS": str(ANSIBLE / "filter_plugins"),
            "ANSIBLE_LIBRARY": str(ANSIBLE / "library"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
    )


def scheduler_group(folder, *sources):
    """Return [filter_scheduler] of files merged as kolla-ansible does."""
    merged = folder / "merged.conf"
    task = {
        "merge_configs": {
            "sources": [str(path) for path in sources],
            "dest": str(merged),
            "mode": "0600",
        }
    }
    play(folder, [task])
    conf = cfg.ConfigOpts()
    options = [
        cfg.MultiStrOpt("available_filters"),
        cfg.ListOpt("enabled_filters"),
    ]
    conf.register_opts(options, "filter_scheduler")
    conf([], default_config_files=[str(merged)], project="nova")
    return conf.filter_scheduler


def with_blazar(folder):
    """Write what the role's own template says where Blazar is enabled."""
    template = ANSIBLE / "roles" / "nova" / "templates" / "nova.conf.j2"
    text = template.read_text()
    start = text.index("{% if enable_blazar | bool %}")
    block = text[start : text.index("{% endif %}", start)]
    path = folder / "role.conf.j2"
    path.write_text(
        "[filter_scheduler]\n"
        + block.replace("enable_blazar", "true")
        + "{% endif %}\n"
    )
    return path


def test_nova_gets_the_filter_beside_its_own(tmp_path):
    group = scheduler_group(
        tmp_path, KOLLA / "config" / "nova" / "nova-scheduler.conf"
    )
    assert group.available_filters == [STOCK, OURS]
    assert group.enabled_filters == [
        "VirtHardeningFilter",
        *FILTERS.split(","),
    ]


def test_with_blazar_three_are_named(tmp_path):
    ours = KOLLA / "config" / "nova" / "nova-scheduler.conf"
    group = scheduler_group(tmp_path, with_blazar(tmp_path), ours)
    # Why the file says that Blazar's line has to be added there.
    assert BLAZAR not in group.available_filters
    line = f"# available_filters = {BLAZAR}"
    text = ours.read_text()
    assert line in text
    both = tmp_path / "ours.conf"
    both.write_text(
        text.replace(line + "\n", "").replace(
            f"available_filters = {OURS}",
            f"available_filters = {OURS}\navailable_filters = {BLAZAR}",
        )
    )
    group = scheduler_group(tmp_path, with_blazar(tmp_path), both)
    assert group.available_filters == [STOCK, OURS, BLAZAR]


def test_the_policy_is_mounted_as_a_folder(tmp_path):
    variables = yaml.safe_load((KOLLA / "globals.yml").read_text())
    wanted = {
        "nova-api": "nova_services",
        "nova-scheduler": "nova_services",
        "glance-api": "glance_services",
    }
    listed = {
        name: "{{ " + f"{services}['{name}'].volumes" + " }}"
        for name, services in wanted.items()
    }
    task = {
        "copy": {
            "content": "{{ volumes | to_json }}",
            "dest": str(tmp_path / "volumes.json"),
        },
        "vars": {"volumes": listed},
    }
    play(tmp_path, [task], **variables)
    volumes = json.loads(Path(tmp_path / "volumes.json").read_text())
    for mounts in volumes.values():
        assert "/etc/nova-vhard:/etc/nova-vhard:ro" in mounts
        listed = " ".join(mount for mount in mounts if mount)
        assert ":/var/lib/nova-vhard" in listed
        # Those that the role has itself are still there.
        assert "kolla_logs:/var/log/kolla/" in listed


def test_the_images_are_named_by_variables_of_the_roles():
    readme = (KOLLA / "README.rst").read_text()
    roles = {"nova_api": "nova", "nova_scheduler": "nova"}
    roles["glance_api"] = "glance"
    for image, role in roles.items():
        assert f"{image}_image_full: REGISTRY/" in readme
        file = ANSIBLE / "roles" / role / "defaults" / "main.yml"
        assert f"{image}_image_full" in yaml.safe_load(file.read_text())


def test_the_users_are_those_that_the_pages_name():
    from kolla.common.users import USERS

    page = (DEPLOY.parent / "doc/source/admin/containers.rst").read_text()
    readme = (KOLLA / "README.rst").read_text()
    nova, glance = (USERS[f"{n}-user"]["uid"] for n in ("nova", "glance"))
    assert f"--user {nova}:{nova}" in page
    assert f"nova is user {nova}, glance {glance}" in readme
