# SPDX-License-Identifier: Apache-2.0
"""Parameters of kernel modules: what they are, and what they will be.

A module that is loaded shows a parameter; one that is loaded later gets it
from modprobe's configuration and from the kernel command line.

Sources: kernel/params.c (``next_arg``, ``parameq``) and lib/kstrtox.c
(``kstrtobool``) in the kernel; modprobe.d(5).
"""

import re
from collections.abc import Iterator

from nova_vhard.host.root import HostRoot, Unreadable

CMDLINE = "/proc/cmdline"
MODULES = "/sys/module"

#: Where modprobe looks; of two files of one name it reads the first.
_FOLDERS = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
# next_arg() of the kernel: quotes keep spaces in a word, wherever they are.
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_QUOTES = re.compile(r"[\"';&|()]")
_SHELL = "install"
_COMMANDS = ("options", _SHELL)
# What is part of the kernel, which modprobe's configuration does not reach.
_RELEASE = "/proc/sys/kernel/osrelease"
_BUILT_IN = "/lib/modules/{}/modules.builtin"
# What a module that is loaded shows.
_SHOWN = ("Y", "N", "1", "0")
# kstrtobool() looks at the first letter, and behind an o at the second. Older
# kernels do not take "enable", and do not load the module.
_TRUE = ("y", "t", "1", "e", "on")


def words(root: HostRoot) -> list[str]:
    """Return the words of the command line that are the kernel's.

    :raises Unreadable: if it cannot be read
    """
    result = _WORD.findall(root.peek(CMDLINE))
    # What is behind -- goes to init.
    return result[: result.index("--")] if "--" in result else result


def values(root: HostRoot, name: str) -> list[str]:
    """Return the values that the command line gives a name, in its order.

    As the kernel takes them: quotes are taken away, and dashes in a name are
    underscores. Empty text where the name stands alone.

    :param name: of a parameter of the kernel's own, with underscores
    :raises Unreadable: if it cannot be read
    """
    return [
        word.replace('"', "").partition("=")[2]
        for word in words(root)
        if _plain(word) == name
    ]


def is_on(root: HostRoot, module: str, name: str) -> bool:
    """Return whether a parameter is on, or will be once the module is loaded.

    A place that is not there says nothing. Every other is evidence.

    :raises Unreadable: if one of them cannot be read
    """
    # Any place is enough: which one wins depends on who loads the module, and
    # when.
    on = False
    path = f"{MODULES}/{module}/parameters/{name}"
    shown = root.maybe(path)
    loaded = [] if shown is None else [(path, shown)]
    for place, value in (*loaded, *_wanted(root, module, name)):
        root.note(f"{place}: {value}")
        on |= _is_true(value)
    return on


def _wanted(
    root: HostRoot, module: str, name: str
) -> Iterator[tuple[str, str]]:
    """Yield each place that sets a parameter, and the words there."""
    wanted = f"{module}.{name}"
    for word in words(root) if root.exists(CMDLINE) else []:
        if _plain(word) == wanted:
            yield CMDLINE, word
    for path, line in _lines(root):
        command, _, rest = line.partition(" ")
        target, _, rest = rest.strip().partition(" ")
        # modprobe takes dashes and underscores in names as the same.
        if command in _COMMANDS and _same(target) == module:
            if command == _SHELL:
                # The shell parses what is in quotes: drop it here.
                rest = _QUOTES.sub(" ", rest)
            for word in _WORD.findall(rest):
                # modprobe reads its files for modules it loads; a part of the
                # kernel gets parameters from the command line only.
                if _plain(word) == name and not _built_in(root, module):
                    yield path, word


def _built_in(root: HostRoot, module: str) -> bool:
    """Return whether a module is known to be part of the kernel that runs."""
    try:
        names = [
            line.rpartition("/")[2]
            for line in root.lines(_BUILT_IN.format(root.peek(_RELEASE)))
        ]
    # Whether it is built in is unknown: the setting counts, and may be a FAIL.
    except Unreadable:
        return False
    return any(_same(name.removesuffix(".ko")) == module for name in names)


def _plain(word: str) -> str:
    """Return the name of a parameter: dashes are underscores to the kernel."""
    return _same(word.strip('"').partition("=")[0])


def _same(name: str) -> str:
    return name.replace("-", "_")


def _is_true(word: str) -> bool:
    """Return whether the kernel takes a parameter's word for yes.

    A name without a value is yes.
    """
    if "=" in word:
        word = word.strip('"').partition("=")[2].strip('"')
    # The text of /sys/module, which has no name in front, is compared below.
    elif word not in _SHOWN:
        return True
    # param_set_bool() calls kstrtobool(). What it does not take leaves the
    # module unloaded, and so counts as no.
    return word.lower().startswith(_TRUE)


def _lines(root: HostRoot) -> Iterator[tuple[str, str]]:
    """Yield path and line of modprobe's configuration."""
    paths: dict[str, str] = {}
    for folder in _FOLDERS:
        for name in root.names(folder, missing_ok=True):
            if name.endswith(".conf"):
                # modprobe.d(5): the first folder wins, as with systemd's
                # drop-ins.
                paths.setdefault(name, f"{folder}/{name}")
    for path in paths.values():
        # A link to /dev/null masks a file of the distribution's.
        if root.real(path) != "/dev/null":
            text = root.peek(path).replace("\\\n", " ")
            for line in text.splitlines():
                yield path, " ".join(line.split())
