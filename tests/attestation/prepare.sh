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
    # What its tool reads boot event logs with.
    libefivar1t64
)

# shellcheck source=tests/debian.sh
. "$(dirname "$0")/../debian.sh"
need_root_on_debian
find_missing "${wanted[@]}"
install_packages "${missing[@]}"
# What the cloud of tools/cloud.sh needs.
"$(dirname "$0")/../integration/prepare.sh"
