#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian, after prepare.sh: make Xen, and an initramfs of its
# control domain that has xl. Both are Debian's; nothing is installed.
#
#   tests/emulated/prepare-xen.sh FOLDER   the folder of prepare.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:?names no folder}" && pwd)

# shellcheck source=tests/emulated/packages.sh
. "$here/packages.sh"
need_root_on_debian
if is_new "$folder/initrd-xen" "$folder/initrd" "$0"; then
    exit 0
fi
mkdir -p "$folder/packages-xen" "$folder/initramfs-xen/of-xen/usr/sbin"
cd "$folder/packages-xen"
system=$(apt-cache depends --no-recommends xen-system-amd64)
hypervisor=$(grep -om1 'xen-hypervisor-[^ ]*-amd64$' <<<"$system")
version=${hypervisor#xen-hypervisor-}
version=${version%-amd64}
needs=$(apt-get install -s --no-install-recommends "xen-utils-$version" |
    awk '$1 == "Inst" && $2 != "xen-utils-'"$version"'" { print $2 }')
# shellcheck disable=SC2086
apt-get download -q "$hypervisor" "xen-utils-$version" $needs
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
gzip -dc "unpacked/boot/xen-$version-amd64.gz" >"$folder/xen"

# Of all that: two programs, and the libraries.
target=$folder/initramfs-xen/of-xen
cp "unpacked/usr/lib/xen-$version/bin/"{xl,xenstored} "$target/usr/sbin"
find unpacked/usr/lib/x86_64-linux-gnu -maxdepth 1 -name '*.so*' |
    while read -r library; do
        mkdir -p "$target/usr/lib/x86_64-linux-gnu"
        cp -a "$library" "$target/usr/lib/x86_64-linux-gnu"
    done
pack "$folder/initramfs-xen" "$folder/tools"
cat "$folder/initrd" "$folder/tools" >"$folder/initrd-xen"
cd "$folder"
rm -r packages-xen initramfs-xen tools
