#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install MariaDB, RabbitMQ, libvirt and QEMU for
# tests/integration, where they are missing. Only their programs are wanted: no
# service of theirs is started, and nothing goes on listening.
set -euo pipefail

wanted=(
    mariadb-server rabbitmq-server
    # Computes with guests, and libvirt's binding for the Python of the system.
    libvirt-daemon libvirt-daemon-driver-qemu python3-libvirt
    qemu-system-x86 qemu-utils
)
policy=/usr/sbin/policy-rc.d

# shellcheck source=tests/debian.sh
. "$(dirname "$0")/../debian.sh"
find_missing "${wanted[@]}"
[ "${#missing[@]}" -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$0: needs root on Debian, for ${missing[*]}" >&2
    exit 2
fi

# The ids of Erlang's port mappers, without those of a cloud of ours.
mappers() {
    local one
    for one in /proc/[0-9]*; do
        case $(readlink "$one/exe" 2>/dev/null || true) in
            */epmd | */"epmd (deleted)") ;;
            *) continue ;;
        esac
        grep -qs NOVA_VHARD_CLOUD= "$one/environ" || echo "${one#/proc/}"
    done
}

made=""
before=$(mappers)
clean_up() {
    # One that a script of a package has started would go on, on every
    # address. Those that were there before are somebody's.
    for pid in $(mappers); do
        case " ${before//$'\n'/ } " in
            *" $pid "*) ;;
            *) kill "$pid" 2>/dev/null || true ;;
        esac
    done
    [ -z "$made" ] || rm -f "$policy"
}
trap clean_up EXIT

# Debian asks it before a package starts or stops a service; 101 forbids it.
# If there is one already it is the machine's owner's, and stays.
if [ ! -e "$policy" ]; then
    made=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
else
    echo "$policy is there: it decides whether services are started"
fi
install_packages "${missing[@]}"
