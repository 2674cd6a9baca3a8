"""What each client is given, and what it has to see: a fork, a wallet's transactions, a mempool, refusals."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pycardano  # type: ignore[import-untyped]

from indexer.devnet.genesis import FUNDS
from indexer.devnet.node import Node
from indexer.devnet.recording import Block
from tests.contract.parameters import SOURCE
from tests.support.spending import REFUSES
from tests.unit.devnet.ledger.test_healthy import HOME, LOCK, PLUTUS, SKEY, UNITS, VKEY, VOID, Offline, paid
from tests.unit.devnet.payments import transaction_id

RICH: Final = 100_000_000  # lovelace of each coin that the wallet is given
HELD: Final = 5_000_000  # lovelace behind the script
NOTE: Final = {"msg": ["hello"], "many": 2**63}
MEAN: Final = {"constructor": 1}, {"a constructor": 1}, {"__proto__": 1}  # the TypeScript client has trouble with them

Json = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """What stands on a prepared node, and what a wallet made for it. Transactions are those of pycardano, as bytes."""

    gifts: list[str]  # the transactions of the first block
    holding: bytes  # that of the second: output 0 is behind a script, output 1 carries the script
    payment: bytes
    spending: bytes  # of what the script holds
    failing: bytes  # its script refuses
    bad: Mapping[str, bytes]  # by what is wrong

    @property
    def both(self) -> list[str]:
        """The ids of what is submitted, in order."""
        return [id_of(self.payment), id_of(self.spending)]


def prepare(node: Node) -> Scenario:
    """Two blocks, and what a wallet makes of them: the same for every new node."""
    gifts = [node.faucet(bytes(HOME.to_primitive()), RICH).hex() for _ in range(3)]
    node.make_block()
    first, second, third = (coin(id_, paid(amount=RICH)) for id_ in gifts)

    held, carrier = paid(LOCK, HELD, datum=VOID), paid(script=PLUTUS)
    holding = built(builder(first).add_output(held).add_output(carrier))
    node.submit(holding)
    node.make_block()

    spending = builder(third)
    spending.add_script_input(
        coin(id_of(holding), held), script=coin(id_of(holding), carrier, 1), redeemer=pycardano.Redeemer(VOID, UNITS)
    )
    spending.collaterals.append(third)

    refuses = pycardano.PlutusV3Script(REFUSES)
    failing = builder(third)
    failing.mint = pycardano.MultiAsset.from_primitive({bytes(pycardano.plutus_script_hash(refuses)): {b"no": 1}})
    failing.add_minting_script(refuses, pycardano.Redeemer(VOID, UNITS))
    failing.collaterals.append(third)

    paying = builder(second).add_output(paid())
    notes = {674: NOTE, **dict(enumerate(MEAN))}
    paying.auxiliary_data = pycardano.AuxiliaryData(pycardano.AlonzoMetadata(metadata=pycardano.Metadata(notes)))
    payment = built(paying)
    return Scenario(gifts, holding, payment, built(spending), built(failing), bad(payment, third))


def bad(payment: bytes, other: Any) -> dict[str, bytes]:
    """What no node takes; `other` is a coin that is there."""
    unsigned, cheap = (pycardano.Transaction.from_cbor(payment) for _ in range(2))
    unsigned.transaction_witness_set = pycardano.TransactionWitnessSet()
    body = cheap.transaction_body
    body.fee, body.outputs[-1].amount.coin = 1, body.outputs[-1].amount.coin + body.fee - 1
    witness = pycardano.VerificationKeyWitness(VKEY, SKEY.sign(body.hash()))
    cheap.transaction_witness_set = pycardano.TransactionWitnessSet(vkey_witnesses=[witness])
    unknown = built(builder(other, coin("ff" * 32, paid(amount=RICH))).add_output(paid()))
    return {"unsigned": unsigned.to_cbor(), "cheap": cheap.to_cbor(), "unknown": unknown, "garbage": payment[:-1]}


def given(scenario: Scenario, node: Node) -> str:
    """What a client is started with, as JSON: see `expected` for what it does with it."""
    return json.dumps(
        {
            "events": 3,  # told of the prepared chain: back to the origin, and two blocks
            "past": place(node.chain[0]),
            "locked": str(LOCK),
            "carrier": {"transaction": {"id": id_of(scenario.holding)}, "index": 1},
            "payment": scenario.payment.hex(),
            "spending": scenario.spending.hex(),
            "failing": scenario.failing.hex(),
            "bad": {name: raw.hex() for name, raw in scenario.bad.items()},
        }
    )


def expected(scenario: Scenario, errors: Mapping[str, str]) -> Json:
    """What a client has to see, with the type that it has for each error.

    It follows the chain from its origin, asks what there is to ask, submits payment and spending, reads the mempool,
    has a block made, has it replaced by two others that hold nothing, and another block made. The ids of blocks are
    those of another node that goes through the same: the same genesis always makes the same chain.
    """
    twin = Node()
    prepare(twin)
    for raw in (scenario.payment, scenario.spending):
        twin.submit(raw)
    undone = twin.make_block()
    twin.fork(1, 2)
    last = twin.make_block()
    first, second, *empty = (twin.chain[height] for height in range(4))
    held = {"transaction": {"id": id_of(scenario.holding)}}
    start = {"time": {"seconds": 0}, "slot": 0, "epoch": 0}
    end = {"time": {"seconds": 2_000}, "slot": 2_000, "epoch": 1}
    length = {"epochLength": 2_000, "slotLength": {"milliseconds": 1_000}, "safeZone": 600}
    lock = {**held, "index": 0, "address": str(LOCK), "value": ada(HELD), "datum": "d87980"}
    script = {"language": "plutus:v3", "cbor": bytes(PLUTUS).hex()}
    return {
        "events": [
            {"direction": "backward", "point": "origin"},
            forward(first, scenario.gifts),
            forward(second, [id_of(scenario.holding)]),
            forward(undone, scenario.both),
            {"direction": "backward", "point": place(second)},
            *(forward(block, []) for block in empty),
            forward(last, scenario.both),
        ],
        "network": "unknown (42)",
        "parameters": json.loads(SOURCE.read_text(encoding="utf-8"))["parameters"],
        "eras": [{"start": start, "end": end, "parameters": length}],
        "eraStart": start,
        "epoch": 0,
        "ledgerTip": place(second),
        "tip": place(second),
        "height": 1,
        "start": "2026-01-01T00:00:00",
        "genesis": {
            "networkMagic": 42,
            "securityParameter": 40,
            "maxLovelaceSupply": 45 * 10**15,
            "initialFunds": [ada(FUNDS)],
        },
        "byAddress": [lock],
        "byReference": [{**held, "index": 1, "address": str(HOME), "value": ada(3_000_000), "script": script}],
        "before": [],
        "units": [{"validator": {"purpose": "spend", "index": 0}, "budget": {"memory": 500, "cpu": 64_100}}],
        "failing": (errors["failing"], 3010, [{"purpose": "mint", "index": 0}, 3012]),
        "refused": {
            "unsigned": (errors["unsigned"], 3101, {"missingSignatories": [bytes(VKEY.hash()).hex()]}),
            "cheap": (errors["cheap"], 3122, {"providedFee": ada(1)}),
            "unknown": (
                errors["unknown"],
                3117,
                {"unknownOutputReferences": [{"transaction": {"id": "ff" * 32}, "index": 0}]},
            ),
            "garbage": (errors["garbage"], -32602, ["conway"]),
        },
        "submitted": scenario.both,
        "mempool": {
            "has": [True, False],
            "size": {
                "maxCapacity": {"bytes": 180_224},
                "currentSize": {"bytes": len(scenario.payment) + len(scenario.spending) - 2},
                "transactions": {"count": 2},
            },
            "first": scenario.both[0],
            "second": scenario.both[1],
            "third": None,
        },
    }


def condensed(seen: Json) -> Json:
    """What a client saw, as far as `expected` can tell it."""
    health, genesis, mempool = seen.pop("health"), seen["genesis"], seen["mempool"]
    facts = {name: genesis[name] for name in ("networkMagic", "securityParameter", "maxLovelaceSupply")}
    cheap = seen["refused"]["cheap"]["data"]
    assert cheap.pop("minimumRequiredFee")["ada"]["lovelace"] > 155_381
    garbage, failing = seen["refused"]["garbage"], seen["failing"]
    garbage["data"] = sorted(garbage["data"])
    (failure,) = failing["data"]
    failing["data"] = [failure["validator"], failure["error"]["code"]]
    return {
        **seen,
        "network": health["network"],
        "start": seen["start"][:19],
        "genesis": {**facts, "initialFunds": list(genesis["initialFunds"].values())},
        "failing": told(failing),
        "refused": {name: told(error) for name, error in seen["refused"].items()},
        "mempool": {**mempool, "second": mempool["second"]["id"]},
    }


def told(error: Json) -> tuple[str, int, Any]:
    """An error's type, code and data."""
    return error["type"], error["code"], error["data"]


def forward(block: Block, transactions: list[str]) -> Json:
    """As clients note it."""
    return {"direction": "forward", "height": block.height, "id": block.id.hex(), "transactions": transactions}


def place(block: Block) -> Json:
    """A point."""
    return {"slot": block.slot, "id": block.id.hex()}


def ada(lovelace: int) -> Json:
    """As Ogmios writes it."""
    return {"ada": {"lovelace": lovelace}}


def builder(*coins: Any) -> Any:
    """A transaction to be, out of coins of the wallet."""
    begun = pycardano.TransactionBuilder(Offline(), ttl=500, validity_start=0)
    for each in coins:
        begun.add_input(each)
    return begun


def built(begun: Any) -> bytes:
    """With fee, change and signature."""
    raw: bytes = begun.build_and_sign([SKEY], HOME).to_cbor()
    return raw


def coin(transaction: str, output: Any, index: int = 0) -> Any:
    """An output in the ledger, as the library holds it."""
    return pycardano.UTxO(pycardano.TransactionInput.from_primitive([transaction, index]), output)


def id_of(raw: bytes) -> str:
    """Of a transaction, as clients write it."""
    return transaction_id(raw).hex()
