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

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$0: needs root on Debian" >&2
    exit 2
fi
if [ "$folder/initrd" -nt "$here/init" ] &&
    [ "$folder/initrd" -nt "$0" ]; then
    exit 0
fi
mkdir -p "$folder/packages" "$folder/initramfs/modules"
folder=$(cd "$folder" && pwd)
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends "${wanted[@]}"
depends=$(apt-cache depends --no-recommends linux-image-amd64)
release=$(grep -om1 'linux-image-[^ ]*-amd64$' <<<"$depends")
release=${release#linux-image-}
apt-get install -qy --no-install-recommends "linux-headers-$release"

cd "$folder/packages"
apt-get download -q "linux-image-$release" linux-source-6.12
dpkg-deb -x "linux-image-${release}"_*.deb image
ln -sfn usr/lib image/lib
depmod -b image "$release"

archive=./usr/src/linux-source-6.12.tar.xz
source=linux-source-6.12/drivers/net/netdevsim
dpkg-deb --fsys-tarfile linux-source-6.12_*.deb | tar -x -O "$archive" |
    xz -dc | tar -x "$source"
make -C "/usr/src/linux-headers-$release" "M=$PWD/$source" \
    CONFIG_NETDEVSIM=m modules

# The modules in an order in which each finds what it needs.
number=100
for module in "${modules[@]}" $(modinfo -F depends "$source/netdevsim.ko" |
    tr , ' '); do
    modprobe -d image -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >order
while read -r path; do
    name=$(basename "$path" .ko.xz)
    xz -dc "$path" >"$folder/initramfs/modules/$number-$name.ko"
    number=$((number + 1))
done <order
strip -g -o "$folder/initramfs/modules/999-netdevsim.ko" "$source/netdevsim.ko"

cp "image/boot/vmlinuz-$release" "$folder/vmlinuz"
cp /bin/busybox "$folder/initramfs/busybox"
cp "$here/init" "$folder/initramfs/init"
cd "$folder/initramfs"
mkdir -p dev proc sys lower upper root lib/firmware
echo "firmware of netdevsim" >lib/firmware/vhard-netdevsim.bin
find . | cpio -o -H newc --quiet | gzip -1 >"$folder/initrd.new"
rm -r "$folder/packages" "$folder/initramfs"
mv "$folder/initrd.new" "$folder/initrd"
