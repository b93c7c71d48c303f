#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what unpacks QEMU's source package, and with
# "build" what builds it and starts a guest on it.
#
#   tests/qemu/prepare.sh config
#   tests/qemu/prepare.sh build [python]
set -euo pipefail

wanted=(dpkg-dev patch)
if [ "${1:-}" = build ]; then
    "$(dirname "$0")/../host/prepare.sh" "${2:-python3}"
    wanted+=(
        debhelper meson ninja-build flex bison pkgconf python3-venv gcc
        # One for each feature of configure-options that has a library.
        libglib2.0-dev zlib1g-dev libaio-dev libgnutls28-dev libnuma-dev
        libpixman-1-dev libseccomp-dev liburing-dev libzstd-dev libfdt-dev
        # Firmware of the guest.
        seabios ipxe-qemu
    )
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$0: needs root on Debian" >&2
    exit 2
fi
missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
        head -n 1 || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
echo "Installing ${missing[*]}"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    "${missing[@]}"
