#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what an emulated guest needs, and make its kernel
# and initramfs. The kernel is Debian's; it is downloaded and not installed.
#
#   tests/emulated/prepare.sh FOLDER   where both are to be
#
# Debian's kernel has everything but netdevsim, which is compiled from its
# sources. The guest's root is this machine's, which it cannot change.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?names no folder}
modules=(9pnet_virtio 9p overlay nvme)
wanted=(
    qemu-system-x86 nvme-cli iproute2
    busybox-static cpio kmod xz-utils
    gcc make
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
apt-get install -qy --no-install-recommends "linux-headers-$release"

cd "$folder/packages"
apt-get download -q "linux-image-$release" linux-source-6.12
unpack_kernel "$release"

archive=./usr/src/linux-source-6.12.tar.xz
source=linux-source-6.12/drivers/net/netdevsim
dpkg-deb --fsys-tarfile linux-source-6.12_*.deb | tar -x -O "$archive" |
    xz -dc | tar -x "$source"
make -C "/usr/src/linux-headers-$release" "M=$PWD/$source" \
    CONFIG_NETDEVSIM=m modules

IFS=, read -ra needed <<<"$(modinfo -F depends "$source/netdevsim.ko")"
unpack_modules "$release" "$folder/initramfs/modules" \
    "${modules[@]}" "${needed[@]}"
strip -g -o "$folder/initramfs/modules/999-netdevsim.ko" "$source/netdevsim.ko"

cp "image/boot/vmlinuz-$release" "$folder/vmlinuz"
cp /bin/busybox "$folder/initramfs/busybox"
cp "$here/init" "$folder/initramfs/init"
cd "$folder/initramfs"
mkdir -p dev proc sys lower upper root lib/firmware
echo "firmware of netdevsim" >lib/firmware/vhard-netdevsim.bin
pack . "$folder/initrd"
cd "$folder"
rm -r packages initramfs
