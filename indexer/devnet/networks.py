"""What a node says of its network: magic, genesis, eras."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from indexer.chain.point import Slot
from indexer.errors import IndexerError

MAINNET: Final = 764824073


class NetworkUnknown(IndexerError):
    """A replay was asked to pass for a network that we know nothing of."""

    code = "devnet.network_unknown"
    hint = "use mainnet, preprod, preview or devnet"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Network:
    """A network's fixed facts. All but the devnet make a block every 20 slots, on average."""

    magic: int
    k: int
    start: datetime
    byron_epochs: int | None  # of 10k slots of 20 s; None for a network that never knew Byron
    slots_per_block: int = 20
    slot_milliseconds: int = 1000  # since Shelley

    @property
    def epoch_length(self) -> int:
        """Slots of an epoch, since Shelley."""
        return 10 * self.k * self.slots_per_block

    @property
    def safe_zone(self) -> int:
        """Slots past the tip in which no hard fork can come, since Shelley."""
        return 3 * self.k * self.slots_per_block

    @property
    def shelley(self) -> dict[str, Any]:
        """The bound at which slots of one second begin."""
        epoch = self.byron_epochs or 0
        slot = epoch * 10 * self.k
        return {"time": {"seconds": slot * 20}, "slot": slot, "epoch": epoch}

    def epoch(self, slot: Slot) -> tuple[int, int]:
        """The epoch of a slot, and which slot of the epoch it is."""
        first = self.shelley
        if slot < first["slot"]:
            return divmod(slot, 10 * self.k)
        epochs, rest = divmod(slot - first["slot"], self.epoch_length)
        return first["epoch"] + epochs, rest

    def eras(self, tip: Slot) -> list[dict[str, Any]]:
        """The answer to `eraSummaries`: Byron, and one for all that came after, up to the forecast's end."""
        first = self.shelley
        safe = self.safe_zone
        epoch = max(self.epoch(tip + safe)[0], first["epoch"]) + 1
        end = first["slot"] + (epoch - first["epoch"]) * self.epoch_length
        last = {"time": {"seconds": self._seconds(end)}, "slot": end, "epoch": epoch}
        later = {"start": first, "end": last, "parameters": _era(self.epoch_length, self.slot_milliseconds, safe)}
        if self.byron_epochs is None:
            return [later]
        start = {"time": {"seconds": 0}, "slot": 0, "epoch": 0}
        return [{"start": start, "end": first, "parameters": _era(10 * self.k, 20_000, 2 * self.k)}, later]

    def _seconds(self, slot: Slot) -> int | float:
        """When a slot since Shelley begins, in seconds after the start."""
        first = self.shelley
        milliseconds = (slot - first["slot"]) * self.slot_milliseconds
        whole, rest = divmod(milliseconds, 1000)
        begin: int = first["time"]["seconds"]
        since: int | float = whole if rest == 0 else milliseconds / 1000
        return begin + since

    def genesis(
        self, start: datetime, security_parameter: int, funds: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """The Shelley genesis: parameters are mainnet's; there are no delegates and no pools.

        `funds` is lovelace by address, as text; the funds of a network that is not ours are left out.
        """
        return {
            "era": "shelley",
            "startTime": iso(start),
            "networkMagic": self.magic,
            "network": "mainnet" if self.magic == MAINNET else "testnet",
            "activeSlotsCoefficient": f"1/{self.slots_per_block}",
            "securityParameter": security_parameter,
            "epochLength": self.epoch_length,
            "slotsPerKesPeriod": 129600,
            "maxKesEvolutions": 62,
            "slotLength": {"milliseconds": self.slot_milliseconds},
            "updateQuorum": 5,
            "maxLovelaceSupply": 45_000_000_000_000_000,
            "initialParameters": {
                "minFeeCoefficient": 44,
                "minFeeConstant": _ada(155_381),
                "maxBlockBodySize": {"bytes": 65_536},
                "maxBlockHeaderSize": {"bytes": 1100},
                "maxTransactionSize": {"bytes": 16_384},
                "stakeCredentialDeposit": _ada(2_000_000),
                "stakePoolDeposit": _ada(500_000_000),
                "stakePoolRetirementEpochBound": 18,
                "desiredNumberOfStakePools": 150,
                "stakePoolPledgeInfluence": "3/10",
                "minStakePoolCost": _ada(340_000_000),
                "monetaryExpansion": "3/1000",
                "treasuryExpansion": "1/5",
                "federatedBlockProductionRatio": "1/1",
                "extraEntropy": "neutral",
                "minUtxoDepositConstant": _ada(1_000_000),
                "minUtxoDepositCoefficient": 0,
                "version": {"major": 2, "minor": 0},
            },
            "initialDelegates": [],
            "initialFunds": {address: _ada(lovelace) for address, lovelace in (funds or {}).items()},
            "initialStakePools": {"stakePools": {}, "delegators": {}},
        }


def _era(epoch: int, milliseconds: int, safe: int) -> dict[str, Any]:
    return {"epochLength": epoch, "slotLength": {"milliseconds": milliseconds}, "safeZone": safe}


NETWORKS: Final = {
    "mainnet": Network(MAINNET, 2160, datetime(2017, 9, 23, 21, 44, 51, tzinfo=UTC), 208),
    "preprod": Network(1, 2160, datetime(2022, 6, 1, tzinfo=UTC), 4),
    "preview": Network(2, 432, datetime(2022, 10, 25, tzinfo=UTC), 0),
    "devnet": Network(42, 40, datetime(2026, 1, 1, tzinfo=UTC), None, slots_per_block=5),
}


def guess_network(paths: Iterable[Path]) -> str:
    """The network that recordings are from, by how their files' names begin; else `devnet`."""
    prefixes = {path.name.partition("-")[0] for path in paths}
    name = prefixes.pop() if len(prefixes) == 1 else ""
    return name if name in NETWORKS else "devnet"


def _ada(lovelace: int) -> dict[str, Any]:
    return {"ada": {"lovelace": lovelace}}


def iso(moment: datetime) -> str:
    """A moment as a node writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
