#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Renew tests/versions/newest.txt, the constraints of the tests: resolve the
# newest releases of all dependencies of all extras, show what changes, and keep
# the result if tools/test.sh passes.
#
#   tox -e pins [-- pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

pins=tests/versions/newest.txt
new=$PWD/.cache/newest.txt
mkdir -p .cache
# tox, codespell and doc8 are in no extra. Not paramiko: Tempest, which is an
# extra, and the tools of other environments want different versions.
{
    sed -n '/^#/p' "$pins"
    printf '%s\n' tox codespell doc8 | uv pip compile --quiet --upgrade \
        --universal --python-version 3.11 --no-header --no-annotate \
        --no-emit-package paramiko --all-extras \
        setup.cfg doc/requirements.txt -
} >"$new"
if cmp -s "$pins" "$new"; then
    echo "No version has changed: $pins"
    exit
fi
echo "Versions that change:"
{ diff "$pins" "$new" || true; } |
    sed -n 's/^</was  /p; s/^>/now  /p' | sort -s -t = -k 1.6,1
TOX_CONSTRAINTS_FILE=$new tools/test.sh "$@" || {
    echo "tools/test.sh fails; $pins is unchanged. To repeat:" \
        "TOX_CONSTRAINTS_FILE=$new tools/test.sh" >&2
    exit 1
}
mv "$new" "$pins"
echo "Renewed: $pins"
