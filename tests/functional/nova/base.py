# SPDX-License-Identifier: Apache-2.0
"""Nova's own services and API with our two gates in them.

Nova's fixtures run API, conductor, scheduler and computes against the real
Placement in this process; Glance, Neutron and Cinder are Nova's in-memory
fakes.  The API is built by paste from Nova's *shipped* file.  Only the check
of the token is Nova's stand-in (``OSAPIFixture``): ``keystonecontext`` stays
in the pipeline and puts ``nova.context`` into the environment from headers.
"""

import warnings
from pathlib import Path
from typing import Any

import fixtures
import nova.conf
from futurist import _thread
from nova.tests.functional import integrated_helpers
from nova.tests.functional.libvirt import base as libvirt_base
from paste import deploy
from sqlalchemy.exc import SADeprecationWarning

from nova_vhard.conf import vhard as vhard_conf
from tests.functional.nova import images, quick, service
from tests.functional.nova.helpers import Helpers
from tests.functional.nova.shared import OneCloud

CONF = nova.conf.CONF
quick.install()


class Gates(OneCloud, Helpers):
    """Puts the gates into Nova's configuration, before Nova starts.

    :cvar POLICY: what follows service.HEADER in the policy file
    :cvar API_GATE: paste filter factory; None for a cloud without that gate
    :cvar FILTER: class of the scheduler's gate; None for a cloud without it
    """

    POLICY = ""
    API_GATE: str | None = service.GATE
    FILTER: str | None = service.FILTER
    microversion = "latest"
    # A cast is a cast, as in a cloud: its failure is not the caller's.
    CAST_AS_CALL = False

    def setUp(self) -> None:
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.policy_file = self.directory / "policy.yaml"
        self._configure()
        super().setUp()
        # Nova's tests set it, too.
        _thread.ThreadWorker.MAX_IDLE_FOR = quick.IDLE_SECONDS
        # Nova's fixture turns SQLAlchemy's deprecations into errors, for
        # Nova's developers; a cloud does not.
        quiet = warnings.catch_warnings()
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        warnings.simplefilter("ignore", SADeprecationWarning)
        self.stub_out(
            "nova.image.glance.GlanceClientWrapper.call",
            images.client_call(lambda: self.glance),
        )
        self.addCleanup(self.settle)

    def _configure(self) -> None:
        vhard_conf.register(CONF)
        self.write_policy(self.POLICY)
        self.flags(
            policy_file=str(self.policy_file),
            state_path=str(self.directory / "state"),
            group="vhard",
        )
        (self.directory / "state").mkdir()
        paste = service.paste_file(
            self.directory / "api-paste.ini",
            service.SWITCHED_GATE if self.FILTER else self.API_GATE,
        )
        self.flags(api_paste_config=str(paste), group="wsgi")
        if self.FILTER:
            stock = CONF.filter_scheduler.enabled_filters
            self.flags(
                available_filters=[service.STOCK_FILTERS, self.FILTER],
                enabled_filters=[self.FILTER.rpartition(".")[2], *stock],
                group="filter_scheduler",
            )

    @staticmethod
    def load_app(paste: Path) -> Any:
        """Return Nova's compute API, as another worker would have it."""
        quick.router.cache_clear()
        return deploy.loadapp(f"config:{paste}", name="osapi_compute")

    def worker(self, **options: Any) -> Any:
        """Return the API as a worker that starts now has it, and options.

        :param options: of the gates
        """
        self.flags(**options, group="vhard")
        return self.load_app(self.directory / "api-paste.ini")

    def without_gate(self) -> Any:
        """Return the same API without our gate, on the same databases."""
        return self.load_app(
            service.paste_file(self.directory / "plain.ini", None)
        )

    def _clear_attrs(self) -> None:
        """Leave pytest's own attributes alone; Nova would delete them."""


class FakeDriverCase(Gates, integrated_helpers._IntegratedTestBase):
    """Computes with Nova's FakeDriver: quick, and every operation works."""

    CLOUD = "fake driver"
    HOSTS: tuple[str, ...] = ("host1",)

    def setUp(self) -> None:
        self.share(self._start_services)

    def _start_services(self) -> None:
        self.flags(compute_driver="fake.MediumFakeDriver")
        super().setUp()

    def _setup_compute_service(self) -> None:
        """Start no compute yet: tests differ in them."""

    def start_hosts(self) -> None:
        """Start the computes."""
        for host in self.HOSTS:
            self._start_compute(host)


class LibvirtCase(Gates, libvirt_base.ServersTestBase):
    """One compute with Nova's libvirt driver on a fake libvirt.

    The domain XML that it makes is the witness of what the guest gets.
    """

    CLOUD = "libvirt"

    def setUp(self) -> None:
        self.share(super().setUp)

    def start_hosts(self) -> None:
        """Start the compute."""
        self.start_compute("compute1")


def text(response: Any) -> str:
    """Return the explanation in one of Nova's error bodies."""
    ((_, fault),) = response.json.items()
    return str(fault["message"])
