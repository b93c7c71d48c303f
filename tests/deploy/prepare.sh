#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As root on Debian: install what the packages are built with, and what those
# packages say that they need, so that they run on Debian's own libraries.
set -euo pipefail

wanted=(
    # dpkg-buildpackage, as deploy/packages/debian/control says.
    debhelper dh-python dpkg-dev fakeroot pybuild-plugin-pyproject
    python3-all python3-setuptools python3-sphinx python3-wheel
    # rpmbuild, and the sdist that both begin with.
    git python3-pip rpm
    # A fresh root, in which both are installed.
    mmdebstrap
    # The module for SELinux.
    checkpolicy semodule-utils
    # The gates.
    python3-glanceclient python3-jsonschema
    python3-keystoneauth1 python3-oslo.config python3-oslo.context python3-oslo.utils
    python3-packaging python3-webob python3-yaml
    # The node.
    libvirt-clients python3-openstacksdk python3-oslo.log
    python3-oslo.upgradecheck python3-prettytable python3-prometheus-client
    python3-pyelftools python3-stevedore
    # The client, the exporter and the attestor.
    python3-cliff python3-jinja2 python3-openstackclient python3-osc-lib
    python3-oslo.messaging python3-requests
)

# shellcheck source=tests/debian.sh
. "$(dirname "$0")/../debian.sh"
need_root_on_debian
find_missing "${wanted[@]}"
install_packages "${missing[@]}"
