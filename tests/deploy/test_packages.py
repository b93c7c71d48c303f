# SPDX-License-Identifier: Apache-2.0
"""deploy/packages: built by dpkg-buildpackage and by rpmbuild, and run."""

import configparser
import csv
import functools
import itertools
import platform
import re
import shutil
import subprocess
from collections import Counter
from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement

from tests.deploy.packages import TOOLS, build, output, unpack
from tests.deploy.places import DEPLOY, ROOT

PACKAGES = DEPLOY / "packages"
NAMES = {
    "python3-nova-vhard",
    "python3-nova-vhard-node",
    "nova-vhard-node",
    "nova-vhard-guard",
    "nova-vhard-cleaner",
    "python3-nova-vhard-client",
    "nova-vhard-exporter",
    "nova-vhard-attestor",
    "python3-nova-vhard-dashboard",
}
#: Whose requirements are those of an extra.
EXTRAS = {
    "node": "python3-nova-vhard-node",
    "client": "python3-nova-vhard-client",
    "guard": "nova-vhard-guard",
    "cleaner": "nova-vhard-cleaner",
    "exporter": "nova-vhard-exporter",
    "attestor": "nova-vhard-attestor",
    "dashboard": "python3-nova-vhard-dashboard",
}
CONFIGURATION = {
    "/etc/nova-vhard/attestor.conf": "-rw-------",
    "/etc/nova-vhard/cleaner.conf": "-rw-------",
    "/etc/nova-vhard/exporter.conf": "-rw-------",
    "/etc/nova-vhard/guard.conf": "-rw-------",
    "/etc/nova-vhard/reporter.conf": "-rw-------",
}
#: Where a name is not python3- and that of PyPI.
DEBIAN = {
    "django": "python3-django",
    "horizon": "python3-django-horizon",
    "prometheus-client": "python3-prometheus-client",
    "python-glanceclient": "python3-glanceclient",
    "pyelftools": "python3-pyelftools",
    "pyyaml": "python3-yaml",
}
RDO = {
    "horizon": "openstack-dashboard",
    "prometheus-client": "python3-prometheus_client",
    "python-glanceclient": "python3-glanceclient",
}
SITE = re.compile(r"^/usr/lib/python3[^/]*/[a-z]+-packages/")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a function that builds a kind of packages, once."""

    @functools.cache
    def once(kind):
        if shutil.which(TOOLS[kind]) is None:
            pytest.skip(f"{TOOLS[kind]} is not installed")
        return build(kind, tmp_path_factory.mktemp(kind))

    return once


@pytest.fixture(scope="module", params=["deb", "rpm"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def packages(kind, built):
    return built(kind)


@pytest.fixture(scope="module")
def root(kind, packages, tmp_path_factory):
    """Return an empty root into which all of them were put."""
    folder = tmp_path_factory.mktemp("root")
    for package in packages.values():
        unpack(kind, package, folder)
    return folder


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


def site(root):
    """Return the folder of Python's packages below a root."""
    (result,) = root.glob("usr/lib/python3*/*-packages")
    return result


def entry_points(root):
    """Return the entry points of each distribution below a root."""
    return [
        list(each.entry_points)
        for each in distributions(path=[str(site(root))])
    ]


def requirements(text):
    """Return the versions that a list requires, by PyPI's names."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    parsed = map(Requirement, filter(None, lines))
    return {
        each.name.lower().replace("_", "-"): each.specifier for each in parsed
    }


def required(setup_cfg):
    """Return what each package requires, by its own name."""
    extras = setup_cfg["options.extras_require"]
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    wanted = {EXTRAS[extra]: requirements(extras[extra]) for extra in EXTRAS}
    return wanted | {"python3-nova-vhard": requirements(text)}


def spelled(kind, name):
    """Return a distribution's name of what PyPI calls so."""
    plain_name = name if kind == "deb" else name.replace(".", "-")
    names = DEBIAN if kind == "deb" else RDO
    return names.get(name, f"python3-{plain_name}")


def plain(package):
    """Return a package's files as both kinds have them."""
    left = ("/usr/share/doc/", "/usr/share/licenses/")
    return {
        SITE.sub("/SITE/", path).removesuffix(".gz")
        for path in package.files
        if not path.startswith(left) and not path.endswith(".pyc")
    }


def run_in(root, name, *arguments):
    """Run a program of the root on the system's Python; its status too.

    The libraries are those of the system's packages; ours come from the root
    alone.
    """
    return subprocess.run(
        [root / "usr/bin" / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(site(root)),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


def test_every_file_is_in_one_package_at_the_usual_path(packages):
    assert set(packages) == NAMES
    count = Counter(
        path for package in packages.values() for path in package.files
    )
    assert [path for path, times in count.items() if times > 1] == []
    folders = ("nova_vhard", "nova_vhard_dashboard")
    listed = output("git", "-C", ROOT, "ls-files", *folders).splitlines()
    wanted = {
        f"/SITE/{path}"
        for path in listed
        if not path.startswith("nova_vhard_dashboard/enabled/")
    }
    every = set().union(*map(plain, packages.values()))
    assert wanted <= every
    places = (
        "/etc/nova-vhard/",
        "/usr/bin/nova-vhard-",
        "/usr/lib/systemd/system/nova-vhard-",
        "/usr/share/man/man1/nova-vhard-",
        "/usr/share/nova-vhard/",
        "/SITE/nova_vhard",
    )
    assert [path for path in every if not path.startswith(places)] == []


def test_configuration_is_kept_and_passwords_are_roots(packages):
    kept = {
        path: package.files[path]
        for package in packages.values()
        for path in package.configuration
    }
    assert kept == CONFIGURATION
    everything = set().union(*(p.files for p in packages.values()))
    assert {p for p in everything if p.startswith("/etc/")} == set(kept)


def test_each_program_has_a_man_page(packages, root):
    programs = set()
    for package in packages.values():
        here = {
            path: mode
            for path, mode in package.files.items()
            if path.startswith("/usr/bin/")
        }
        pages = {
            path.rpartition("/")[2].partition(".")[0]
            for path in package.files
            if path.startswith("/usr/share/man/man1/")
        }
        assert {path.removeprefix("/usr/bin/") for path in here} == pages
        assert set(here.values()) <= {"-rwxr-xr-x"}
        programs |= pages
    assert len(programs) == 7
    for name in programs:
        (path,) = root.glob(f"usr/share/man/man1/{name}.1*")
        text = output("zcat", "-f", path)
        assert name.replace("-", "\\-") in text
        assert "SYNOPSIS" in text.upper()


def test_units_start_what_is_installed(root):
    units = sorted((root / "usr/lib/systemd/system").iterdir())
    assert [unit.name for unit in units] == sorted(
        path.name
        for path in (ROOT / "etc/nova-vhard").iterdir()
        if path.suffix in (".service", ".socket", ".timer")
    )
    for unit in units:
        text = unit.read_text(encoding="utf-8")
        assert "/opt/" not in text
        for program in re.findall(r"^Exec\w+=[-+!:@]*(\S+)", text, re.M):
            if program != "/bin/kill":
                assert (root / program.lstrip("/")).is_file(), program


def test_every_entry_point_is_in_exactly_one_package(root, setup_cfg):
    wanted = [
        (group, line.partition("=")[0].strip())
        for group, rows in setup_cfg["options.entry_points"].items()
        for line in rows.strip().splitlines()
    ]
    found = entry_points(root)
    assert len(found) == 1 + len(EXTRAS)
    entries = [(each.group, each.name) for part in found for each in part]
    assert sorted(entries) == sorted(wanted)


def test_a_package_works_with_its_dependencies(
    kind, packages, setup_cfg, tmp_path
):
    """Its entry points have their modules, and its programs start."""
    version = setup_cfg["metadata"]["version"]
    for name, package in packages.items():
        names = {name}
        for _ in range(2):
            needs = (packages[each].requires for each in names)
            names |= NAMES & set().union(*needs)
        folder = tmp_path / name
        folder.mkdir()
        for each in names:
            unpack(kind, packages[each], folder)
        for entry in itertools.chain(*entry_points(folder)):
            module = site(folder) / entry.module.replace(".", "/")
            files = (module.with_suffix(".py"), module / "__init__.py")
            assert any(path.exists() for path in files), entry
        for path in package.files:
            program = path.removeprefix("/usr/bin/")
            if program != path:
                done = run_in(folder, program, "--version")
                assert done.stdout == f"{program} {version}\n", done.stderr


def test_what_an_extra_needs_is_needed_by_its_package(
    kind, packages, setup_cfg
):
    for package, wanted in required(setup_cfg).items():
        given = {
            need
            for need in packages[package].requires
            if not need.startswith(("python3:", "/", "rpmlib(", "config("))
            and need not in NAMES
        }
        assert given == {spelled(kind, name) for name in wanted}, package


def test_rhel_and_rdo_have_what_the_rpms_need(setup_cfg):
    """RHEL 10, as AlmaLinux 10.0 has it, and RDO 2025.1: their lists, read."""
    path = ROOT / "tests" / "deploy" / "rpm-names.csv"
    with path.open(newline="") as file:
        have = {row["package"]: row["version"] for row in csv.DictReader(file)}
    assert [
        name
        for wanted in required(setup_cfg).values()
        for name, versions in wanted.items()
        if not versions.contains(have[spelled("rpm", name)])
    ] == []
    spec = (PACKAGES / "nova-vhard.spec").read_text()
    named = set(re.findall(r"^(?:Requires|Recommends): +(\S+)", spec, re.M))
    assert named - NAMES == set(have)


def test_the_client_needs_no_services_of_a_node(packages):
    needed = packages["python3-nova-vhard-client"].requires & NAMES
    assert needed - {"python3-nova-vhard"} == {"python3-nova-vhard-node"}


def test_the_reporter_checks_this_machine(root):
    done = run_in(root, "nova-vhard-reporter", "check", "--policy", "baseline")
    # 1: what the checks say of this machine is not asked here.
    assert done.returncode in (0, 1), done.stderr
    assert "iommu" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_client_finds_its_commands(root, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: "1"\nextends: strict\n')
    text = output(
        *("/usr/bin/python3", "-m", "openstackclient.shell"),
        *("vhard", "policy", "check", policy),
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site(root))},
    )
    assert "Traceback" not in text


def test_gates_alone_put_themselves_into_a_paste_file(
    kind, packages, tmp_path
):
    unpack(kind, packages["python3-nova-vhard"], tmp_path)
    paste = tmp_path / "api-paste.ini"
    paste.write_text(
        "[composite:openstack_compute_api_v21]\n"
        "use = call:nova.api.auth:pipeline_factory_v21\n"
        "keystone = cors authtoken keystonecontext osapi_compute_app_v21\n"
        "[app:osapi_compute_app_v21]\n"
    )
    done = run_in(tmp_path, "nova-vhard-paste", "add", "nova", str(paste))
    assert done.returncode == 0, done.stderr
    text = paste.read_text()
    assert "[app:osapi_compute_app_v21]\nfilter-with = vhard\n" in text
    assert not list(tmp_path.glob("usr/lib/python3*/*/nova_vhard/osc"))
    assert not list(tmp_path.glob("usr/lib/python3*/*/nova_vhard/host"))


def test_both_share_the_files_out_alike(built):
    deb, rpm = (
        {name: plain(package) for name, package in built(kind).items()}
        for kind in TOOLS
    )
    assert deb == rpm


@pytest.fixture(scope="module")
def fresh(built, tmp_path_factory):
    """Return a new Debian that has what the DEBs need; RPMs run there too."""
    needed = {
        need.partition(":")[0]
        for package in built("deb").values()
        for need in package.requires
    }
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    folder = tmp_path_factory.mktemp("fresh") / "root"
    output(
        *("mmdebstrap", "--variant=minbase"),
        "--include=" + ",".join(sorted(needed - NAMES | {"systemd"})),
        *(platform.freedesktop_os_release()["VERSION_CODENAME"], folder),
    )
    return folder


#: How each kind is installed below a root, with its scripts, and removed.
INSTALL = {
    "deb": ("dpkg", "--root", "{root}", "--install"),
    "rpm": ("rpm", "--root", "{root}", "--nodeps", "--nosignature", "-i"),
}
REMOVE = {
    "deb": ("dpkg", "--root", "{root}", "--purge"),
    "rpm": ("rpm", "--root", "{root}", "-e"),
}


def ours(root):
    """Return the files of nova-vhard below a root."""
    found = output(
        *("find", root, "-xdev", "-path", root / "var", "-prune", "-o"),
        *("-iname", "*nova?vhard*", "-print"),
    )
    return found.splitlines()


def test_installed_in_a_fresh_root(kind, packages, fresh):
    """Of each package: installed, units verified, programs, removed."""
    assert ours(fresh) == []
    install, remove = (
        [word.format(root=fresh) for word in words[kind]]
        for words in (INSTALL, REMOVE)
    )
    output(*install, *(package.path for package in packages.values()))
    units = (fresh / "usr/lib/systemd/system").glob("nova-vhard-*")
    names = sorted(unit.name for unit in units)
    assert output("systemd-analyze", f"--root={fresh}", "verify", *names) == ""
    programs = sorted(fresh.glob("usr/bin/nova-vhard-*"))
    assert len(programs) == 7
    for program in programs:
        text = output("chroot", fresh, f"/usr/bin/{program.name}", "--help")
        assert text.startswith(f"usage: {program.name}")
    output(*remove, *packages)
    assert ours(fresh) == []


def test_the_module_for_selinux_compiles(packages, root, tmp_path):
    if shutil.which("checkmodule") is None:
        pytest.skip("checkmodule is not installed")
    source = root / "usr/share/nova-vhard/nova_vhard.te"
    module, package = tmp_path / "nova_vhard.mod", tmp_path / "nova_vhard.pp"
    output("checkmodule", "-M", "-m", "-o", module, source)
    output("semodule_package", "-o", package, "-m", module)
    assert package.stat().st_size > 0


#: In a copy of this machine that is gone afterwards; no process sees another.
COPY = """
set -eu
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/system"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none \
    "$1/system"
mount -t proc proc "$1/system/proc"
mount -t tmpfs none "$1/system/run"
mkdir "$1/system/debs"
mount --bind "$2" "$1/system/debs"
exec chroot "$1/system" /bin/sh -c "$3"
"""
LIFE = """
set -eux
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
hook=/etc/libvirt/hooks/qemu.d/nova-vhard-guard
rm -f /debs/python3-nova-vhard-dashboard_*
dpkg --install /debs/*.deb
nova-vhard-reporter check >/dev/null || test $? = 1
nova-vhard-guard install
test -x $hook
echo '# of the old version' >>$hook
echo '# mine' >>/etc/nova-vhard/guard.conf
dpkg --install /debs/nova-vhard-guard_*.deb
! grep -q 'of the old version' $hook
grep -q '# mine' /etc/nova-vhard/guard.conf
names=$(dpkg-query -W -f '${Package}\\n' '*nova-vhard*')
dpkg --remove $names
test ! -e $hook
test -e /etc/nova-vhard/guard.conf
dpkg --purge $names
test ! -e /etc/nova-vhard
test ! -e /usr/share/nova-vhard
test -z "$(find /usr/lib/python3 -name 'nova_vhard*')"
"""


def test_installed_upgraded_and_purged(built, tmp_path):
    """rpm has no machine of its own here: Debian's packages alone."""
    debian = built("deb").values()
    allowed = subprocess.run(["unshare", "--mount", "true"], check=False)
    if allowed.returncode:
        pytest.skip("no mount is allowed here, for a copy of this machine")
    place = tmp_path / "copy"
    debs = tmp_path / "debs"
    place.mkdir()
    debs.mkdir()
    for package in debian:
        shutil.copy(package.path, debs)
    output(
        *("unshare", "--mount", "--pid", "--fork", "sh", "-c", COPY, "sh"),
        *(place, debs, LIFE),
    )
