"""Refusals of nothing in particular: for each code of a submission, data of the shape that Ogmios gives."""

from collections.abc import Mapping
from typing import Any, Final

from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.sentences import refusal

AS_ASKED: Final = "As asked for: the devnet rejects this submission without looking at it."

_KEY: Final = "11" * 32
_CREDENTIAL: Final = "22" * 28
_HASH: Final = "33" * 32
_COIN: Final = {"transaction": {"id": _HASH}, "index": 0}
_POINTER: Final = {"purpose": "spend", "index": 0}
_ADDRESS: Final = "addr_test1vqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxrcya6"
_ACCOUNT: Final = "stake_test1uqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxtxu2s"
_POOL: Final = "pool1yg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyczjpls"
_MEMBER: Final = {"id": _CREDENTIAL, "from": "verificationKey"}
_REPRESENTATIVE: Final = {"type": "registered", **_MEMBER}
_VOTER: Final = {"role": "delegateRepresentative", **_MEMBER}
_PROPOSAL: Final = {"transaction": {"id": _HASH}, "index": 0}
_UNITS: Final = {"memory": 20_000_000, "cpu": 20_000_000_000}


def _ada(lovelace: int) -> Mapping[str, Any]:
    return {"ada": {"lovelace": lovelace}}


def _bytes(count: int) -> Mapping[str, Any]:
    return {"bytes": count}


_OUTPUT: Final = {"address": _ADDRESS, "value": _ada(1)}

DATA: Final[Mapping[int, Any]] = {
    -32602: {"conway": "invalid or incomplete value of type 'Transaction': end of input"},
    3004: {"reason": f"Unknown transaction input (missing from UTxO set): {_HASH}#0"},
    3005: {"queryEra": "babbage", "ledgerEra": "conway"},
    3100: {"invalidSignatories": [_KEY]},
    3101: {"missingSignatories": [_CREDENTIAL]},
    3102: {"missingScripts": [_CREDENTIAL]},
    3103: {"failingNativeScripts": [_CREDENTIAL]},
    3104: {"extraneousScripts": [_CREDENTIAL]},
    3105: {"metadata": {"hash": _HASH}},
    3106: {"metadata": {"hash": _HASH}},
    3107: {"provided": {"hash": _HASH}, "computed": {"hash": _KEY}},
    3108: None,
    3109: {"missingRedeemers": [{"purpose": "spend", "outputReference": _COIN}]},
    3110: {"extraneousRedeemers": [_POINTER]},
    3111: {"missingDatums": [_HASH]},
    3112: {"extraneousDatums": [_HASH]},
    3113: {"providedScriptIntegrity": _HASH, "computedScriptIntegrity": None},
    3114: {"orphanScriptInputs": [_COIN]},
    3115: {"missingCostModels": ["plutus:v2"]},
    3116: {"malformedScripts": [_CREDENTIAL]},
    3117: {"unknownOutputReferences": [_COIN]},
    3118: {"validityInterval": {"invalidBefore": 0, "invalidAfter": 1}, "currentSlot": 2},
    3119: {"measuredTransactionSize": _bytes(16_385), "maximumTransactionSize": _bytes(16_384)},
    3120: {"excessivelyLargeOutputs": [_OUTPUT]},
    3121: None,
    3122: {"minimumRequiredFee": _ada(2), "providedFee": _ada(1)},
    3123: {"valueConsumed": _ada(2), "valueProduced": _ada(1)},
    3124: {"expectedNetwork": "testnet", "discriminatedType": "address", "invalidEntities": [_ADDRESS]},
    3125: {"insufficientlyFundedOutputs": [{"output": _OUTPUT, "minimumRequiredValue": _ada(2)}]},
    3126: {"bootstrapOutputs": [_OUTPUT]},
    3127: None,
    3128: {"providedCollateral": _ada(1), "minimumRequiredCollateral": _ada(2)},
    3129: {"unsuitableCollateralInputs": [_COIN]},
    3130: {"unforeseeableSlot": 2},
    3131: {"maximumCollateralInputs": 3, "countedCollateralInputs": 4},
    3132: None,
    3133: {"unsuitableCollateralValue": {**_ada(1), _CREDENTIAL: {"": 1}}},
    3134: {"providedExecutionUnits": _UNITS, "maximumExecutionUnits": {"memory": 16_500_000, "cpu": 10_000_000_000}},
    3135: {"declaredTotalCollateral": _ada(2), "computedTotalCollateral": _ada(1)},
    3136: {"declaredSpending": "inputs", "mismatchReason": "The transaction failed unexpectedly."},
    3137: {"unauthorizedVotes": [{"proposal": _PROPOSAL, "voter": _VOTER}]},
    3138: {"unknownProposals": [_PROPOSAL]},
    3139: None,
    3140: {"unknownStakePool": _POOL},
    3141: {"incompleteWithdrawals": {_ACCOUNT: _ada(1)}},
    3142: {"currentEpoch": 1, "declaredEpoch": 100, "firstInvalidEpoch": 20},
    3143: {"minimumStakePoolCost": _ada(2), "declaredStakePoolCost": _ada(1)},
    3144: {"infringingStakePool": {"id": _POOL}, "computedMetadataHashSize": _bytes(33)},
    3145: {"knownCredential": _CREDENTIAL, "from": "verificationKey"},
    3146: {"unknownCredential": _CREDENTIAL, "from": "verificationKey"},
    3147: {"nonEmptyRewardAccountBalance": _ada(1)},
    3148: None,
    3149: None,
    3150: {"marginalizedCredentials": [_CREDENTIAL]},
    3151: {"providedDeposit": _ada(1), "expectedDeposit": _ada(2)},
    3152: {"knownDelegateRepresentative": _REPRESENTATIVE},
    3153: {"unknownDelegateRepresentative": _REPRESENTATIVE},
    3154: {"unknownConstitutionalCommitteeMember": _MEMBER},
    3155: {"providedDeposit": _ada(1), "expectedDeposit": _ada(2)},
    3156: {"conflictingMembers": [_MEMBER]},
    3157: {"alreadyRetiredMembers": [_MEMBER]},
    3158: {"providedWithdrawal": _ada(2), "computedWithdrawal": _ada(1)},
    3159: {
        "invalidOrMissingPreviousProposals": [
            {
                "metadata": {"url": "https://example.org", "hash": _HASH},
                "type": "constitution",
                "invalidPreviousProposal": _PROPOSAL,
            }
        ]
    },
    3160: {"invalidVotes": [{"proposal": _PROPOSAL, "voter": _VOTER}]},
    3161: {"budgetUsed": _UNITS},
    3162: {"proposedVersion": {"major": 13, "minor": 0}, "currentVersion": {"major": 11, "minor": 0}},
    3163: {"providedHash": _CREDENTIAL, "expectedHash": None},
    3164: {"conflictingReferences": [_COIN]},
    3165: None,
    3166: {"measuredReferenceScriptsSize": _bytes(204_801), "maximumReferenceScriptsSize": _bytes(204_800)},
    3167: {"unknownVoters": [_VOTER]},
    3168: None,
    3169: {"output": _OUTPUT},
    3170: {"poolId": _POOL, "alreadyRegisteredVrfKey": _HASH},
    3997: {"error": AS_ASKED},
    3998: None,
}


def example(code: int) -> Refusal:
    """A refusal with this code: Ogmios' sentence where the devnet knows it, and data where Ogmios has some. A code that
    Ogmios does not have is told, too."""
    data = DATA.get(code)
    try:
        return refusal(code, data)
    except KeyError:
        return Refusal(code, AS_ASKED, data)
