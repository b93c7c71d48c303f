# SPDX-License-Identifier: Apache-2.0
"""Certificates for QEMU."""

import subprocess

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_AUTHORITY = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign",
)
_LEAF = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,keyEncipherment",
    "subjectAltName=IP:127.0.0.1,DNS:localhost",
)


def _certificate(folder, name, extensions, *signer):
    """Make a key and a certificate for two days, as QEMU names them."""
    added = [word for each in extensions for word in ("-addext", each)]
    key = folder / f"{name}-key.pem"
    command = ["openssl", "req", "-x509", *_KEY, "-days", "2"]
    command += ["-subj", f"/CN={name}", *added, *signer, "-keyout", key]
    command += ["-out", folder / f"{name}-cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    # QEMU's user reads them.
    key.chmod(0o644)


def make(folder):
    """Make an authority, and what it signs for a server and a client."""
    _certificate(folder, "ca", _AUTHORITY)
    by = ("-CA", folder / "ca-cert.pem", "-CAkey", folder / "ca-key.pem")
    for name in ("server", "client"):
        _certificate(folder, name, _LEAF, *by)
