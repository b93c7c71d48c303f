# SPDX-License-Identifier: Apache-2.0
"""Words about devices on the root provider: what is told, what is asked.

nova-compute replaces the traits of the devices' own providers and leaves
those of the root alone that it does not know.
"""

from collections.abc import Collection, Mapping

from nova_vhard.catalogue import traits
from nova_vhard.placement.client import Placement, PlacementError

#: Address of a device to the words that are asked for it.
Asked = Mapping[str, frozenset[str]]


def asked(placement: Placement, root: str) -> Asked:
    """Return what operators ask for devices of a host.

    :param root: uuid of its root provider
    :raises PlacementError: without an answer that makes sense
    """
    found: dict[str, frozenset[str]] = {}
    for trait in placement.traits_of(root)[0]:
        address, word = traits.device_of(trait) or ("", "")
        if word in traits.REQUESTS:
            found[address] = found.get(address, frozenset()) | {word}
    return found


def take(placement: Placement, root: str, wishes: Asked) -> None:
    """Take requests off a host, before they are done.

    One that is done and still there would be done again, for another use.

    :raises PlacementError: if that did not work out: then none may be done
    """
    gone = {
        traits.of_device(address, word)
        for address, words in wishes.items()
        for word in words
    }
    if gone:
        placement.update(root, lambda ours: ours - gone, traits.DEVICE)
        _forget(placement, gone)


def tell(placement: Placement, root: str, words: Mapping[str, str]) -> None:
    """Tell why devices are not to be had; of all others nothing.

    :param words: address to a word
    :raises PlacementError: if that did not work out
    """
    wanted = {traits.of_device(*item) for item in words.items()}

    def mend(ours: frozenset[str]) -> Collection[str]:
        requests = {
            one
            for one in ours
            if (traits.device_of(one) or ("", ""))[1] in traits.REQUESTS
        }
        return requests | wanted

    change = placement.update(root, mend, traits.DEVICE)
    _forget(placement, change.removed)


def _forget(placement: Placement, gone: Collection[str]) -> None:
    """Delete names that nobody needs; those of other hosts stay."""
    for name in sorted(gone):
        try:
            placement.delete_trait(name)
        except PlacementError:
            return  # only tidiness: the next one tries again
