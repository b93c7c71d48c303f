# SPDX-License-Identifier: Apache-2.0
"""Cost of the scheduler's gate, compared to Nova's own filters.

Microseconds a host through ``filter_all`` (processor time), on Nova's own
HostStates; and the fixed cost of a request (one host; elapsed time), under
policies with one and with 10,000 exemptions, compared to what Nova takes to
pack and unpack the same request for its way to the scheduler.  The request of
the fixed cost is one that an exemption lets through, so that exemptions are
really looked for.  There is no bar in microseconds, which would be one for the
machine.  Events and log lines are written to a file, as in a service.

``…_to_reading_10000_ratio`` is what the hosts of a request take, which is a
request for 10,000 less one for a single host, beside the reading of one
attribute of every HostState by a list comprehension, which no filter that
looks at hosts can do without.  Between two requests a scheduler does much
else: before each, caches are filled with other things.  In Placement's answer
no string is the very object that a HostState has.
"""

import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nova import exception
from nova.objects import base as objects_base
from nova.scheduler.filters import (
    all_hosts_filter,
    compute_capabilities_filter,
    image_props_filter,
)
from oslo_serialization import jsonutils

from tests.benchmarks import common, filter_fleet

CLEAN = {
    "hw_architecture": "x86_64",
    "hw_vm_mode": "hvm",
    "img_hv_type": "kvm",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_machine_type": "q35",
}
IDE = {**CLEAN, "hw_disk_bus": "ide"}
E1000 = {**CLEAN, "hw_disk_bus": "ide", "hw_vif_model": "e1000"}

GATES = ("vhard", "vhard_refused", "vhard_posture")
PEER = "image_properties"
MANY = 10000
ROUNDS = 21
GATE_REPEATS = 10
QUICK_ROUNDS = 9
FIXED_ROUNDS = 3000
READING_PAIRS = 40

BARS = {
    "vhard_times_faster_than_image_properties_10000_ratio": {"at_least": 30},
    "vhard_refused_times_faster_than_image_properties_10000_ratio": {
        "at_least": 30
    },
    # If a policy requires checks, every request reads the marks of each host:
    # nothing is cached between requests. The bar is the lowest result on a
    # quiet machine, 7.4 to 11.9 times, less the variation between runs;
    # image_properties, the peer, varies most.
    "vhard_posture_times_faster_than_image_properties_10000_ratio": {
        "at_least": 6
    },
    "vhard_to_reading_10000_ratio": {"at_most": 1.5, "width": 0.2},
    "vhard_posture_to_reading_10000_ratio": {"at_most": 7, "width": 0.4},
    "vhard_refused_to_reading_10000_ratio": {"at_most": 1.5, "width": 0.2},
    # 0.44 to 0.51 of it on machines of different speed.
    "fixed_*_to_message_ratio": {"at_most": 0.6, "width": 0.05},
    "fixed_exemptions_ratio": {"at_most": 1.25},
}
SERIALIZER = objects_base.NovaObjectSerializer()
#: More than a processor's own caches.
_MUCH = bytearray(96 << 20)


Clock = Callable[[], float]


def timed(
    filter_: Any,
    hosts: list[Any],
    spec: Any,
    clock: Clock = time.thread_time,
    refused: bool = False,
) -> float:
    """Return the seconds that a filter takes to let every host pass.

    :param clock: the processor's time unless told otherwise: what other
        processes take is not the filter's
    :param refused: whether the request must be refused: no host passes
    """
    passed: list[Any] = []
    start = clock()
    with contextlib.suppress(exception.NoValidHost):
        passed = list(filter_.filter_all(hosts, spec))
    taken = clock() - start
    wanted = 0 if refused else len(hosts)
    assert len(passed) == wanted, type(filter_).__name__
    return taken


def sent(spec: Any) -> float:
    """Return the seconds that Nova takes to pack and unpack a request."""
    start = time.perf_counter()
    packed = SERIALIZER.serialize_entity(spec._context, spec)
    text = jsonutils.dumps(packed)
    SERIALIZER.deserialize_entity(spec._context, jsonutils.loads(text))
    return time.perf_counter() - start


def runs_at(
    gate: Any, posture: Any, hosts: list[Any]
) -> dict[str, Callable[[], float]]:
    """Return one run of every filter, by its name in the figures.

    :param posture: our filter under a policy that requires a check
    """
    posture._hosts._posture = filter_fleet.posture(hosts)
    clean, e1000 = filter_fleet.spec(CLEAN), filter_fleet.spec(E1000)
    peers = {
        "vhard": gate,
        "vhard_posture": posture,
        PEER: image_props_filter.ImagePropertiesFilter(),
        "compute_capabilities": (
            compute_capabilities_filter.ComputeCapabilitiesFilter()
        ),
        "all_hosts": all_hosts_filter.AllHostsFilter(),
    }
    return {
        "vhard_refused": partial(timed, gate, hosts, e1000, refused=True),
        **{
            name: partial(timed, each, hosts, clean)
            for name, each in peers.items()
        },
    }


def repeated(run: Callable[[], float], times: int) -> list[float]:
    """Return the duration of each run."""
    return [run() for _ in range(times)]


def filters_at(
    gate: Any, posture: Any, number: int, rounds: int = ROUNDS
) -> common.Figures:
    """Return every filter's figure at one size of the fleet.

    The filters take turns, so that a busy moment of the machine is nobody's
    alone; the cheap ones have more turns.
    """
    common.progress(f"{number} hosts …")
    hosts = filter_fleet.hosts(number)
    runs = {
        name: partial(repeated, run, GATE_REPEATS if name in GATES else 1)
        for name, run in runs_at(gate, posture, hosts).items()
    }
    samples = {
        name: list(itertools.chain(*taken))
        for name, taken in common.in_turns(runs, rounds).items()
    }
    each = {name: statistics.median(all_) for name, all_ in samples.items()}
    figures: common.Figures = {
        f"{name}_{number}_us_per_host": round(taken / number * 1e6, 4)
        for name, taken in each.items()
    }
    for name in GATES:
        faster = f"{name}_times_faster_{{}}_{number}_ratio"
        figures[faster.format(f"than_{PEER}")] = round(
            each[PEER] / each[name], 1
        )
        # The fastest runs: on a busy machine, a fast filter loses more time
        # to cold caches than a slow one.
        figures[faster.format("at_best")] = round(
            min(samples[PEER]) / min(samples[name]), 1
        )
    return figures


def read_uuids(hosts: list[Any]) -> float:
    """Return the seconds that one attribute of every host takes."""
    start = time.thread_time()
    uuids = [host.uuid for host in hosts]
    taken = time.thread_time() - start
    assert len(uuids) == len(hosts)
    return taken


def cold(run: Callable[[], float]) -> float:
    """Return the seconds of a run that finds nothing in caches."""
    bytes(_MUCH)
    return run()


def beside_reading(
    gates: Sequence[Any], alone: Sequence[Any], number: int
) -> common.Figures:
    """Return what hosts take beside the reading of one attribute of each.

    :param gates: our filter, and under a policy that requires a check
    :param alone: the same two for a single host: each knows its own fleet
    """
    common.progress(f"beside reading {number} hosts …")
    hosts = filter_fleet.hosts(number)
    many, few = runs_at(*gates, hosts), runs_at(*alone, hosts[:1])
    figures: common.Figures = {}
    for name in GATES:
        runs = (many[name], few[name], partial(read_uuids, hosts))
        took = common.in_turns(
            {index: partial(cold, run) for index, run in enumerate(runs)},
            READING_PAIRS,
        )
        ratio = common.median_ratio(
            (all_ - one, reading)
            for all_, one, reading in zip(*took.values(), strict=True)
        )
        figures |= ratio.figures(f"{name}_to_reading_{number}_ratio")
    return figures


def fixed(item: Any, many: Any) -> common.Figures:
    """Return the fixed cost of a request, under one and many exemptions."""
    common.progress("fixed cost …")
    one, all_ = "fixed_1_exemption", "fixed_10000_exemptions"
    hosts = filter_fleet.hosts(1)
    ide = filter_fleet.spec(IDE)
    samples = common.in_turns(
        {
            one: partial(timed, item, hosts, ide, time.perf_counter),
            all_: partial(timed, many, hosts, ide, time.perf_counter),
            "message": partial(sent, ide),
        },
        FIXED_ROUNDS,
        warm_up=0,
    )
    figures: common.Figures = {
        f"{name}_us": common.median_us(each) for name, each in samples.items()
    }
    for name in (one, all_):
        ratio = f"{name}_to_message_ratio"
        figures |= common.ratio(samples, name, "message", ratio)
    growth = figures[f"{all_}_us"] / figures[f"{one}_us"]
    return {**figures, "fixed_exemptions_ratio": round(growth, 3)}


def measure() -> common.Figures:
    """Return all figures."""
    single, proven = filter_fleet.policy_text(1), filter_fleet.PROVEN
    small, large = filter_fleet.SIZES
    with tempfile.TemporaryDirectory() as folder:
        gate = partial(filter_fleet.gate, Path(folder))
        filter_fleet.write_logs_to(Path(folder, "nova-scheduler.log"))
        gates = gate(single), gate(proven)
        common.progress(f"a policy with {MANY} exemptions …")
        many = gate(filter_fleet.policy_text(MANY))
        return {
            **fixed(gates[0], many),
            **filters_at(*gates, small),
            **filters_at(*gates, large),
            **beside_reading(gates, (gate(single), gate(proven)), large),
        }


def quick() -> common.Figures:
    """Return the figures of the small fleet, from a few rounds."""
    with tempfile.TemporaryDirectory() as folder:
        gate = partial(filter_fleet.gate, Path(folder))
        filter_fleet.write_logs_to(Path(folder, "nova-scheduler.log"))
        one, proven = filter_fleet.policy_text(1), filter_fleet.PROVEN
        small = filter_fleet.SIZES[0]
        return filters_at(gate(one), gate(proven), small, QUICK_ROUNDS)
