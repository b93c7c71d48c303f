#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lint, types, import rules, unit and functional tests, from a fresh checkout:
# needs Python 3.11 to 3.13 with venv, no root, and writes inside the checkout
# only.
#
#   tools/test.sh [pytest arguments]
#
# All steps run; failures are listed at the end.
# With NOVA_VHARD_FORBID_SKIPS=1 a skipped step or test is a failure.
set -euo pipefail
cd -P "$(dirname "$0")/.."
# shellcheck source=tools/lib/venv.sh
. tools/lib/venv.sh
vhard_tmp "$PWD"
vhard_venv "$PWD"

forbid=${NOVA_VHARD_FORBID_SKIPS:-0}
failed=()
# step NAME COMMAND...   run it; if it fails, its first error is the reason
step() {
    local name=$1 out
    shift
    echo "-- $name"
    if out=$("$@" 2>&1); then
        printf '%s\n' "$out"
        return
    fi
    printf '%s\n' "$out"
    failed+=("FAILED $name - $(grep -m 1 -E '[Ee]rror|BROKEN|Would|:[0-9]+:' \
        <<<"$out" || head -n 1 <<<"$out")")
}

bin="$VENV/bin"
step "lint" "$bin/ruff" check --output-format concise .
step "format" "$bin/ruff" format --check .
step "types" "$bin/mypy"
step "import rules" "$bin/lint-imports" --no-cache
if command -v shellcheck >/dev/null; then
    step "shell" shellcheck -f gcc -x tools/*.sh tools/lib/*.sh .ci/run .ci/stage \
        devstack/*.sh devstack/settings devstack/override-defaults \
        deploy/packages/*.sh tests/*.sh tests/attestation/*.sh \
        tests/deploy/*.sh tests/devstack/*.sh \
        tests/emulated/*.sh tests/host/*.sh tests/integration/*.sh \
        tests/qemu/*.sh
else
    echo "-- skipped: shell: shellcheck is not installed"
    [ "$forbid" = 0 ] || failed+=("FAILED shell - shellcheck is not installed")
fi
[ "$forbid" = 0 ] || set -- --forbid-skips "$@"
# One process per core and one more, because tests also wait. The tests of a cloud stay
# together, and those of a file, because services are expensive to start. The
# small files of tests/unit come last, so that all processes end at the same time.
# Many tests start Python programs: keep the bytecode.
unset PYTHONDONTWRITEBYTECODE
export PYTEST_XDIST_AUTO_NUM_WORKERS=${PYTEST_XDIST_AUTO_NUM_WORKERS:-$(($(nproc) + 1))}
status=$((${#failed[@]} > 0))
echo "-- unit and functional tests"
"$bin/python" -m pytest -o faulthandler_timeout=600 \
    -n auto --dist loadgroup --no-loadscope-reorder "$@" || status=$?
[ "${#failed[@]}" = 0 ] || printf '%s\n' "${failed[@]}"
exit "$status"
