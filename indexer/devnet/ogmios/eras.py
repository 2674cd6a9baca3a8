"""The genesis of eras after Shelley. A devnet starts in Conway, so they say what is so from the first block on."""

from collections.abc import Mapping
from typing import Any, Final

_UPDATED_IN_ALONZO: Final = (
    "minUtxoDepositCoefficient",
    "collateralPercentage",
    "plutusCostModels",
    "maxCollateralInputs",
    "maxExecutionUnitsPerBlock",
    "maxExecutionUnitsPerTransaction",
    "maxValueSize",
    "scriptExecutionPrices",
)

# As mainnet's Conway genesis has them; nobody votes here.
_MAJORITY: Final = {"default": "51/100", "stateOfNoConfidence": "51/100"}
_POOL_THRESHOLDS: Final = {
    "noConfidence": "51/100",
    "constitutionalCommittee": _MAJORITY,
    "hardForkInitiation": "51/100",
    "protocolParametersUpdate": {"security": "51/100"},
}
_DREP_THRESHOLDS: Final = {
    "noConfidence": "67/100",
    "constitution": "3/4",
    "constitutionalCommittee": {"default": "67/100", "stateOfNoConfidence": "3/5"},
    "hardForkInitiation": "3/5",
    "protocolParametersUpdate": {
        "network": "67/100",
        "economic": "67/100",
        "technical": "67/100",
        "governance": "3/4",
    },
    "treasuryWithdrawals": "67/100",
}
_CONSTITUTION: Final = {
    "metadata": {"url": "https://devnet.invalid/constitution", "hash": 64 * "0"},
    "guardrails": None,
}


def genesis_of(era: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to `queryNetwork/genesisConfiguration`. Raises LookupError with the reason where there is none.

    `parameters` are those of the ledger, as Ogmios shows them.
    """
    match era:
        case "alonzo":
            return {"era": era, "updatableParameters": {name: parameters[name] for name in _UPDATED_IN_ALONZO}}
        case "conway":
            updatable = {
                "stakePoolVotingThresholds": _POOL_THRESHOLDS,
                "constitutionalCommitteeMinSize": 7,
                "constitutionalCommitteeMaxTermLength": 146,
                "governanceActionLifetime": 6,
                "governanceActionDeposit": {"ada": {"lovelace": 100_000_000_000}},
                "delegateRepresentativeVotingThresholds": _DREP_THRESHOLDS,
                "delegateRepresentativeDeposit": {"ada": {"lovelace": 500_000_000}},
                "delegateRepresentativeMaxIdleTime": 20,
                "plutusCostModels": {"plutus:v3": parameters["plutusCostModels"]["plutus:v3"]},
                "minFeeReferenceScripts": parameters["minFeeReferenceScripts"],
            }
            committee: dict[str, Any] = {"members": [], "quorum": "2/3"}
            return {
                "era": era,
                "constitution": _CONSTITUTION,
                "constitutionalCommittee": committee,
                "updatableParameters": updatable,
            }
    raise LookupError(f"This devnet has no genesis configuration of {era}.")
