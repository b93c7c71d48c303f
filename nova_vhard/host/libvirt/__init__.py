# SPDX-License-Identifier: Apache-2.0
"""libvirt's daemons, their settings, and the domains they run."""
