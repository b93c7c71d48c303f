#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what the tests of a real host need, where it is
# missing. Nothing that the machine has by chance is relied on.
#
#   tests/host/prepare.sh [python]   the Python that is to be used
set -euo pipefail

wanted=(
    # The host: an emulator, libvirt's daemons and virt-host-validate.
    qemu-system-x86 libvirt-daemon libvirt-daemon-driver-qemu
    # What the pages say to install first.
    git python3-venv libvirt-clients
    # What others check hosts with.
    checksec devscripts
    # Certificates for QEMU.
    openssl
    # To compile libvirt-python, and the binaries of the tests.
    gcc libc6-dev libvirt-dev patchelf pkgconf
)
python=${1:-python3}

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$0: needs root on Debian" >&2
    exit 2
fi
missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null ||
        true)
    [ "$status" = installed ] || missing+=("$package")
done
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -e "$headers/Python.h" ] || missing+=(python3-dev)
[ "${#missing[@]}" -gt 0 ] || exit 0
echo "Installing ${missing[*]}"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    "${missing[@]}"
