# SPDX-License-Identifier: Apache-2.0
"""A stand-in for nvme-cli, which prints what that has printed."""

import json
import pathlib
import shlex

from nova_vhard.host.pci import pci
from nova_vhard.host.root import Unreadable
from tests.unit.cleaner import trees

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"


class Tool:
    """A program whose answers are files, each for the times it is asked.

    :param folder: for it and all that is its
    """

    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir()
        self.path = self.folder / "program"
        self._cases = []

    def answers(self, words, *texts, status=0, also=""):
        """Set the output of command lines that begin with words.

        :param texts: output of the first run, the second, …; the last one is
            repeated
        :param also: lines of shell to run
        """
        number = len(self._cases)
        for count, text in enumerate(texts):
            (self.folder / f"{number}.{count}").write_text(text)
        counter = shlex.quote(str(self.folder / f"{number}.count"))
        last = len(texts) - 1
        place = shlex.quote(str(self.folder / str(number)))
        # The latest answer counts.
        self._cases.insert(
            0,
            f"""\
    {shlex.quote(words)}*)
        count=$(cat {counter} 2>/dev/null || echo 0)
        echo $((count + 1)) > {counter}
        [ "$count" -le {last} ] || count={last}
        {also}
        cat {place}.$count
        exit {status} ;;
""",
        )
        log = shlex.quote(str(self.folder / "log"))
        head = f'#!/bin/sh\necho "$*" >> {log}\ncase "$*" in\n'
        self.path.write_text(f"{head}{''.join(self._cases)}esac\nexit 99\n")
        self.path.chmod(0o755)

    @property
    def asked(self):
        """The command lines that it got."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []


def data(name):
    return (DATA / name).read_text(encoding="utf-8")


def changed(name, **fields):
    """Return a recorded JSON object with other values."""
    return json.dumps(json.loads(data(name)) | fields)


class Bound(trees.Kernel):
    """A job on a machine that binds drivers as the kernel does.

    :ivar refuses: name of a driver that does not take the device
    """

    def write(self, path, text):
        name = path.rpartition("/")[2]
        self.written.append((name, text.strip()))
        device = trees.folder(self.root, self.device.address)
        override, driver = device / "driver_override", device / "driver"
        if name == "driver_override":
            override.write_text(text.strip() or "(null)\n")
        elif name == "unbind":
            driver.unlink()
        elif name == "drivers_probe":
            wanted = override.read_text().strip()
            if wanted not in (self.refuses, "(null)"):
                driver.symlink_to(f"../../../bus/pci/drivers/{wanted}")
        else:
            raise Unreadable(path, OSError(22, "not written to here"))


def bound(root, settings, driver="", **more):
    """Return a job on a device that a driver has; empty for none."""
    folder = trees.folder(root)
    (folder / "driver_override").write_text("(null)\n")
    if driver:
        (folder / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
    made = trees.job(root, settings)
    return Bound(root, made.device, settings, made.time_limit, **more)


def driver(root):
    return pci.driver(root, trees.NVME)
