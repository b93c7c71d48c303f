#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Benchmarks; each prints one JSON object.
#
#   tools/bench.sh abuse|audit|boots|filter|glance|guard|nova-api|placement|policy|reporter|scale|scheduler|schema|server-audit|weight|all|compare [--check]
# Several that are named run one after the other; the exit status is the first
# that is not 0.
#
# With --check it exits 1 and ends with the line that falls short if a bar is
# missed. reporter needs root and what tests/host/prepare.sh installs, boots
# needs MariaDB and RabbitMQ, placement and scale MariaDB; where something of it is missing it says so and
# exits 2.
#
#   tools/bench.sh all [NAME ...]
#
# runs every benchmark, or those that are named, and writes what it finds onto
# the page of figures. "compare" holds the ratios of a few rounds to those.
set -euo pipefail
cd -P "$(dirname "$0")/.."
case "${1:-}:${2:-}" in
    all:* | compare:* | *: | *:-*) ;;
    *)
        names=()
        while [ $# -gt 0 ] && [[ $1 != -* ]]; do
            names+=("$1")
            shift
        done
        status=0
        for name in "${names[@]}"; do
            "tools/${0##*/}" "$name" "$@" || status=$((status ? status : $?))
        done
        exit "$status"
        ;;
esac
case "${1:-}" in
    abuse) module=tests.benchmarks.abuse ;;
    audit) module=tests.benchmarks.image_audit ;;
    boots) module=tests.benchmarks.boots ;;
    filter) module=tests.benchmarks.filter_cost ;;
    glance) module=tests.benchmarks.glance_gate ;;
    guard) module=tests.benchmarks.guard_cost ;;
    nova-api) module=tests.benchmarks.nova_gate ;;
    placement) module=tests.benchmarks.placement_load ;;
    policy) module=tests.benchmarks.policy_cost ;;
    reporter) module=tests.benchmarks.reporter_cost ;;
    scale) module=tests.benchmarks.scale ;;
    scheduler) module=tests.benchmarks.scheduler_cost ;;
    schema) module=tests.benchmarks.schema_gate ;;
    server-audit) module=tests.benchmarks.server_audit ;;
    weight) module=tests.benchmarks.weight ;;
    all) module=tests.benchmarks.everything ;;
    compare) module=tests.benchmarks.compare ;;
    *)
        sed -n 's/^# *\(tools.*check.$\)/usage: \1/p' "$0" >&2
        exit 2
        ;;
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
extra=
case $name in
    boots | placement | scale) extra=integration ;;
esac
vhard_venv "$PWD" "$extra" >&2
if [ "$name" = reporter ] && ! "$VENV/bin/python" -c 'import libvirt' \
    2>/dev/null; then
    (vhard_venv "$PWD" libvirt >&2) ||
        lacks "libvirt-python cannot be installed"
fi
# Services have their packages compiled, and so has a gate.
unset PYTHONDONTWRITEBYTECODE
# The cloud is in tools; libraries keep lists of entry points in a cache.
export PYTHONPATH=$PWD/tools XDG_CACHE_HOME=$VENV/cache
case $name in
    all) exec "$VENV/bin/python" -m "$module" "$@" ;;
    compare) set -- --check "$@" ;;
esac
exec "$VENV/bin/python" -m tests.benchmarks "$module" "$@"
