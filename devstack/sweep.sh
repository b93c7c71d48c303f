#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sweep every five minutes, as nova-vhard-sweep.timer does elsewhere:
# devstack's run_process has services, no timers.
#
#   sweep.sh COMMAND CONFIG_FILE HOURS
set -uo pipefail

# The sleep is waited for, so that a stop is obeyed at once.
pause=
trap 'kill $pause 2>/dev/null; exit 0' TERM INT

while true; do
    "$1" --config-file "$2" sweep --max-report-age "$3"
    sleep 300 &
    pause=$!
    wait "$pause"
done
