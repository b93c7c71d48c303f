#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Starts real Nova, Placement and Glance on loopback, with the gates of this
# project in their pipelines, and plays a story through the real clients.
#
#   tools/demo.sh                  exit status 0: every step passed
#   tools/demo.sh --without-gates  the same without the gates: no gate refuses
#                                  anything, and the exit status is 1
#   tools/demo.sh --walk           from installed to enforcing and back, with
#                                  a thousand images
#
# Needs Python 3.11, 3.12 or 3.13 and its module venv; nothing else, and no
# root. Writes only into the checkout: .venv, .demo, .cache, and what an
# editable installation leaves there (all of it ignored by git).

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=tools/lib/venv.sh
source "$root/tools/lib/venv.sh"

vhard_tmp "$root"
vhard_venv "$root"
PYTHONPATH=$root/tools exec "$VENV/bin/python" -m story "$@"
