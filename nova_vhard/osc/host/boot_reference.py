# SPDX-License-Identifier: Apache-2.0
"""What Keylime is to know a host's boot by, made of an event log."""

import json
import os
import pathlib
import shutil
import tempfile

from nova_vhard.common.text import clean
from nova_vhard.host import event_log
from nova_vhard.host.command import Failed, output
from nova_vhard.osc.host.measured import NotMeasured
from nova_vhard.osc.output import unreadable

_TOOL = "keylime-policy"
_SECONDS = 120.0
#: Bytes of a reference.
_LIMIT = 64 << 20


def make(boot_log: str, secure_boot: bool) -> str:
    """Return a measured boot reference, by Keylime's own tool.

    :param boot_log: path of the event log
    :param secure_boot: whether the host starts with Secure Boot
    :returns: JSON
    :raises NotMeasured: if the log is none, or the tool fails
    """
    log = os.path.abspath(boot_log)
    _check_log(log)
    tool = shutil.which(_TOOL)
    if tool is None:
        text = f"{_TOOL} is not in the PATH: install Keylime 7.14 or later"
        raise NotMeasured(f"{text}, and tpm2-tools, on this machine")
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder, "reference.json")
        command = [tool, "create", "measured-boot", "--eventlog-file", log]
        command += ["--output", str(written)]
        command += ["--without-secureboot"] * (not secure_boot)
        try:
            words = output(command, _SECONDS)
        except (Failed, OSError) as error:
            text = f"{tool} does not read {log}: {clean(error, 400)}"
            raise NotMeasured(text) from error
        return _taken(written, f"{tool}: {clean(words, 300)}")


def _check_log(path: str) -> None:
    """Look whether a file is an event log.

    :raises NotMeasured: if it is none
    """
    try:
        with open(path, "rb") as file:
            content = file.read(event_log.LIMIT + 1)
        event_log.replay(content)
    except OSError as error:
        raise NotMeasured(unreadable(path, error)) from error
    except event_log.BadLog as error:
        text = f"{path} is no boot event log: {clean(error)}"
        raise NotMeasured(
            f"{text}; a host's is binary_bios_measurements, below "
            "/sys/kernel/security/tpm0"
        ) from error


def _taken(path: pathlib.Path, words: str) -> str:
    """Return what the tool has written, as it is read again.

    :raises NotMeasured: if that is nothing, or no JSON object
    """
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read(_LIMIT))
    except (OSError, ValueError, RecursionError) as error:
        raise NotMeasured(f"it wrote no reference: {words}") from error
    if not isinstance(content, dict) or not content:
        raise NotMeasured(f"it wrote no reference: {words}")
    # Keylime's policies can compare a host with a complete one alone.
    firmware = content.get("scrtm_and_bios")
    if (
        not content.get("kernels")
        or not isinstance(firmware, list)
        or not firmware
        or not all(isinstance(it, dict) and it.get("scrtm") for it in firmware)
    ):
        text = "the log lacks the firmware, the boot loader or the kernel"
        raise NotMeasured(f"{text}, so Keylime would refuse it: {words}")
    return json.dumps(content, indent=1)
