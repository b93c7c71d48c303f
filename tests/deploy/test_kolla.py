# SPDX-License-Identifier: Apache-2.0
"""deploy/kolla, in the hands of kolla-build and of kolla-ansible's plugins."""

import json
import re
import shutil

import pytest
import yaml
from oslo_config import cfg

from tests.deploy import table
from tests.deploy.places import DEPLOY, PREFIX, playbook, run, scheduler

KOLLA = DEPLOY / "kolla"
ANSIBLE = PREFIX / "share" / "kolla-ansible" / "ansible"
FILTERS = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
    "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"
)
STOCK = "nova.scheduler.filters.all_filters"
OURS = "nova_vhard.gates.scheduler.VirtHardeningFilter"
BLAZAR = "blazarnova.scheduler.filters.blazar_filter.BlazarFilter"
#: File here to that of the operator's folder.
GLOBALS = {
    "globals.yml": "globals.d/nova-vhard.yml",
    "globals-guard.yml": "globals.d/nova-vhard-guard.yml",
}
#: Name of the file of the service, and of that of all services of the role.
FILES = {
    "nova": ("nova-scheduler.conf", "nova.conf"),
    "glance": ("glance-api.conf", "glance.conf"),
}
#: Container to the variable of its role.
SERVICES = {
    "nova-api": "nova_services",
    "nova-scheduler": "nova_services",
    "glance-api": "glance_services",
    "nova-libvirt": "nova_cell_services",
}


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
        "^horizon$",
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
    assert changed == {"nova-base", "glance-base", "horizon"}
    text = dockerfiles["horizon"]
    assert text.index("plugins/*") < text.index("nova_vhard_dashboard")


def test_the_sources_are_plugins_of_both_images():
    """No Dockerfile names the sections of plug-ins: ask Kolla's worker."""
    from kolla.common import config
    from kolla.image.kolla_worker import KollaWorker

    conf = cfg.ConfigOpts()
    config.parse(
        conf,
        ["--config-file", str(KOLLA / "kolla-build.conf")],
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
    assert set(plugins) == {"nova-base", "glance-base", "horizon"}
    for kind, source in plugins.values():
        assert kind == "local"
        assert source.endswith(".tar.gz")


class Cloud:
    """A deployment host: the operator's files, and kolla-ansible's own."""

    def __init__(self, folder):
        self.folder = folder
        self.etc = folder / "kolla"
        for name in ("config/nova", "config/glance", "globals.d"):
            (self.etc / name).mkdir(parents=True)
        self.write("globals.yml", "---\n{}\n")
        self.install()

    def write(self, name, text):
        (self.etc / name).write_text(text)

    def install(self):
        for name, target in GLOBALS.items():
            shutil.copy(KOLLA / name, self.etc / target)
        for path in (KOLLA / "config").rglob("*.conf"):
            shutil.copy(path, self.etc / path.relative_to(KOLLA))

    def remove(self):
        for target in GLOBALS.values():
            (self.etc / target).unlink()
        for path in (KOLLA / "config").rglob("*.conf"):
            (self.etc / path.relative_to(KOLLA)).unlink()

    def play(self, *tasks, **variables):
        """Run tasks with kolla-ansible's plug-ins, defaults and variables."""
        roles = ("nova", "nova-cell", "glance")
        defaults = [
            ANSIBLE / "roles" / name / "defaults" / "main.yml"
            for name in roles
        ]
        groups = sorted((ANSIBLE / "group_vars" / "all").glob("*.yml"))
        part = {
            "vars_files": [str(path) for path in (*groups, *defaults)],
            "vars": {
                "api_interface_address": "192.0.2.10",
                "kolla_internal_vip_address": "192.0.2.1",
                "ansible_python_interpreter": str(PREFIX / "bin" / "python"),
            },
            "tasks": list(tasks),
        }
        # As kolla-ansible hands over its folder, and what is in globals.d.
        (self.folder / "vars.yml").write_text(
            yaml.safe_dump({"CONFIG_DIR": str(self.etc), **variables})
        )
        files = [
            self.folder / "vars.yml",
            self.etc / "globals.yml",
            *sorted((self.etc / "globals.d").glob("*.yml")),
        ]
        return playbook(
            self.folder,
            part,
            [f"@{file}" for file in files],
            ANSIBLE_ACTION_PLUGINS=str(ANSIBLE / "action_plugins"),
            ANSIBLE_FILTER_PLUGINS=str(ANSIBLE / "filter_plugins"),
            ANSIBLE_LIBRARY=str(ANSIBLE / "library"),
        )

    def merged(self, service, **variables):
        """Return a file merged as the role does, by its own list of sources.

        Of the role's template only what it says of filters.
        """
        name, common = FILES[service]
        template = self.folder / "role.conf.j2"
        template.write_text(blazar_of_the_role() if service == "nova" else "")
        merged = self.folder / "merged.conf"
        sources = [
            template,
            *(self.etc / "config" / each for each in ("global.conf", common)),
            self.etc / "config" / service / name,
            self.etc / "config" / service / "localhost" / common,
        ]
        task = {
            "merge_configs": {
                "sources": [str(path) for path in sources],
                "dest": str(merged),
                "mode": "0600",
            }
        }
        self.play(task, **variables)
        return merged.read_text()

    def volumes(self, **variables):
        """Return the volumes of each container that has a gate."""
        listed = {
            name: "{{ " + f"{services}['{name}'].volumes" + " }}"
            for name, services in SERVICES.items()
        }
        path = self.folder / "volumes.json"
        task = {
            "copy": {
                "content": "{{ volumes | to_json }}",
                "dest": str(path),
            },
            "vars": {"volumes": listed},
        }
        self.play(task, **variables)
        return json.loads(path.read_text())


def blazar_of_the_role():
    """Return what the role's own template says where Blazar is enabled."""
    template = ANSIBLE / "roles" / "nova" / "templates" / "nova.conf.j2"
    text = template.read_text()
    start = text.index("{% if enable_blazar | bool %}")
    block = text[start : text.index("{% endif %}", start)]
    return f"[filter_scheduler]\n{block}{{% endif %}}\n"


@pytest.fixture
def cloud(tmp_path):
    return Cloud(tmp_path)


TENANTS = "AggregateMultiTenancyIsolation,ComputeFilter"


@pytest.mark.parametrize(
    ("blazar", "name", "text", "enabled", "available"),
    [
        (False, "", "", FILTERS, [STOCK]),
        (True, "", "", f"{FILTERS},BlazarFilter", [STOCK, BLAZAR]),
        (False, "nova.conf", f"enabled_filters={TENANTS}\n", TENANTS, [STOCK]),
        (False, "nova.conf", 'enabled_filters = "A,B"\n', "A,B", [STOCK]),
        (
            True,
            "nova.conf",
            "enabled_filters = {{ 'A' }},\n    B\n",
            "A,B",
            [STOCK, BLAZAR],
        ),
        (
            False,
            "global.conf",
            f"available_filters = x.All\navailable_filters=y.All\n"
            f"enabled_filters = {TENANTS}\n",
            TENANTS,
            ["x.All", "y.All"],
        ),
    ],
)
def test_no_filter_of_the_operators_is_dropped(
    cloud, tmp_path, blazar, name, text, enabled, available
):
    def merged(group):
        if name:
            cloud.write(f"config/{name}", f"[filter_scheduler]\n{group}")
        return cloud.merged("nova", enable_blazar=blazar)

    cloud.remove()
    before = merged(text)
    assert scheduler(tmp_path, before, FILTERS.split(","))[1] == enabled.split(
        ","
    )
    cloud.install()
    after = merged(text)
    assert scheduler(tmp_path, after, FILTERS.split(",")) == (
        [*available, OURS],
        ["VirtHardeningFilter", *enabled.split(",")],
    )
    assert merged(text) == after
    if name:
        changed = scheduler(tmp_path, merged("enabled_filters = Other\n"))
        assert changed[1] == ["VirtHardeningFilter", "Other"]
    cloud.remove()
    assert merged(text) == before


IMPORTS = "[image_import_opts]\nimage_import_plugins = "


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("", "[vhard]"),
        ("['a', b]", "['a',b,vhard]"),
        ("['a',\n    b,\n  ]", "['a',b,vhard]"),
        ("[]", "[vhard]"),
    ],
)
def test_the_gate_is_the_last_plugin_of_imports(cloud, own, expected):
    if own:
        cloud.write("config/glance.conf", IMPORTS + own)
    assert f"{IMPORTS}{expected}\n" in cloud.merged("glance")


def test_a_list_that_changes_while_ours_is_there(cloud, tmp_path):
    def add(words):
        for service, line in (
            ("nova", f"[filter_scheduler]\nenabled_filters = {words}\n"),
            ("glance", f"{IMPORTS}[{words}]\n"),
        ):
            cloud.write(f"config/{service}.conf", line)

    def lists():
        text = cloud.merged("glance")
        plugins = re.findall(r"image_import_plugins = (.*)", text)
        return (
            scheduler(tmp_path, cloud.merged("nova"))[1],
            plugins[0].split(","),
            cloud.volumes(default_extra_volumes=own)["nova-api"],
        )

    own = ["/A:/A:ro", "/B:/B"]
    add("A,B")
    cloud.remove()
    seen = [lists()]
    cloud.install()
    seen += [lists(), lists()]
    add("A,B,C")
    own.append("/C:/C")
    seen.append(lists())
    cloud.remove()
    seen.append(lists())
    filters, plugins, volumes = zip(*seen, strict=True)
    file = (
        "a file of one host, or of your own under the same name, replaces it"
    )
    table.check("Kolla", "filters", *filters, cannot=file)
    table.check("Kolla", "plug-ins of imports", *plugins, cannot=file)
    table.check(
        "Kolla",
        "volumes",
        *volumes,
        cannot="with a variable of yours of the same name it stops",
    )


#: What the hook, which is in the first, reads.
HOOKS = ("/etc/libvirt/hooks", "/var/lib/nova-vhard-guard")


def test_no_volume_of_the_operators_is_dropped(cloud):
    """Nor is one of the role's own."""
    own = ["/etc/pki:/etc/pki:ro"]
    cloud.remove()
    before = cloud.volumes(default_extra_volumes=own)
    cloud.install()
    after = cloud.volumes(default_extra_volumes=own)
    for name, mounts in after.items():
        service = name.partition("-")[0]
        ours = [f"{service}_vhard:/var/lib/nova-vhard"]
        if name == "nova-libvirt":
            ours = [f"{folder}:{folder}:ro" for folder in HOOKS]
            # Where the socket of the guard is.
            assert any(each.startswith("/run:/run") for each in mounts)
        policy = "/etc/nova-vhard:/etc/nova-vhard:ro"
        added = [each for each in mounts if each not in before[name]]
        assert added == [policy, *ours]
        assert own[0] in mounts
    # Those that remain on the hosts, which the page says to remove.
    readme = (KOLLA / "README.rst").read_text()
    assert "docker volume rm nova_vhard glance_vhard\n" in readme
    cloud.remove()
    assert cloud.volumes(default_extra_volumes=own) == before


@pytest.mark.parametrize(
    "name", ["globals.yml", "globals.d/a.yml", "globals.d/z.yml"]
)
def test_a_variable_of_the_operators_stops_it(cloud, name):
    for variable in (
        "nova_scheduler_extra_volumes",
        "nova_libvirt_extra_volumes",
    ):
        cloud.write(name, f"---\n{variable}: [/a:/a]\n")
        match = f"{name}:{variable}: Write"
        with pytest.raises(AssertionError, match=match):
            cloud.volumes()


def test_the_images_are_named_by_variables_of_the_roles():
    readme = (KOLLA / "README.rst").read_text()
    roles = {"nova_api": "nova", "nova_scheduler": "nova"}
    roles |= {"glance_api": "glance", "horizon": "horizon"}
    for image, role in roles.items():
        assert f"{image}_image_full: REGISTRY/" in readme
        file = ANSIBLE / "roles" / role / "defaults" / "main.yml"
        assert f"{image}_image_full" in yaml.safe_load(file.read_text())


def test_the_users_are_those_that_the_pages_name():
    from kolla.common.users import USERS

    page = (DEPLOY.parent / "doc/source/admin/deployers.rst").read_text()
    readme = (KOLLA / "README.rst").read_text()
    nova, glance = (USERS[f"{n}-user"]["uid"] for n in ("nova", "glance"))
    assert f"--user {nova}:{nova}" in page
    assert f"nova is user {nova}, glance {glance}" in readme
