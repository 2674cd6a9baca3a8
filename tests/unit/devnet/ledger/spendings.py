"""Healthy transactions of every kind, to be broken in one place each; and what the ledger says of them."""

from dataclasses import replace
from typing import Any, Final

import pycardano  # type: ignore[import-untyped]

from indexer.chain.point import Slot
from indexer.devnet.ledger.judge import violations
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.refusal import Refusal, Refused
from indexer.devnet.ledger.state import Ledger
from tests.contract.parts import ledger_set
from tests.contract.terms import Asset
from tests.contract.tree import Array, Map, Node
from tests.support.spending import (
    AGREES,
    CERTIFICATES,
    DEPOSIT,
    NATIVE,
    NOW,
    PLUTUS_V3,
    VOID,
    WITHDRAWALS,
    Coin,
    Spending,
    Wallet,
    coin,
    ledger,
    native_hash,
    paid,
    plutus_hash,
    script_address,
    written,
)

ANN, BOB, CYD = Wallet("ann"), Wallet("bob"), Wallet("cyd")
REWARDS: Final = 7_000_000

SIGNED_BY_BOB: Final = Array((0, BOB.hash))  # a native script
GOLD: Final = Asset(native_hash(SIGNED_BY_BOB), b"gold")
SILVER: Final = Asset(plutus_hash(AGREES), b"silver")

ABSTAIN: Final = Array((2,))
KEY, SCRIPT = 0, 1  # kinds of credential
REGISTER, GIVE_UP, REGISTER_FOR, GIVE_UP_FOR, DELEGATE_VOTE = 0, 1, 7, 8, 9  # kinds of certificate


def plain() -> Spending:
    """Ann pays Bob."""
    return Spending((coin(ANN),), (ANN,), ANN.address, (paid(BOB.address, 5_000_000),))


def minting() -> Spending:
    """Ann mints gold, which takes Bob's signature."""
    spending = replace(plain(), signers=(ANN, BOB), mint={GOLD: 5})
    return spending.with_witnesses({NATIVE: ledger_set([SIGNED_BY_BOB])})


def locked(script: bytes = AGREES) -> Coin:
    """A coin at a Plutus script, with a datum."""
    return coin(script_address(plutus_hash(script)), 10_000_000, datum=VOID)


def spending_script(script: bytes = AGREES, held: Coin | None = None) -> Spending:
    """Ann takes a coin from a Plutus script, which stands in the witness set."""
    held, fuel = held or locked(script), coin(ANN)
    return Spending(
        (held, fuel),
        (ANN,),
        ANN.address,
        collaterals=(coin(ANN, 20_000_000, 1),),
        redeemers={(0, int(held.at > fuel.at)): VOID},
        witnesses={PLUTUS_V3: ledger_set([script])},
    )


def minting_script(script: bytes = AGREES) -> Spending:
    """Ann mints silver, to which a Plutus script has to agree; a reference input carries it."""
    return Spending(
        (coin(ANN),),
        (ANN,),
        ANN.address,
        references=(published(script),),
        collaterals=(coin(ANN, 20_000_000, 1),),
        mint={Asset(plutus_hash(script), b"silver"): 7},
        redeemers={(1, 0): VOID},
    )


def published(script: bytes = AGREES) -> Coin:
    """A coin of Cyd that carries a Plutus script."""
    return coin(CYD, 20_000_000, 2, script=(3, script))


def registering() -> Spending:
    """Ann registers her stake key and delegates its vote."""
    return replace(plain(), more=-DEPOSIT).with_body({CERTIFICATES: Array((register(ANN.hash), delegate(ANN.hash)))})


def withdrawing() -> Spending:
    """Ann takes what her account holds: `REWARDS`, if the ledger knows her account."""
    return replace(plain(), more=REWARDS).with_body({WITHDRAWALS: Map(((ANN.account, REWARDS),))})


def register(hash_: bytes, deposit: int = DEPOSIT, kind: int = KEY) -> Node:
    return Array((REGISTER_FOR, Array((kind, hash_)), deposit))


def give_up(hash_: bytes, refund: int = DEPOSIT) -> Node:
    return Array((GIVE_UP_FOR, Array((KEY, hash_)), refund))


def delegate(hash_: bytes, drep: Node = ABSTAIN) -> Node:
    return Array((DELEGATE_VOTE, Array((KEY, hash_)), drep))


def accepted(spending: Spending, on: Ledger | None = None, slot: Slot = NOW) -> bool:
    """Whether the ledger takes it; on one that holds just what it needs, if none is given. Else Refused is raised."""
    (on or ledger(spending)).check(read_transaction(written(spending)), slot)
    return True


def refused(spending: Spending, on: Ledger | None = None, slot: Slot = NOW) -> Refusal:
    """What the ledger says against it."""
    try:
        accepted(spending, on, slot)
    except Refused as error:
        return error.refusal
    raise AssertionError("the ledger accepts it")


def codes(spending: Spending, on: Ledger | None = None, slot: Slot = NOW) -> list[int]:
    """The codes of all that phase 1 has to say, in the order in which it says it."""
    state = on or ledger(spending)
    return [found.code for found in violations(state.setting(read_transaction(written(spending)), slot, state.utxo))]


def alone(code: int, spending: Spending, on: Ledger | None = None, slot: Slot = NOW) -> Any:
    """The data of a refusal with this code, which is all that phase 1 has to say."""
    assert [code] == codes(spending, on, slot)
    refusal = refused(spending, on, slot)
    assert code == refusal.code
    return refusal.data


def lovelace(amount: int) -> dict[str, Any]:
    """As Ogmios shows it."""
    return {"ada": {"lovelace": amount}}


def reference(held: Coin) -> dict[str, Any]:
    """As Ogmios shows it."""
    return {"transaction": {"id": held.at.transaction.hex()}, "index": held.at.output_index}


def text(address: bytes) -> str:
    """An address as people write it."""
    written_out: str = pycardano.Address.from_primitive(address).encode()
    return written_out


def let_happen(on: Ledger, spending: Spending, slot: Slot = NOW) -> None:
    """The ledger takes it, and it happens."""
    tx = read_transaction(written(spending))
    on.check(tx, slot)
    on.apply(tx, slot)
