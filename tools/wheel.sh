#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build the wheel, install it outside of the checkout, and run what it brings:
# what is only in the checkout, or is missing from setup.cfg, fails here. The
# other packages are those of .venv (tools/test.sh makes it).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

place=$(mktemp -d "${TMPDIR:-/tmp}/nova-vhard-wheel.XXXXXX")
# What an older build has left there would be in the wheel, too.
trap 'rm -rf "$place" "$root/build/lib"' EXIT
rm -rf "$root/build/lib"
"$root/.venv/bin/python" -m venv --without-pip "$place/venv"
"$root/.venv/bin/python" -m pip wheel --quiet --disable-pip-version-check \
    --no-deps --wheel-dir "$place" "$root"
"$root/.venv/bin/python" -m pip --python "$place/venv/bin/python" install \
    --quiet --disable-pip-version-check --no-deps "$place"/*.whl

# Before that of the new environment, which so finds all but the package there.
PYTHONPATH=$("$root/.venv/bin/python" -c \
    'import sysconfig; print(sysconfig.get_path("purelib"))')
export PYTHONPATH OS_NOVA_DISABLE_EVENTLET_PATCHING=1
cd "$place"
bin=$place/venv/bin

"$bin/python" -c '
import sys
from nova_vhard.gates import scheduler
assert scheduler.__file__.startswith(sys.prefix), scheduler.__file__
print("the filter:", scheduler.VirtHardeningFilter.__name__)'

printf 'version: "1"\nextends: strict\n' >policy.yaml
"$bin/python" -m openstackclient.shell vhard policy check policy.yaml

# 0 or 1: what the checks say of this machine is not asked here.
"$bin/nova-vhard-reporter" check >report.txt || [ $? = 1 ]
grep -q iommu report.txt
echo "the reporter: $(wc -l <report.txt) lines"
