#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what the tests of a real host need, where it is
# missing. Nothing that the machine has by chance is relied on.
#
#   tests/host/prepare.sh [python]   the Python that is to be used
set -euo pipefail

wanted=(
    # The host: an emulator, libvirt's daemons and virt-host-validate.
    qemu-system-x86 qemu-utils libvirt-daemon libvirt-daemon-driver-qemu
    # What the pages say to install first.
    git python3-venv libvirt-clients
    # What others check hosts with.
    checksec
    # Certificates for QEMU.
    openssl
    # What remedies are applied with.
    procps systemd
    # To compile libvirt-python, and the binaries of the tests.
    gcc libc6-dev libvirt-dev patchelf pkgconf
)
python=${1:-python3}

# shellcheck source=tests/debian.sh
. "$(dirname "$0")/../debian.sh"
need_root_on_debian
find_missing "${wanted[@]}"
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -e "$headers/Python.h" ] || missing+=(python3-dev)
install_packages "${missing[@]}"
