# SPDX-License-Identifier: Apache-2.0
"""Hostile requests, and a service that they are sent to.

Requests are WSGI environments: written down, and from a seed. The service is
in a process of its own, with the gate and without.

A service's module has a function ``find``, which yields findings; the first
one warms the service up. Both applications are loaded from one configuration
and share its databases, which are put back before each request. They log to a
file, as in production.
"""

import gc
import io
import json
import multiprocessing
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import requests
import webob

from tests.benchmarks import common
from tests.benchmarks.abuse_cost import Cost, Finding
from tests.fuzz.mutate import Hang, Mutator, _nodes, patience
from tests.fuzz.service import environment, sent

JSON = "application/json"
MIB = 1 << 20
#: Number of measurements of a request; one that takes ``SLOW_S`` is the last.
TRIES, SLOW_S = 3, 0.5

#: A request: its name, its WSGI environment and its body.
Case = tuple[str, dict[str, Any], bytes]


def case(
    name: str, method: str, path: str, body: Any, kind: str = JSON, **more: str
) -> Case:
    """Return a request; a body that is not bytes is sent as JSON.

    :param more: other keys of the WSGI environment
    """
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return name, environment(method, path, raw, kind) | more, raw


def filled(entry: Callable[[int], Any], size: int) -> list[Any]:
    """Return as many entries as take so many bytes of JSON."""
    made: list[Any] = []
    while size > 0:
        made.append(entry(len(made)))
        size -= len(json.dumps(made[-1])) + 2
    return made[:-1]


def seeded(
    odd: Callable[[Mutator], tuple[dict[str, Any], bytes]],
    count: int,
    prefix: str,
    most: int,
) -> Iterator[Case]:
    """Yield odd requests; every other one has grown.

    :param odd: returns the environment and the body of one
    :param prefix: of the names
    :param most: bytes of a body
    """
    for number in range(count):
        mutator = Mutator(number)
        environ, body = odd(mutator)
        if number % 2:
            body = grown(mutator, body, most)
            environ["CONTENT_LENGTH"] = str(len(body))
        more = {name: x for name, x in environ.items() if name.isupper()}
        base = environment("POST", "/", body, JSON)
        yield f"{prefix}_random_{number}", base | more, body


def grown(mutator: Mutator, body: bytes, most: int) -> bytes:
    """Return a JSON body with a place made large; any other as it is.

    A string or a list's items are repeated, or a value under new keys.

    :param most: bytes of what is returned, about
    """
    try:
        tree = json.loads(body)
        places = [
            (node, key)
            for node in _nodes(tree)
            for key in (node if isinstance(node, dict) else range(len(node)))
        ]
        node, key = mutator.one_of(places)
        value, size = node[key], most - len(body)
        if isinstance(value, str) and value and mutator.chance(0.3):
            node[key] = value * (size // len(json.dumps(value)))
        elif isinstance(node, list):
            node += filled(lambda _: value, size)
        else:
            times = size // (len(json.dumps([key, value])) + 8)
            node |= {f"{key}{number}": value for number in range(times)}
        return json.dumps(tree).encode()
    except (ValueError, LookupError, RecursionError):
        # No JSON, no place, or nested so deep that it is hostile already.
        return body


def finding(name: str, *spends: Callable[[], Cost]) -> Finding:
    """Measure a request with the gate and without, and show the result.

    The cheapest of a few tries counts: other load and occasional log lines of
    the service only add to the cost.
    """
    costs = []
    for spend in spends:
        tries = [spend()]
        while len(tries) < TRIES and tries[-1].cpu_s < SLOW_S:
            tries.append(spend())
        size = min(each.size for each in tries)
        fast = min(tries, key=lambda each: each.cpu_s)
        costs.append(replace(fast, size=size))
    result = Finding(name, *costs)
    common.progress(str(result))
    return result


def clocked(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of this process in a call, and its result."""
    gc.collect()  # of garbage of earlier requests
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def found(
    apps: tuple[Any, Any],
    log: Path,
    databases: Iterable[Path],
    token: str,
    cases: Iterable[Case],
) -> Iterator[Finding]:
    """Yield the costs of requests to a service.

    :param apps: with the gate, and without
    :param databases: SQLite files, which are restored before each request
    :param token: for requests without a token
    """
    kept = {each: each.with_suffix(".kept") for each in databases}
    for file, copy in kept.items():
        shutil.copy(file, copy)
    log.touch()
    lookups = []
    send = requests.adapters.HTTPAdapter.send

    def counted(*words: Any, **more: Any) -> Any:
        lookups.append(words)
        return send(*words, **more)

    requests.adapters.HTTPAdapter.send = counted

    def spend(app: Any, environ: dict[str, Any], body: bytes) -> Cost:
        for file, copy in kept.items():
            shutil.copy(copy, file)
        lookups.clear()
        logged, errors = log.stat().st_size, io.StringIO()
        made = {"HTTP_X_AUTH_TOKEN": token, **sent(environ, body)}
        made["wsgi.errors"] = errors
        seconds, (status, size) = clocked(partial(answered, app, made))
        size += len(errors.getvalue()) + log.stat().st_size - logged
        return Cost(seconds, size, status, len(lookups))

    for name, environ, body in cases:
        yield finding(
            name, *(partial(spend, app, environ, body) for app in apps)
        )


def answered(app: Any, environ: dict[str, Any]) -> tuple[int, int]:
    """Return the status of an answer and its bytes.

    A server answers 500 to what comes out of the whole pipeline; that stands
    for no answer in time, too.
    """
    try:
        with patience():
            answer = webob.Request(environ).get_response(app)
            return answer.status_int, len(answer.body)
    except (Exception, Hang):
        return 500, 0


def run(module: str, directory: Path, **settings: Any) -> list[Finding]:
    """Run a service's module in a new process, and return its findings.

    :param settings: for the module
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(_run, module, directory, settings).result()


def _run(module: str, home: Path, settings: dict[str, Any]) -> list[Finding]:
    os.dup2(2, 1)  # output of the service is not a figure
    os.chdir(home)
    warnings.simplefilter("ignore")
    findings = import_module(module).find(home, **settings)
    next(findings)
    gc.freeze()  # a collection skips permanent objects
    return list(findings)
