# SPDX-License-Identifier: Apache-2.0
"""An attestor's configuration, and a verifier."""

import pytest

from nova_vhard.conf import attestor as attestor_conf
from tests.unit.attestor import verifier as verifiers
from tests.unit.helpers import configured


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    verifiers.make_certificates(folder)
    return folder


@pytest.fixture
def verifier(certificates):
    with verifiers.serving(certificates) as serving:
        yield serving


@pytest.fixture
def conf():
    return configured(attestor_conf)


@pytest.fixture
def keylime_conf(conf, verifier, certificates):
    for name, value in {
        "keylime_url": verifier.url,
        "keylime_ca_file": str(certificates / "ca.crt"),
        "keylime_cert_file": str(certificates / "client.crt"),
        "keylime_key_file": str(certificates / "client.key"),
    }.items():
        conf.set_override(name, value, "vhard_attestor")
    return conf
