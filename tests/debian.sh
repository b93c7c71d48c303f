# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scripts that install Debian's packages for tests.

# Leave unless this is root on Debian.
need_root_on_debian() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$0: needs root on Debian" >&2
        exit 2
    fi
}

# find_missing PACKAGE...   set missing to those that are not installed
find_missing() {
    local package status
    missing=()
    for package; do
        status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" \
            2>/dev/null | head -n 1 || true)
        [ "$status" = installed ] || missing+=("$package")
    done
}

# install_packages [PACKAGE...]   as root
install_packages() {
    [ "$#" -gt 0 ] || return 0
    echo "Installing $*"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy \
        --no-install-recommends "$@"
}
