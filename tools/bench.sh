#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Benchmarks; each prints one JSON object.
#
#   tools/bench.sh audit|filter|glance|nova-api|reporter [--check]
#
# With --check it exits 1 and ends with the line that falls short if a bar is
# missed. The last one needs root and what tests/host/prepare.sh installs; where
# something of it is missing it says so and exits 2.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
    echo "usage: tools/bench.sh audit|filter|glance|nova-api|reporter [--check]" >&2
    exit 2
}
case "${1:-}" in
    audit) module=tests.benchmarks.image_audit ;;
    filter) module=tests.benchmarks.filter_cost ;;
    glance) module=tests.benchmarks.glance_gate ;;
    nova-api) module=tests.benchmarks.nova_gate ;;
    reporter) module=tests.benchmarks.reporter_cost ;;
    *) usage ;;
esac
name=$1
shift

lacks() {
    echo "tools/bench.sh $name: $1; see tests/host/prepare.sh" >&2
    exit 2
}
if [ "$name" = reporter ]; then
    [ "$(id -u)" = 0 ] || lacks "needs root"
    for program in virt-host-validate checksec libvirtd virtlogd \
        qemu-system-x86_64; do
        command -v "$program" >/dev/null || lacks "$program is not installed"
    done
fi
# shellcheck source=tools/lib/venv.sh
. tools/lib/venv.sh
vhard_venv "$PWD" >&2
if [ "$name" = reporter ] && ! "$VENV/bin/python" -c 'import libvirt' \
    2>/dev/null; then
    "$VENV/bin/python" -m pip install --quiet --editable "${PWD}[libvirt]" ||
        lacks "libvirt-python cannot be installed"
fi
exec "$VENV/bin/python" -m "$module" "$@"
