# SPDX-License-Identifier: Apache-2.0
"""deploy/kolla, in the hands of kolla-build and of kolla-ansible's plugins."""

import json
import pathlib
import re
import shutil

import pytest
import yaml
from oslo_config import cfg

from tests.deploy import table
from tests.deploy.places import DEPLOY, PREFIX, playbook

KOLLA = DEPLOY / "kolla"
ANSIBLE = PREFIX / "share" / "kolla-ansible" / "ansible"
FILTERS = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
    "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"
)
STOCK = "nova.scheduler.filters.all_filters"
OURS = "nova_vhard.gates.scheduler.VirtHardeningFilter"
BLAZAR = "blazarnova.scheduler.filters.blazar_filter.BlazarFilter"
#: Lines of the role's own template if Blazar is enabled.
ROLES_CONF = ANSIBLE / "roles" / "nova" / "templates" / "nova.conf.j2"
BLAZAR_OF_THE_ROLE = r"{% if enable_blazar \| bool %}.*?{% endif %}\n"
IMPORTS = "[image_import_opts]\nimage_import_plugins = "
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
def images(tmp_path_factory):
    """Return image to Dockerfile and plug-ins, as Kolla's worker makes them.

    No Dockerfile names the sections of plug-ins.
    """
    from kolla.common import config
    from kolla.image.kolla_worker import KollaWorker

    words = {
        "config-file": KOLLA / "kolla-build.conf",
        "template-override": KOLLA / "template-override.j2",
        "work-dir": tmp_path_factory.mktemp("kolla"),
    }
    conf = cfg.ConfigOpts()
    options = [f"--{name}={value}" for name, value in words.items()]
    config.parse(conf, [*options, "--template-only"], prog="kolla-build")
    worker = KollaWorker(conf)
    worker.setup_working_dir()
    worker.find_dockerfiles()
    worker.create_dockerfiles()
    worker.build_image_list()
    return {
        image.name: (
            pathlib.Path(image.path, "Dockerfile").read_text(),
            [
                (plugin["type"], plugin["source"].endswith(".tar.gz"))
                for plugin in image.plugins
                if plugin["name"].endswith("-plugin-vhard")
            ],
        )
        for image in worker.images
    }


@pytest.mark.parametrize(
    ("service", "paste"),
    [("nova", "api-paste.ini"), ("glance", "glance-api-paste.ini")],
)
def test_the_gates_are_put_in_behind_the_service(images, service, paste):
    text, _ = images[f"{service}-base"]
    step = f"nova-vhard-paste add {service} /etc/{service}/{paste}"
    assert text.count(step) == 1
    # The file that is changed is there by then, and so is the package.
    assert text.index(f"/{service}/etc/") < text.index(step)
    assert text.index("plugins-archive /") < text.index(step)
    assert "/plugins/nova_vhard-*" in text


def test_other_images_are_unchanged(images):
    ours = {"nova-base", "glance-base", "horizon"}
    assert {n for n, (text, _) in images.items() if "vhard" in text} == ours
    plugins = {name: each for name, (_, each) in images.items() if each}
    assert plugins == {name: [("local", True)] for name in ours}
    text, _ = images["horizon"]
    assert text.index("plugins/*") < text.index("nova_vhard_dashboard")


class Cloud:
    """A deployment host: the operator's files, and kolla-ansible's own."""

    def __init__(self, folder):
        self.folder = folder
        self.etc = folder / "kolla"
        for name in ("config/nova", "config/glance", "globals.d"):
            (self.etc / name).mkdir(parents=True)
        self.write("globals.yml", "---\n{}\n")
        self.volumes_of_own = []
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
        role = ROLES_CONF.read_text() if service == "nova" else ""
        own = re.search(BLAZAR_OF_THE_ROLE, role, re.S)
        template.write_text(f"[filter_scheduler]\n{own[0]}" if own else "")
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

    def volumes(self):
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
        own = self.volumes_of_own
        self.play(task, **{"default_extra_volumes": own} if own else {})
        return json.loads(path.read_text())

    def own(self, *words):
        """Write lists of the operator."""
        filters = f"[filter_scheduler]\nenabled_filters = {','.join(words)}\n"
        self.write("config/nova.conf", filters)
        self.write("config/glance.conf", f"{IMPORTS}[{','.join(words)}]\n")
        self.volumes_of_own = [f"/{word}:/{word}:ro" for word in words]

    def lists(self):
        """Return the filters, plug-ins and volumes of Nova and Glance."""
        plugins = re.findall(r"plugins = (.*)", self.merged("glance"))
        return (
            table.scheduler(self.folder, self.merged("nova"))[1],
            plugins[0].split(","),
            self.volumes()["nova-api"],
        )


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
        text = cloud.merged("nova", enable_blazar=blazar)
        return text, table.scheduler(tmp_path, text)

    cloud.remove()
    before, (_, filters) = merged(text)
    assert filters == enabled.split(",")
    cloud.install()
    after, lists = merged(text)
    assert lists == ([*available, OURS], ["VirtHardeningFilter", *filters])
    assert merged(text)[0] == after
    if name:
        _, (_, changed) = merged("enabled_filters = Other\n")
        assert changed == ["VirtHardeningFilter", "Other"]
    cloud.remove()
    assert merged(text)[0] == before


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


def test_the_operator_changes_a_list_after_the_installation(cloud):
    file = (
        "a file for one host, or your own file of the same name, replaces it"
    )
    volume = "the role stops if you set a variable of the same name"
    table.follow("Kolla", cloud, filters=file, plugins=file, volumes=volume)


#: What the hook, which is in the first, reads.
HOOKS = ("/etc/libvirt/hooks", "/var/lib/nova-vhard-guard")


def test_no_volume_of_the_operators_is_dropped(cloud):
    """Nor is one of the role's own."""
    own = cloud.volumes_of_own = ["/etc/pki:/etc/pki:ro"]
    cloud.remove()
    before = cloud.volumes()
    cloud.install()
    for name, mounts in cloud.volumes().items():
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
    assert cloud.volumes() == before


@pytest.mark.parametrize(
    "name", ["globals.yml", "globals.d/a.yml", "globals.d/z.yml"]
)
def test_a_variable_of_the_operators_stops_it(cloud, name):
    for program in ("scheduler", "libvirt"):
        variable = f"nova_{program}_extra_volumes"
        cloud.write(name, f"---\n{variable}: [/a:/a]\n")
        with pytest.raises(AssertionError, match=f"{name}:{variable}: Write"):
            cloud.volumes()


def test_the_images_are_named_by_variables_of_the_roles():
    readme = (KOLLA / "README.rst").read_text()
    for image, role in (
        ("nova_api", "nova"),
        ("nova_scheduler", "nova"),
        ("glance_api", "glance"),
        ("horizon", "horizon"),
    ):
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
