"""The codes that Ogmios refuses transactions with, and what follows from each (Ogmios' manual, section 8.2 of ours)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What follows from a refusal."""

    DONE = "done"  # perhaps it is on the chain already: look for its id there and in the mempool before anything else
    WAIT = "wait"  # the same bytes may be good later
    REBUILD = "rebuild"  # read coins, parameters and slot anew, build anew, sign anew
    FATAL = "fatal"  # built wrong: trying again gives the same
    UNKNOWN = "unknown"  # nobody knows: stop, and tell a person


@dataclass(frozen=True, slots=True)
class Rule:
    """A code: its name, what follows, a sentence, and what to do about it."""

    name: str
    verdict: Verdict
    sentence: str
    hint: str

    def but(self, verdict: Verdict, hint: str) -> "Rule":
        """The same with another verdict, where the data say more than the code."""
        return replace(self, verdict=verdict, hint=hint)


_HINTS: Final = {
    Verdict.DONE: "look whether it is on the chain already; if it is not, build it anew",
    Verdict.WAIT: "send the same transaction again later",
    Verdict.REBUILD: "run the command again: the transaction is then built from what the chain says now",
    Verdict.FATAL: "a bug of whoever built it: report it, with the code and the message",
}
_TABLE: Final = {
    # What cannot be read or handled at all.
    -32602: ("undecodable", Verdict.FATAL, "the node cannot decode the transaction"),
    -32600: ("invalid request", Verdict.FATAL, "Ogmios does not understand the request"),
    -32603: ("internal error", Verdict.WAIT, "Ogmios had an error of its own"),
    # Evaluation.
    3000: ("incompatible era", Verdict.FATAL, "the transaction is of an era that the node cannot evaluate"),
    3001: ("unsupported era", Verdict.FATAL, "scripts of the transaction's era cannot be evaluated"),
    3002: ("overlapping outputs", Verdict.REBUILD, "outputs given along are on the ledger already, and differ there"),
    3003: ("node too old", Verdict.WAIT, "the node's ledger is in an older era: it has to catch up first"),
    3004: (
        "no script context",
        Verdict.REBUILD,
        "no script can be shown the transaction: an input or time is unknown",
    ),
    3005: ("era mismatch", Verdict.WAIT, "the transaction and the node's ledger are of different eras"),
    3010: ("scripts failed", Verdict.FATAL, "scripts of the transaction said no"),
    3011: ("missing script", Verdict.FATAL, "a script of the transaction is not there"),
    3012: ("script failed", Verdict.FATAL, "a script of the transaction said no"),
    3013: ("redeemer without script", Verdict.FATAL, "a redeemer points to an input that no script guards"),
    # Signatures, scripts, metadata.
    3100: ("invalid signatures", Verdict.FATAL, "a signature of the transaction is wrong"),
    3101: ("missing signatures", Verdict.FATAL, "a signature of the transaction is missing"),
    3102: ("missing scripts", Verdict.FATAL, "a script of the transaction is missing"),
    3103: (
        "native script fails",
        Verdict.REBUILD,
        "a native script does not agree: a signature or the time lacks",
    ),
    3104: ("extraneous scripts", Verdict.FATAL, "the transaction shows a script that nobody needs"),
    3105: ("metadata hash missing", Verdict.FATAL, "the transaction has metadata without their hash"),
    3106: ("metadata missing", Verdict.FATAL, "the transaction has the hash of metadata without them"),
    3107: ("metadata hash mismatch", Verdict.FATAL, "the hash of the transaction's metadata is wrong"),
    3108: ("invalid metadata", Verdict.FATAL, "the transaction's metadata are invalid"),
    3109: ("missing redeemers", Verdict.FATAL, "a redeemer of the transaction is missing"),
    3110: ("extraneous redeemers", Verdict.FATAL, "a redeemer of the transaction points at nothing"),
    3111: ("missing datums", Verdict.FATAL, "a datum that the transaction needs is missing"),
    3112: ("extraneous datums", Verdict.FATAL, "the transaction shows a datum that nobody needs"),
    3113: ("script integrity", Verdict.REBUILD, "the cost models that the transaction was built with have changed"),
    3114: ("script input without datum", Verdict.FATAL, "the transaction spends an output of a script without a datum"),
    3115: ("missing cost models", Verdict.FATAL, "the network has no cost model for a script of the transaction"),
    3116: ("malformed scripts", Verdict.FATAL, "a script of the transaction is malformed"),
    # What it spends and makes.
    3117: ("unknown inputs", Verdict.DONE, "the transaction spends or refers to outputs that are not there (any more)"),
    3118: ("outside validity", Verdict.DONE, "the transaction's time is over, or has not come"),
    3119: ("transaction too large", Verdict.FATAL, "the transaction is too large"),
    3120: ("value too large", Verdict.FATAL, "an output holds too many tokens"),
    3121: ("no inputs", Verdict.FATAL, "the transaction spends nothing"),
    3122: ("fee too small", Verdict.REBUILD, "the fee is too small"),
    3123: ("not conserved", Verdict.REBUILD, "what goes out is not what comes in"),
    3124: ("wrong network", Verdict.FATAL, "the transaction pays to another network"),
    3125: ("output too small", Verdict.REBUILD, "an output holds less than the network's minimum of ada"),
    3126: ("bootstrap attributes", Verdict.FATAL, "a Byron address of the transaction is too long"),
    3127: ("mints ada", Verdict.FATAL, "the transaction mints ada"),
    3128: ("collateral too small", Verdict.REBUILD, "the collateral is too small"),
    3129: ("collateral of a script", Verdict.REBUILD, "the collateral is locked by a script"),
    3130: ("beyond the forecast", Verdict.REBUILD, "the transaction is valid for longer than the node can foresee"),
    3131: ("too many collaterals", Verdict.FATAL, "the transaction has too many collaterals"),
    3132: ("no collateral", Verdict.FATAL, "the transaction runs scripts without collateral"),
    3133: ("collateral not of ada", Verdict.REBUILD, "the collateral holds tokens"),
    3134: ("units above the limit", Verdict.REBUILD, "the scripts of the transaction may use more than is allowed"),
    3135: ("collateral mismatch", Verdict.FATAL, "the collateral is not as much as the transaction says"),
    3136: ("validity tag", Verdict.FATAL, "a script of the transaction said no"),
    # Stake, pools, votes: nothing of ours.
    3137: ("unauthorised votes", Verdict.FATAL, "the transaction votes without the right to"),
    3138: ("unknown proposals", Verdict.FATAL, "the transaction votes on what is not proposed"),
    3139: ("parameters update", Verdict.FATAL, "the transaction proposes parameters that are invalid"),
    3140: ("unknown pool", Verdict.FATAL, "the transaction names a stake pool that is unknown"),
    3141: ("incomplete withdrawals", Verdict.REBUILD, "the transaction withdraws other rewards than there are"),
    3142: ("pool retirement too late", Verdict.FATAL, "the transaction retires a pool too late"),
    3143: ("pool cost too low", Verdict.FATAL, "the transaction registers a pool that costs too little"),
    3144: ("pool metadata too large", Verdict.FATAL, "the transaction registers a pool with too much metadata"),
    3145: ("already registered", Verdict.REBUILD, "the transaction registers a credential that is registered"),
    3146: ("not registered", Verdict.REBUILD, "the transaction names a credential that is not registered"),
    3147: ("account not empty", Verdict.REBUILD, "the transaction gives up an account that holds rewards"),
    3148: ("genesis delegation", Verdict.FATAL, "the transaction delegates a genesis key"),
    3149: ("instantaneous rewards", Verdict.FATAL, "the transaction moves instantaneous rewards"),
    3150: ("no delegate", Verdict.FATAL, "the transaction withdraws rewards of somebody who has delegated no vote"),
    3151: ("deposit mismatch", Verdict.FATAL, "a deposit of the transaction is wrong"),
    3152: ("known delegate", Verdict.FATAL, "the transaction registers a delegate who is registered"),
    3153: ("unknown delegate", Verdict.FATAL, "the transaction names an unknown delegate"),
    3154: ("unknown committee member", Verdict.FATAL, "the transaction names an unknown member of the committee"),
    3155: ("proposal deposit mismatch", Verdict.FATAL, "the deposit of a proposal is wrong"),
    3156: ("conflicting committee", Verdict.FATAL, "the transaction adds and removes one member of the committee"),
    3157: ("committee already retired", Verdict.FATAL, "the transaction adds members of the committee for the past"),
    3158: ("treasury mismatch", Verdict.FATAL, "the transaction names another treasury than there is"),
    3159: ("previous proposal", Verdict.FATAL, "a proposal follows none that it could follow"),
    3160: ("votes on expired proposals", Verdict.FATAL, "the transaction votes on what has expired"),
    3161: ("budget exhausted", Verdict.REBUILD, "a script of the transaction used more than was declared for it"),
    3162: ("protocol version", Verdict.FATAL, "a proposal names a protocol version that cannot follow"),
    3163: ("constitution guardrails", Verdict.FATAL, "a proposal names other guardrails than the constitution"),
    3164: ("input is a reference", Verdict.FATAL, "the transaction spends an output that it also refers to"),
    3165: ("unauthorised governance", Verdict.FATAL, "the transaction does what is not allowed in this phase"),
    3166: ("reference scripts too large", Verdict.FATAL, "the scripts that the transaction refers to are too large"),
    3167: ("unknown voters", Verdict.FATAL, "the transaction names unknown voters"),
    3168: ("empty treasury withdrawal", Verdict.FATAL, "a proposal withdraws nothing from the treasury"),
    3169: ("pointer in collateral return", Verdict.FATAL, "the collateral returns to an address with a pointer"),
    3170: ("repeated VRF key", Verdict.FATAL, "the transaction registers a pool with the key of another"),
    # The mempool.
    3997: ("mempool", Verdict.WAIT, "the mempool did not take the transaction"),
    3998: ("unrecognised certificate", Verdict.FATAL, "the node does not know a certificate of the transaction"),
}
RULES: Final[Mapping[int, Rule]] = {
    code: Rule(name, verdict, sentence, _HINTS[verdict]) for code, (name, verdict, sentence) in _TABLE.items()
}
