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
        libpmem-dev
        # Firmware and TPM of the guest.
        seabios ipxe-qemu ovmf swtpm swtpm-tools
    )
fi

# shellcheck source=tests/debian.sh
. "$(dirname "$0")/../debian.sh"
need_root_on_debian
find_missing "${wanted[@]}"
install_packages "${missing[@]}"
