#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Renew tests/versions/newest.txt, the constraints of the tests: resolve the
# newest release of all that an environment with every extra contains, show
# which versions change, and take them if tools/test.sh passes on them.
#
#   tox -e pins [-- pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

pins=tests/versions/newest.txt
new=$PWD/.cache/newest.txt
mkdir -p .cache
# What the environments of tox need besides the extras comes after them. Not
# paramiko: Tempest, which is an extra, and compliance-trestle disagree on it.
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
    sed -n 's/^</was  /p; s/^>/now  /p' | sort -k 2,2
TOX_CONSTRAINTS_FILE=$new tools/test.sh "$@" || {
    echo "tools/test.sh fails on them, so $pins is unchanged." >&2
    exit 1
}
mv "$new" "$pins"
echo "Renewed: $pins"
