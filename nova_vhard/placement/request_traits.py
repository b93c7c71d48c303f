# SPDX-License-Identifier: Apache-2.0
"""Reports on devices and requests for them, as traits of the root provider.

They are not on the devices' own providers, because nova-compute replaces the
traits of those. On the root provider, it keeps traits that it does not know.
"""

from collections.abc import Collection, Mapping

from nova_vhard.catalogue import device_words
from nova_vhard.placement.client import Placement

#: Address of a device to the words that are asked for it.
Asked = Mapping[str, frozenset[str]]


def asked(placement: Placement, root: str) -> Asked:
    """Return what operators ask for devices of a host.

    :param root: uuid of its root provider
    :raises PlacementError: without an answer that makes sense
    """
    requests: dict[str, frozenset[str]] = {}
    for trait in placement.traits_of(root)[0]:
        address, word = device_words.device_of(trait) or ("", "")
        if device_words.request_of(word):
            requests[address] = requests.get(address, frozenset()) | {word}
    return requests


def latest(words: Collection[str]) -> tuple[frozenset[str], int | None]:
    """Return the requests for the latest generation, and that generation.

    :param words: requests for one device: ``FORCED_G17``
    :returns: names (device_words.REQUESTS), and the generation of the device's
        provider that they are for; no names and None if no request has a
        generation
    """
    requests = [device_words.request_of(word) for word in words]
    bound = {
        (generation, name)
        for name, generation in filter(None, requests)
        if generation is not None
    }
    if not bound:
        return frozenset(), None
    newest = max(bound)[0]
    return frozenset(name for at, name in bound if at == newest), newest


def take(placement: Placement, root: str, choices: Asked) -> None:
    """Remove requests from a host, before they are carried out.

    A request that is carried out but not removed would be carried out again,
    after the next use of the device.

    :raises PlacementError: if they were not removed; do not carry them out
    """
    gone = {
        device_words.of_device(address, word)
        for address, words in choices.items()
        for word in words
    }
    if gone:
        placement.update(root, lambda ours: ours - gone, device_words.DEVICE)


def tell(placement: Placement, root: str, words: Mapping[str, str]) -> None:
    """Write why devices are unavailable; remove the reasons of all others.

    :param words: address to a word
    :raises PlacementError: if that failed
    """
    wanted = {device_words.of_device(*item) for item in words.items()}

    def mend(ours: frozenset[str]) -> Collection[str]:
        """Return the traits with the requests that are wanted."""
        requests = {
            trait
            for trait in ours
            if device_words.request_of(
                (device_words.device_of(trait) or ("", ""))[1]
            )
        }
        return requests | wanted

    # A device that came after the host was enrolled may have no names.
    placement.update(root, mend, device_words.DEVICE, partly=True)
