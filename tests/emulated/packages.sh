# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scripts beside it: what each makes of Debian's packages.

# shellcheck source=tests/debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/../debian.sh"

# is_new FILE SOURCE...   whether a file is newer than each of its sources
is_new() {
    local file=$1 source
    shift
    for source; do
        [ "$file" -nt "$source" ] || return 1
    done
}

# Print the release of a kernel package: kernel_release ARCHITECTURE
kernel_release() {
    local depends name
    depends=$(apt-cache depends --no-recommends "linux-image-$1")
    name=$(grep -om1 "linux-image-[^ ]*-$1\$" <<<"$depends")
    echo "${name#linux-image-}"
}

# unpack_kernel RELEASE   unpack its package, which is here, as ./image
unpack_kernel() {
    dpkg-deb -x "linux-image-${1}"_*.deb image
    ln -sfn usr/lib image/lib
    depmod -b image "$1"
}

# unpack_modules RELEASE FOLDER MODULE...   with all that they need, numbered
# in an order in which each finds that
unpack_modules() {
    local release=$1 folder=$2 number=100 module path
    shift 2
    for module; do
        modprobe -d image -S "$release" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >order
    while read -r path; do
        xz -dc "$path" >"$folder/$number-$(basename "$path" .ko.xz).ko"
        number=$((number + 1))
    done <order
}

# pack FOLDER FILE   make an initramfs of a folder
pack() {
    (cd "$1" && find . | cpio -o -H newc --quiet) | gzip -1 >"$2.new"
    mv "$2.new" "$2"
}
