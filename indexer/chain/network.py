"""The networks we know by heart, so that following them needs no ledger-state query."""

from dataclasses import dataclass, replace
from typing import Final

from indexer.chain.time import Era

MAINNET_NETWORK_ID: Final = 1
TEST_NETWORK_ID: Final = 0


@dataclass(frozen=True, slots=True)
class Network:
    """A network: its name, its magic number, k (blocks a fork can be deep), its eras.

    k and the eras are None and empty while only the node knows them.
    """

    name: str
    magic: int
    security_parameter: int | None = None
    eras: tuple[Era, ...] = ()

    @property
    def id(self) -> int:
        """The network id in addresses: 1 for mainnet, 0 for every other."""
        return MAINNET_NETWORK_ID if self.magic == KNOWN["mainnet"].magic else TEST_NETWORK_ID

    def told(self, security_parameter: int, eras: tuple[Era, ...]) -> "Network":
        """The same network with what its node said of it."""
        return replace(self, security_parameter=security_parameter, eras=eras)


# Shelley genesis files and the Byron to Shelley boundary of each network: Byron slots last 20 s.
KNOWN: Final = {
    "mainnet": Network(
        "mainnet",
        764824073,
        2160,
        (Era(0, 1_506_203_091_000, 20_000), Era(4_492_800, 1_596_059_091_000, 1_000)),
    ),
    "preprod": Network("preprod", 1, 2160, (Era(0, 1_654_041_600_000, 20_000), Era(86_400, 1_655_769_600_000, 1_000))),
    "preview": Network("preview", 2, 432, (Era(0, 1_666_656_000_000, 1_000),)),
    "devnet": Network("devnet", 42),
}


def network_of(name_or_magic: str | int) -> Network:
    """A network by name or by magic number. Raises ValueError for a name we do not know."""
    for network in KNOWN.values():
        if name_or_magic in (network.name, network.magic, str(network.magic)):
            return network
    if isinstance(name_or_magic, int) or name_or_magic.isdigit():
        return Network(str(name_or_magic), int(name_or_magic))
    raise ValueError(f"unknown network {name_or_magic!r}: {', '.join(KNOWN)}, or a magic number")
