#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian, after prepare.sh: make the kernel and initramfs of an
# emulated Arm host, and unpack the emulator and its UEFI. Nothing is installed: libvirt
# would name that emulator to the tests of a host.
#
#   tests/emulated/prepare-arm64.sh FOLDER   the folder of prepare.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:?names no folder}" && pwd)

# shellcheck source=tests/emulated/packages.sh
. "$here/packages.sh"
need_root_on_debian
if is_new "$folder/arm64/initrd" "$here/init-arm64" "$here/packages.sh" "$0"
then
    exit 0
fi
work=$folder/packages-arm64
mkdir -p "$folder/arm64" "$work/apt/lists/partial" "$work/apt/archives/partial"
mkdir -p "$work/initramfs/modules" "$work/initramfs/"{copy,dev,proc,sys}
cd "$work"
apt-get download -q qemu-system-arm qemu-efi-aarch64
dpkg-deb -x qemu-system-arm_*.deb "$folder/arm64"
dpkg-deb --fsys-tarfile qemu-efi-aarch64_*.deb |
    tar -x -O ./usr/share/qemu-efi-aarch64/QEMU_EFI.fd >"$folder/arm64/uefi"

# The other architecture's packages, by lists of their own.
cat >apt.conf <<CONFIGURATION
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Dir::State::Lists "$work/apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$work/apt";
CONFIGURATION
export APT_CONFIG=$work/apt.conf
apt-get update -q
release=$(kernel_release arm64)
apt-get download -q "linux-image-$release" busybox-static
unpack_kernel "$release"
unpack_modules "$release" initramfs/modules nvme vfio_pci
dpkg-deb --fsys-tarfile busybox-static_*.deb |
    tar -x -O ./usr/bin/busybox >initramfs/busybox
chmod 0755 initramfs/busybox
cp "$here/init-arm64" initramfs/init
cp "image/boot/vmlinuz-$release" "$folder/arm64/vmlinuz"
pack initramfs "$folder/arm64/initrd"
cd "$folder"
rm -r "$work"
