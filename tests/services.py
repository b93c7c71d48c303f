# SPDX-License-Identifier: Apache-2.0
"""The Nova that is installed: how it has threads, and what it lacks."""

import contextlib
import importlib.metadata
import os
import sys

import pytest


def _version() -> int:
    """Return the first number of Nova's version; 0 without Nova."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return int(importlib.metadata.version("nova").partition(".")[0])
    return 0


NOVA = _version()

#: The first one whose own test fixtures run its services on native threads.
THREADS = 34

#: What the catalogue and the samples were written from; older ones know less.
NEWEST = 34


def choose_threads(services: bool = False) -> None:
    """Import Nova on native threads, where it can run on them.

    Nova chooses when its tests are first imported, and wants to do so before
    anything else looks for eventlet.

    :param services: whether Nova's services are to run: those of Nova 31
        cannot do without eventlet, nor can the test fixtures of 32 and 33.
        Tests without them are kept apart then

    What was chosen first in a process stands.
    """
    if "nova.tests.functional" in sys.modules:
        return
    if NOVA >= THREADS or not services:
        os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "1")
    else:
        # What it imports takes eventlet's sockets for broken ones.
        import hypothesis  # noqa: F401
    with contextlib.suppress(ImportError):
        from nova import monkey_patch

        # The tests of Nova 32 come too late to it; importing is enough in 31.
        if NOVA > 31:
            monkey_patch.patch()
        import nova.tests.functional  # noqa: F401
    if not services:
        keep_http_server()


def keep_http_server() -> None:
    """Keep http.server on native threads, independent of later imports.

    eventlet.wsgi, which older Glances import, creates a copy of http.server
    and leaves it in the package, where ``http.server.HTTPServer`` finds it.
    The copy has green locks: waiting for such a server on a native thread to
    end takes forever.
    """
    import http.server

    if NOVA < THREADS:
        with contextlib.suppress(ImportError):
            import eventlet.wsgi  # noqa: F401
    http.server = sys.modules["http.server"]


def needs_nova(oldest: int, why: str) -> pytest.MarkDecorator:
    """Skip a test by name on an older Nova.

    :param why: what the older ones lack
    """
    return pytest.mark.skipif(0 < NOVA < oldest, reason=_lacks(why))


def skip_before(oldest: int, why: str) -> None:
    """Skip the test that is running, as ``needs_nova`` does."""
    if 0 < NOVA < oldest:
        pytest.skip(_lacks(why))


def _lacks(why: str) -> str:
    return f"Nova {NOVA} lacks it: {why}"


def needs_threads(why: str) -> pytest.MarkDecorator:
    """Skip a test by name where Nova's services run under eventlet.

    :param why: what does not run there
    """
    return pytest.mark.skipif(
        0 < NOVA < THREADS, reason=f"Nova {NOVA} under eventlet: {why}"
    )
