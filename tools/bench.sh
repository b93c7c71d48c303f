#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Benchmarks; each prints one JSON object.
#
#   tools/bench.sh audit|filter|glance|nova-api [--check]
#
# With --check it exits 1 and ends with the line that falls short if a bar is
# missed.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
    echo "usage: tools/bench.sh audit|filter|glance|nova-api [--check]" >&2
    exit 2
}
case "${1:-}" in
    audit) module=tests.benchmarks.image_audit ;;
    filter) module=tests.benchmarks.filter_cost ;;
    glance) module=tests.benchmarks.glance_gate ;;
    nova-api) module=tests.benchmarks.nova_gate ;;
    *) usage ;;
esac
shift
# shellcheck source=tools/lib/venv.sh
. tools/lib/venv.sh
vhard_venv "$PWD" >&2
exec "$VENV/bin/python" -m "$module" "$@"
