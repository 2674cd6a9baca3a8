"""What people do at the contract, each as a transaction on the devnet, with a note of what it amounts to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.contract.keys import key_hash, public
from tests.contract.parts import value_of
from tests.contract.terms import (
    ADA,
    BURN,
    RECLAIM,
    WITHDRAW,
    Asset,
    Attestation,
    Credential,
    Terms,
    create_redeemer,
    message,
    release_redeemer,
    signature,
)
from tests.contract.tree import Map, encode
from tests.contract.tree import Node as Tree
from tests.support.happenings import Attested, Ended, Founded, Happening, Refused, Released
from tests.support.promises import (
    PURSE,
    Contract,
    Deposit,
    Holding,
    Plan,
    Sending,
    State,
    Stray,
    World,
    least,
    raw,
)
from tests.support.spending import Coin, digest, paid

DEPOSIT: Final = 3_000_000  # lovelace, at least, in whatever comes without a state token


@dataclass(frozen=True)
class Beside:
    """An output at a contract that is no distribution's. `content`: the attestation, or the terms, that it decodes to;
    None where it does not. `reason`: why it is refused, and how that begins; None for an attestation."""

    contract: Contract
    datum: Tree
    content: Attestation | Terms | None = None
    sound: bool = False
    reason: str | None = None
    by_hash: bool = False
    stake: Credential | tuple[int, int, int] | None = None
    tokens: tuple[tuple[Asset, int], ...] = ()

    @property
    def output(self) -> Map:
        """With as much lovelace as it needs."""
        inline = None if self.by_hash else self.datum
        hashed = digest(encode(self.datum)) if self.by_hash else None
        address = self.contract.home(self.stake)
        bare = paid(address, DEPOSIT, dict(self.tokens), datum=inline, datum_hash=hashed)
        return paid(address, max(DEPOSIT, least(bare)), dict(self.tokens), datum=inline, datum_hash=hashed)

    def happening(self, coin: Coin) -> Happening:
        """What it amounts to, where it was made."""
        if self.reason is not None:
            inline = None if self.by_hash or self.datum is None else encode(self.datum)
            return Refused(self.reason, inline, coin.at)
        assert isinstance(self.content, Attestation)
        return Attested(self.content, self.sound, coin.at)

    def holdings(self, coin: Coin) -> list[Holding]:
        """What somebody may have back. (A datum known by its hash alone would have to be shown.)"""
        match self.content:
            case Attestation() as attestation if not self.by_hash and len(attestation.refund_to) == 28:
                return [Deposit(self.contract, attestation, coin)]
            case Terms() as terms if not self.by_hash:
                return [Stray(self.contract, terms, coin)]
        return []


def attested(plan: Plan, milestone: bytes, oracle: bytes, refund_to: bytes, contract: Contract | None = None) -> Beside:
    """A sound attestation of one of the oracles in `tests.contract.keys`, at the plan's contract or at another."""
    content = message(plan.contract.hash, plan.id, milestone)
    attestation = Attestation(plan.id, milestone, oracle, signature(oracle, content), refund_to)
    return Beside(contract or plan.contract, attestation.data(), attestation, sound=True)


def by_oracle(plan: Plan, number: int, milestone: bytes = b"m1") -> Beside:
    """A sound attestation of `oracle N`."""
    return attested(plan, milestone, public(f"oracle {number}"), key_hash("oracle's owner"))


def pay(world: World, beside: Sequence[Beside]) -> bytes:
    """A transaction that does nothing but pay to contracts."""
    id_, coins = world.send(Sending(outputs=[each.output for each in beside]))
    _note(world, id_, [], [], beside, coins)
    return id_


def create(
    world: World,
    plan: Plan,
    stake: Credential | None = None,
    beside: Sequence[Beside] = (),
    first: Sequence[Beside] = (),
    *,
    reserve: bool = True,
) -> State:
    """The funder keeps a plan: the distribution stands behind the outputs that come `first`. Without a `reserve`, what
    is promised has to do for the state output too, as far as that stands."""
    contract, terms = plan.contract, plan.terms
    id_, coins = world.send(
        Sending(
            inputs=[(plan.seed, None)],
            outputs=[
                *(each.output for each in first),
                _begun(plan, stake, reserve=reserve),
                *(each.output for each in beside),
            ],
            signers=[terms.funder],
            mint={Asset(contract.hash, plan.id): 1},
            minting={contract.hash: create_redeemer(plan.seed.at)},
            contracts=[contract],
        )
    )
    place = len(first)
    state = State(plan, terms, coins[place], stake)
    founded = Founded(contract.hash, plan.id, plan.seed.at, terms, coins[place].at)
    others = [*coins[:place], *coins[place + 1 :]]
    _note(world, id_, [founded], [state], [*first, *beside], others)
    return state


def create_under_both(world: World, plan: Plan) -> list[State]:
    """One seed and the same terms make two distributions of one id in a transaction: the first of them counts."""
    plans = [replace(plan, contract=contract) for contract in world.contracts]
    id_, coins = world.send(
        Sending(
            inputs=[(plan.seed, None)],
            outputs=[_begun(each, None, reserve=True) for each in plans],
            signers=[plan.terms.funder],
            mint={Asset(each.contract.hash, each.id): 1 for each in plans},
            minting={each.contract.hash: create_redeemer(plan.seed.at) for each in plans},
            contracts=world.contracts,
        )
    )
    states = [State(each, each.terms, coin, None) for each, coin in zip(plans, coins, strict=False)]
    founded = Founded(plans[0].contract.hash, plan.id, plan.seed.at, plan.terms, coins[0].at)
    refused = [Refused("not this contract's terms", encode(plan.terms.data()), coin.at) for coin in coins[1:-1]]
    _note(world, id_, [founded, *refused], states, [], [])
    return states


def release(
    world: World,
    state: State,
    milestone: bytes,
    paid_now: Collection[int],
    oracles: Collection[int],
    beside: Sequence[Beside] = (),
) -> State:
    """A keeper pays allocations on the signatures of oracles, each told by its position in the terms."""
    plan, terms = state.plan, state.terms
    contract = plan.contract
    indices = tuple(sorted(paid_now))
    signed = tuple(
        (n, signature(terms.oracles[n], message(contract.hash, plan.id, milestone))) for n in sorted(oracles)
    )
    amount = sum(terms.allocations[n].amount for n in indices)
    value = value_of(state.coin.output)
    value[ADA] -= len(indices) * (terms.lovelace_per_payout + terms.keeper_fee_per_payout)
    value[terms.token] -= amount
    rest = terms.claim(indices)
    left = _locked(contract.home(state.stake), rest, value)
    id_, coins = world.send(
        Sending(
            inputs=[(state.coin, release_redeemer(milestone, indices, signed))],
            outputs=[left, *(_payout(terms, n) for n in indices), *(each.output for each in beside)],
            contracts=[contract],
            lower=world.slot,
        )
    )
    after = State(plan, rest, coins[0], state.stake)
    done = Released(plan.id, milestone, indices, signed, coins[0].at)
    _note(world, id_, [done], [after], beside, coins[1 + len(indices) :])
    return after


def take_back(world: World, holdings: Sequence[Holding], beside: Sequence[Beside] = ()) -> bytes:
    """One transaction that ends distributions, and takes deposits and strays back, on their owners' signatures."""
    inputs: list[tuple[Coin, Tree]] = []
    signers: set[bytes] = set()
    burnt: dict[Asset, int] = {}
    ended: list[Happening] = []
    contracts: dict[bytes, Contract] = {}
    for each in holdings:
        match each:
            case State(plan, terms, coin):
                inputs.append((coin, RECLAIM))
                signers.add(terms.funder)
                burnt[Asset(plan.contract.hash, plan.id)] = -1
                ended.append(Ended(plan.id, coin.at))
                contracts[plan.contract.hash] = plan.contract
            case Stray(contract, terms, coin):
                inputs.append((coin, RECLAIM))
                signers.add(terms.funder)
                contracts[contract.hash] = contract
            case Deposit(contract, attestation, coin):
                inputs.append((coin, WITHDRAW))
                signers.add(attestation.refund_to)
                contracts[contract.hash] = contract
    id_, coins = world.send(
        Sending(
            inputs=inputs,
            outputs=[each.output for each in beside],
            signers=sorted(signers),
            mint=burnt,
            minting={asset.policy: BURN for asset in burnt},
            contracts=list(contracts.values()),
            lower=world.slot,
        )
    )
    _note(world, id_, ended, [], beside, coins)
    return id_


def fail(world: World, state: State, returned: Beside | None = None) -> bytes:
    """Somebody releases without signatures, and insists: the script says no, and the collateral is lost.

    What is left of that comes back to the contract itself if it is `returned`: ada alone, as it was.
    """
    returned = None if returned is None else replace(returned, tokens=())
    back = paid(PURSE.address, 40_000_000) if returned is None else returned.output
    indices = tuple(n for n, each in enumerate(state.terms.allocations) if not each.claimed)
    milestone = state.terms.allocations[0].milestone
    id_, coins = world.send(
        Sending(
            inputs=[(state.coin, release_redeemer(milestone, indices, ()))],
            outputs=[state.coin.output],
            contracts=[state.plan.contract],
            lower=world.slot,
            fails=back,
        )
    )
    _note(world, id_, [], [], [] if returned is None else [returned], coins)
    return id_


def _note(
    world: World,
    id_: bytes,
    happenings: Sequence[Happening],
    holdings: Sequence[Holding],
    beside: Sequence[Beside],
    coins: Sequence[Coin],
) -> None:
    """`coins` begin with those of `beside`."""
    pairs = list(zip(beside, coins, strict=False))
    more = [each.happening(coin) for each, coin in pairs]
    kept = [holding for each, coin in pairs for holding in each.holdings(coin)]
    world.note(id_, [*happenings, *more], [*holdings, *kept])


def _begun(plan: Plan, stake: Credential | None, *, reserve: bool) -> Map:
    """What is promised, the state token, and the min-ada beside it (or as much of it as has to be)."""
    address, terms, token = plan.contract.home(stake), plan.terms, Asset(plan.contract.hash, plan.id)
    bare = _locked(address, terms, {**terms.promised(), token: 1})
    promised = terms.promised()[ADA]
    lovelace = promised + least(bare) if reserve else max(promised, least(bare))
    return _locked(address, terms, {**value_of(bare), ADA: lovelace})


def _locked(address: bytes, terms: Terms, value: dict[Asset, int]) -> Map:
    tokens = {asset: quantity for asset, quantity in value.items() if asset != ADA}
    return paid(address, value[ADA], tokens, datum=terms.data())


def _payout(terms: Terms, index: int) -> Map:
    """Where its lovelace would be too little to stand, the keeper adds some."""
    allocation = terms.allocations[index]
    is_ada = terms.token == ADA
    lovelace = terms.lovelace_per_payout + (allocation.amount if is_ada else 0)
    tokens = {} if is_ada else {terms.token: allocation.amount}
    address = raw(allocation.beneficiary)
    return paid(address, max(lovelace, least(paid(address, lovelace, tokens))), tokens)
