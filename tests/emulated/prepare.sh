#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what an emulated guest needs, and make its kernel
# and initramfs. The kernel is Debian's; it is downloaded and not installed.
#
#   tests/emulated/prepare.sh FOLDER   where both are to be
#
# The guest's root is this machine's, which it cannot change.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?names no folder}
modules=(9pnet_virtio 9p overlay nvme)
wanted=(
    qemu-system-x86 nvme-cli
    busybox-static cpio kmod xz-utils
)

# shellcheck source=tests/emulated/packages.sh
. "$here/packages.sh"
need_root_on_debian
if is_new "$folder/initrd" "$here/init" "$here/packages.sh" "$0"; then
    exit 0
fi
mkdir -p "$folder/packages" "$folder/initramfs/modules"
folder=$(cd "$folder" && pwd)
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends "${wanted[@]}"
release=$(kernel_release amd64)

cd "$folder/packages"
apt-get download -q "linux-image-$release"
unpack_kernel "$release"
unpack_modules "$release" "$folder/initramfs/modules" "${modules[@]}"

cp "image/boot/vmlinuz-$release" "$folder/vmlinuz"
cp /bin/busybox "$folder/initramfs/busybox"
cp "$here/init" "$folder/initramfs/init"
cd "$folder/initramfs"
mkdir -p dev proc sys lower upper root
pack . "$folder/initrd"
cd "$folder"
rm -r packages initramfs
