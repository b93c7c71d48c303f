#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build the packages of a checkout, from an sdist of it:
#
#   deploy/packages/build.sh deb FOLDER
#   deploy/packages/build.sh rpm FOLDER
#
# FOLDER gets the packages. Nothing is written into the checkout; what is not
# committed is built too, what git does not know is not.
set -euo pipefail

# The distribution's Python builds them, not that of a virtual environment
# which this is called from: it lacks what the packages are built with.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

kind=${1:-} folder=${2:-}
if [ -z "$folder" ] || { [ "$kind" != deb ] && [ "$kind" != rpm ]; }; then
    echo "usage: $0 deb|rpm FOLDER" >&2
    exit 2
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/deploy/packages
version=$(sed -n 's/^version = //p' "$root/setup.cfg")

work=$(mktemp -d "${TMPDIR:-/tmp}/nova-vhard-packages.XXXXXX")
trap 'rm -rf "$work"' EXIT
git -C "$root" ls-files -z | (cd "$root" && xargs -0 tar c) |
    tar x -C "$work" --one-top-level=tree
(cd "$work/tree" && /usr/bin/python3 -c \
    'import sys; from setuptools import build_meta as build
build.build_sdist(sys.argv[1])' "$work") >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
sdist=$work/nova_vhard-$version.tar.gz

if [ "$kind" = deb ]; then
    # dpkg and rpm sort 1.1.0.dev0 after 1.1.0, and 1.1.0~dev0 before it.
    version=${version/.dev/"~dev"}
    mv "$sdist" "$work/nova-vhard_$version.orig.tar.gz"
    mkdir "$work/source"
    tar x -C "$work/source" --strip-components=1 \
        -f "$work/nova-vhard_$version.orig.tar.gz"
    cp -r "$here/debian" "$work/source/debian"
    (cd "$work/source" && dpkg-buildpackage --no-sign --build=full)
    mv "$work"/nova-vhard_"$version"* "$work"/*.deb "$folder"
else
    # On Debian rpm knows of no package that is installed.
    options=(--define "_topdir $work/rpm" --define "_sourcedir $work")
    ! command -v dpkg >/dev/null || options+=(--nodeps)
    rpmbuild -ba "${options[@]}" "$here/nova-vhard.spec"
    find "$work/rpm/RPMS" "$work/rpm/SRPMS" -name '*.rpm' \
        -exec mv -t "$folder" {} +
fi
