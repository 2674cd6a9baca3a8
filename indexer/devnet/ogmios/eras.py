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

_UPDATED_IN_CONWAY: Final = (
    "stakePoolVotingThresholds",
    "constitutionalCommitteeMinSize",
    "constitutionalCommitteeMaxTermLength",
    "governanceActionLifetime",
    "governanceActionDeposit",
    "delegateRepresentativeVotingThresholds",
    "delegateRepresentativeDeposit",
    "delegateRepresentativeMaxIdleTime",
    "plutusCostModels",
    "minFeeReferenceScripts",
)
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
            committee: dict[str, Any] = {"members": [], "quorum": "2/3"}
            return {
                "era": era,
                "constitution": _CONSTITUTION,
                "constitutionalCommittee": committee,
                "updatableParameters": {name: parameters[name] for name in _UPDATED_IN_CONWAY},
            }
    raise LookupError(f"This devnet has no genesis configuration of {era}.")
