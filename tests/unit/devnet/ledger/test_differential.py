"""A thousand random transactions, valid and not: the devnet and an independent model agree on each."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from random import Random
from typing import Final, TypeAlias

import pytest

from indexer.devnet.ledger.judge import RANK
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.parameters import mainnet
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.setting import Account
from indexer.devnet.ledger.state import Ledger
from tests.contract.parts import ledger_set
from tests.contract.terms import Asset, Reference
from tests.contract.tree import Array, Map, Node, encode
from tests.support.spending import (
    CERTIFICATES,
    DEPOSIT,
    DONATION,
    KEYS,
    LOWER,
    NATIVE,
    NETWORK,
    NOW,
    REQUIRED_SIGNERS,
    UPPER,
    WITHDRAWALS,
    Coin,
    Spending,
    Wallet,
    coin,
    native_hash,
    paid,
    script_address,
    written,
)
from tests.unit.devnet.ledger import model
from tests.unit.devnet.ledger.spendings import delegate, give_up, register

SEEDS: Final = 1_000
SHARD: Final = 100
WALLETS: Final = tuple(Wallet(f"wallet {n}") for n in range(4))
NATIVES: Final = {native_hash(Array((0, each.hash))): Array((0, each.hash)) for each in WALLETS}
POLICIES: Final = tuple(NATIVES)
RICH, POOR, NOBODY = WALLETS[0], WALLETS[1], WALLETS[2]  # has rewards, votes · votes · has no account
ACCOUNTS: Final = {RICH.hash: (DEPOSIT, 5_000_000, True), POOR.hash: (DEPOSIT - 1, 0, True)}
NOWHERE: Final = Coin(Reference(bytes(32), 0), paid(RICH.address, 9_000_000))

Mutation: TypeAlias = Callable[[Random, Spending], Spending]


@cache
def coins() -> tuple[Coin, ...]:
    """What there is: coins of every wallet, some with tokens, some locked by native scripts, some with a script."""
    chance, found = Random(0), []
    for number in range(24):
        owner = chance.choice(WALLETS)
        address = owner.address if chance.random() < 0.8 else script_address(chance.choice(POLICIES))
        tokens = {Asset(chance.choice(POLICIES), b"t%d" % n): chance.randrange(1, 10**12) for n in range(number % 3)}
        held = coin(address, chance.randrange(3_000_000, 90_000_000), number, tokens=tokens)
        if number % 8 == 7:
            held = coin(address, 60_000_000, number, tokens=tokens, script=(3, bytes(chance.randrange(60_000))))
        found.append(held)
    return tuple(found)


@cache
def world() -> model.World:
    outputs = {(held.at.transaction, held.at.output_index): encode(held.output) for held in coins()}
    return model.World(outputs, ACCOUNTS, NOW)


def state() -> Ledger:
    utxo = {held.reference: output_from(encode(held.output)) for held in coins()}
    accounts = {
        each.credential: Account(deposit, rewards, b"\x81\x02" if votes else None)
        for each in WALLETS
        if each.hash in ACCOUNTS
        for deposit, rewards, votes in [ACCOUNTS[each.hash]]
    }
    return Ledger(mainnet(), 0, utxo, accounts=accounts)


def healthy(chance: Random) -> Spending:
    """Random inputs, outputs, mintings, certificates, withdrawals and bounds, that add up."""
    inputs = tuple(chance.sample(coins(), chance.randrange(1, 4)))
    body: dict[int, Node] = {}
    more, minted = 0, dict[Asset, int]()
    if chance.random() < 0.3:
        minted = {Asset(chance.choice(POLICIES), b"new"): chance.randrange(1, 10**15)}
    if chance.random() < 0.2:
        body[WITHDRAWALS], more = Map(((RICH.account, 5_000_000),)), 5_000_000
    match chance.randrange(8):
        case 0:
            certificates: Node = Array((register(NOBODY.hash), delegate(NOBODY.hash)))
            body[CERTIFICATES], more = certificates, more - DEPOSIT
        case 1:
            body[CERTIFICATES], more = Array((give_up(POOR.hash, DEPOSIT - 1),)), more + DEPOSIT - 1
    if chance.random() < 0.1:
        body[DONATION], more = 700_000, more - 700_000
    if chance.random() < 0.3:
        body |= {LOWER: NOW - chance.randrange(9), UPPER: NOW + chance.randrange(1, 9)}
    if chance.random() < 0.1:
        body[REQUIRED_SIGNERS] = ledger_set([chance.choice(WALLETS).hash])
    rest = [held for held in coins() if held not in inputs]
    spending = Spending(
        inputs,
        WALLETS,
        chance.choice(WALLETS).address,
        tuple(
            paid(chance.choice(WALLETS).address, 1_000_000 + chance.randrange(9)) for _ in range(chance.randrange(2))
        ),
        references=tuple(chance.sample(rest, chance.randrange(2))),
        mint=minted,
        more=more,
        body=body,
    )
    return spending.with_witnesses({NATIVE: shown(spending)})


def shown(spending: Spending) -> Node:
    """The native scripts that have to agree."""
    locks = {address[1:29] for held in spending.inputs if (address := address_of(held))[0] == 0x70}
    needed = sorted(locks | {asset.policy for asset in spending.mint})
    return ledger_set([NATIVES[policy] for policy in needed]) if needed else None


def address_of(held: Coin) -> bytes:
    address = held.output[0]
    assert isinstance(address, bytes)
    return address


def wrong_signature(chance: Random, spending: Spending) -> Spending:
    wallet = chance.choice(WALLETS)
    wrong = Array((wallet.public, wallet.key.sign(b"something else").signature))
    return spending.with_witnesses({KEYS: ledger_set([wrong])})


def other_outputs(chance: Random, spending: Spending) -> Spending:
    wallet = chance.choice([Wallet("wallet 0", 1), WALLETS[3]])
    output = paid(wallet.address, chance.choice([1, 500_000, 900_000, 2_000_000]))
    return replace(spending, outputs=(*spending.outputs, output))


def some_certificate(chance: Random) -> Node:
    wallet = chance.choice(WALLETS)
    return chance.choice([register(wallet.hash), give_up(wallet.hash), delegate(wallet.hash)])


MUTATIONS: Final[Mapping[str, Mutation]] = {
    "fee": lambda chance, s: replace(s, fee=chance.randrange(100_000, 400_000)),
    "lovelace from nowhere": lambda chance, s: replace(s, more=s.more + chance.choice([-1, 1, 10**6])),
    "no change": lambda _, s: replace(s, change=None, fee=900_000),
    "unknown input": lambda _, s: replace(s, inputs=(*s.inputs, NOWHERE)),
    "unknown reference": lambda _, s: replace(s, references=(*s.references, NOWHERE)),
    "unknown inputs only": lambda _, s: replace(s, inputs=(NOWHERE,)).with_witnesses({NATIVE: None}),
    "reference spent": lambda _, s: replace(s, references=(*s.references, s.inputs[0])),
    "signature missing": lambda chance, s: replace(s, unsigned=tuple(chance.sample(WALLETS, 2))),
    "signature wrong": wrong_signature,
    "too early": lambda chance, s: s.with_body({LOWER: NOW + chance.randrange(2)}),
    "too late": lambda chance, s: s.with_body({UPPER: NOW + chance.randrange(2)}),
    "network": lambda chance, s: s.with_body({NETWORK: chance.randrange(2)}),
    "output": other_outputs,
    "minted without its script": lambda _, s: replace(s, mint={Asset(POLICIES[0], b"x"): 1}),
    "script too many": lambda _, s: s.with_witnesses({NATIVE: ledger_set(NATIVES.values())}),
    "withdrawal": lambda chance, s: s.with_body(
        {WITHDRAWALS: Map(((chance.choice(WALLETS).account, chance.choice([0, 5_000_000])),))}
    ),
    "certificate": lambda chance, s: s.with_body({CERTIFICATES: Array((some_certificate(chance),))}),
    "deposit": lambda _, s: s.with_body({CERTIFICATES: Array((register(NOBODY.hash, DEPOSIT - 1),))}),
}


@pytest.mark.parametrize("shard", range(SEEDS // SHARD))
def test_the_devnet_and_the_model_agree(shard: int) -> None:
    """On whether a transaction is good; if not, on what is told. What is accepted neither makes nor takes value."""
    for seed in range(shard * SHARD, (shard + 1) * SHARD):
        compare(seed)


def test_the_transactions_are_worth_comparing() -> None:
    """Many are good, and what is wrong with the others is of many kinds."""
    counted = Counter(told for seed in range(0, SEEDS, 4) if (told := compare(seed)) is not None)
    assert 50 < SEEDS // 4 - counted.total() < 200
    assert len(counted) >= 15


def compare(seed: int) -> int | None:
    """Judge one transaction twice; the code that it was refused with."""
    chance = Random(seed)
    raw = random_transaction(chance)
    deserved = model.verdict(raw, world())
    on, tx = state(), read_transaction(raw)
    try:
        on.check(tx, NOW)
    except Refused as error:
        told = error.refusal.code
        assert told in deserved, f"seed {seed}: {told} where the model finds {deserved}"
        assert RANK[told] == min(RANK[code] for code in deserved), f"seed {seed}: {told} of {deserved}"
        return told
    assert not deserved, f"seed {seed}: accepted, where the model finds {deserved}"
    before = wealth(on)
    on.apply(tx, NOW)
    after = wealth(on)
    for policy, names in tx.mint.items():
        for name, quantity in names.items():
            before[policy, name] += quantity
    assert +before == +after, f"seed {seed}"
    return None


def random_transaction(chance: Random) -> bytes:
    """Healthy, or with one or two things wrong. Drawn again where its inputs do not cover it."""
    while True:
        spending = healthy(chance)
        for name in chance.sample(sorted(MUTATIONS), chance.choice([0, 0, 1, 1, 1, 2])):
            spending = MUTATIONS[name](chance, spending)
        try:
            return written(spending)
        except (OverflowError, ValueError):
            continue


def wealth(on: Ledger) -> Counter[tuple[bytes, bytes]]:
    """All that there is, wherever it lies."""
    pots = on.pots
    total = Counter({(b"", b""): pots.fees + pots.deposits + pots.donations})
    for account in on.accounts.values():
        total[b"", b""] += account.rewards
    for output in on.utxo.values():
        total[b"", b""] += output.lovelace
        total.update(model.flat({policy: dict(names) for policy, names in output.assets.items()}))
    return total
