#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what Keylime's verifier and a TPM of software need
# that is not on PyPI. Its gpg is for Debian's own Python.
#
#   tests/attestation/prepare.sh
set -euo pipefail

wanted=(
    # A TPM, and what speaks to it.
    swtpm tpm2-tools
    # What Keylime imports, and what it makes certificates with.
    python3-gpg openssl
)

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$0: needs root on Debian" >&2
    exit 2
fi
missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null ||
        true)
    [ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
echo "Installing ${missing[*]}"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    "${missing[@]}"
