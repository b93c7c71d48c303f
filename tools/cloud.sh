#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A real cloud on loopback, of separate processes, for a person to try things
# on: MariaDB, RabbitMQ, Keystone, Placement, Glance, Cinder, Neutron, and Nova
# with three computes (fake driver), with the gates of this project.
#
#   tools/cloud.sh up      starts it, and says how to use it; with
#                          --dashboard there is Horizon, too; with --libvirt
#                          two of the computes start QEMU, by a libvirt of
#                          their own with the guard (as root); with
#                          --without-gates Nova and Glance are as they ship
#   tools/cloud.sh play    plays the story of tools/demo.sh on it
#   tools/cloud.sh status  what runs; exit status 0 if everything does
#   tools/cloud.sh down    stops it and removes .cloud
#
# Needs root once: apt-get install rabbitmq-server mariadb-server qemu-utils. For
# the rest no root is needed. Writes only into the checkout: .venv, .cloud.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=tools/lib/venv.sh
source "$root/tools/lib/venv.sh"

vhard_venv "$root" integration
case " $* " in *' --dashboard '*) vhard_venv "$root" dashboard ;; esac
# Libraries keep lists of entry points there, by default in the home directory.
export XDG_CACHE_HOME=$VENV/cache
PYTHONPATH=$root/tools exec "$VENV/bin/python" -m cloud "$@"
