"""What cannot be built says so by name, in words with the facts, before anything is signed."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from indexer.chain.block import Output, OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Units
from indexer.edge.builder import errors
from indexer.edge.builder.build import build
from indexer.edge.builder.check import check
from indexer.edge.builder.coins import usable
from indexer.edge.builder.funding import lovelace_to_lock
from indexer.edge.builder.intents import (
    Create,
    Deploy,
    Intent,
    Planned,
    Publish,
    Purse,
    Reclaim,
    Release,
    Surroundings,
    TakeBack,
    Withdraw,
)
from indexer.edge.builder.reader import read
from indexer.edge.builder.written import least_lovelace
from indexer.errors import ReplyGarbled
from indexer.ogmios.submission import EvaluationFailed
from indexer.plutus.datum import MILESTONE_DATUM, AssetClass, Attestation, MilestoneDatum
from indexer.plutus.ledger import Address, VerificationKey
from tests.contract.terms import Reference
from tests.contract.tree import decode
from tests.support.spending import Coin as Given
from tests.support.spending import Spending, Wallet, paid, script_address, written
from tests.support.yard import (
    FUNDER,
    KEEPER,
    ORACLES,
    OWNER,
    TOKEN,
    Yard,
    allocation,
    furnished,
    terms,
    terms_of,
    text,
)


@pytest.fixture
async def yard() -> Yard:
    return await furnished()


async def attempt(
    yard: Yard, intent: Intent, purse: Purse | None = None, around: Surroundings | None = None, **more: Any
) -> None:
    await build(intent, around or yard.around, purse or yard.purse(KEEPER), yard.evaluate, **more)


def coin(number: int, lovelace: int, wallet: Wallet = KEEPER, **more: Any) -> Coin:
    """A coin that is not on the devnet: these attempts do not come so far."""
    return Coin(OutputReference(bytes([number]) * 32, number), Output(text(wallet.address), lovelace, **more))


def parameters(around: Surroundings, **changes: Any) -> Surroundings:
    return replace(around, parameters=replace(around.parameters, **changes))


# --- what is wanted


async def test_a_release_that_the_contract_would_refuse_is_not_built(yard: Yard) -> None:
    """Each reason is told."""
    _, state = await yard.create(terms(allocation(0), allocation(1), allocation(2, milestone=b"m2")))
    good = yard.release(state, [0])
    after = yard.coin(OutputReference((await yard.do(good)).id, 0))
    signatures = good.signatures
    for wrong, reason in (
        (yard.release(after, [0]), "allocation 0 is paid already"),
        (replace(good, state=after, allocations=(2,)), "of another milestone"),
        (replace(good, state=after, allocations=()), "no ascending positions in the terms"),
        (replace(good, state=after, allocations=(1, 1)), "no ascending positions in the terms"),
        (replace(good, state=after, allocations=(2, 1)), "no ascending positions in the terms"),
        (replace(good, state=after, allocations=(3,)), "no ascending positions in the terms"),
        (replace(good, state=after, allocations=(-1,)), "no ascending positions in the terms"),
        (replace(good, state=after, allocations=(1,), signatures=signatures[:1]), "the quorum takes 2"),
        (replace(good, state=after, allocations=(1,), signatures=signatures[::-1]), "positions in the oracles"),
        (replace(good, state=after, allocations=(1,), signatures=((7, bytes(64)),)), "positions in the oracles"),
        (replace(good, state=yard.coins_at(KEEPER.address)[0]), "does not lie at the contract"),
    ):
        with pytest.raises(errors.NotPossible, match=reason):
            await attempt(yard, wrong)


async def test_what_the_contract_does_not_agree_to_is_told_with_the_validator(yard: Yard) -> None:
    """A forged signature passes the plan, and not the evaluation."""
    _, state = await yard.create(terms())
    forged = replace(yard.release(state, [0]), signatures=((0, bytes(64)), (1, bytes(64))))
    with pytest.raises(EvaluationFailed) as failed:
        await attempt(yard, forged)
    assert [failure.pointer[0] for failure in failed.value.failures] == ["spend"]


async def test_a_release_before_its_time_is_not_due(yard: Yard) -> None:
    """With the moment; from then on it is."""
    vesting = yard.now_ms + 60_000
    _, state = await yard.create(terms(allocation(vesting=vesting)))
    with pytest.raises(errors.NotDue, match="2026-01-01T00:01:"):
        await attempt(yard, yard.release(state, [0]))
    yard.skip(60)
    await yard.do(yard.release(state, [0]))


async def test_a_reclaim_that_the_contract_would_refuse_is_not_built(yard: Yard) -> None:
    """Open without expiry; open before its expiry; an attestation."""
    _, state = await yard.create(terms())
    with pytest.raises(errors.NotPossible, match="never expires"):
        await attempt(yard, Reclaim(state), yard.purse(FUNDER))
    _, state = await yard.create(terms(expires_at=yard.now_ms + 60_000))
    with pytest.raises(errors.NotDue):
        await attempt(yard, Reclaim(state), yard.purse(FUNDER))
    published = await yard.do(Publish(Attestation(bytes(32), b"m", ORACLES[0].public, bytes(64), OWNER.hash)), OWNER)
    deposit = yard.coin(OutputReference(published.id, 0))
    with pytest.raises(errors.NotPossible, match="an attestation is withdrawn"):
        await attempt(yard, Reclaim(deposit))
    with pytest.raises(errors.NotPossible, match="a distribution is reclaimed"):
        await attempt(yard, Withdraw(state))
    with pytest.raises(errors.NotPossible, match="is no distribution"):
        await attempt(yard, Release(deposit, b"m", (0,), ()))


@pytest.mark.parametrize(("datum", "reason"), [(None, "no inline datum"), (b"\xd8\x79\x80", "does not decode")])
async def test_what_nobody_can_spend_is_not_tried(yard: Yard, datum: bytes | None, reason: str) -> None:
    """An output without a datum, or with another."""
    held = coin(1, 5_000_000, datum=datum)
    lost = replace(held, output=replace(held.output, address=text(script_address(yard.contract.hash))))
    with pytest.raises(errors.NotPossible, match=reason):
        await attempt(yard, Reclaim(lost))


async def test_who_is_named_by_no_hash_cannot_sign(yard: Yard) -> None:
    """Anybody may write such a datum; a beneficiary without an address could only come of another contract."""

    def at_contract(datum: MilestoneDatum, *tokens: tuple[bytes, bytes, int]) -> Coin:
        address = text(script_address(yard.contract.hash))
        raw = MILESTONE_DATUM.encode(datum)
        return Coin(OutputReference(bytes(32), 0), Output(address, 9_000_000, tokens, bytes(32), raw))

    attestation = Attestation(bytes(32), b"m", bytes(32), bytes(64), b"nobody")
    nowhere = replace(allocation(), beneficiary=Address(VerificationKey(b"nowhere")))
    state = at_contract(terms(nowhere), (yard.contract.policy_id, bytes(32), 1), (*_pair(TOKEN), 1_000))
    for intent, reason in (
        (Reclaim(at_contract(terms(funder=b"nobody"))), "named by 6 bytes"),
        (Withdraw(at_contract(attestation)), "named by 6 bytes"),
        (yard.release(state, [0]), "address is none"),
    ):
        with pytest.raises(errors.NotPossible, match=reason):
            await attempt(yard, intent)


def _pair(token: AssetClass) -> tuple[bytes, bytes]:
    return token.policy_id, token.asset_name


async def test_terms_that_the_contract_would_refuse_are_not_locked(yard: Yard) -> None:
    """Nor too little ada for them, nor with a seed that is not the wallet's."""
    good = yard.creation(terms())
    for wrong, reason in (
        (replace(good, terms=terms(quorum_threshold=9)), "quorum_threshold is 9"),
        (replace(good, lovelace=good.lovelace // 3), "it takes"),
        (replace(good, seed=yard.coins_at(OWNER.address)[0]), "no coin that the wallet may spend"),
    ):
        with pytest.raises(errors.NotPossible, match=reason):
            await attempt(yard, wrong, yard.purse(FUNDER))


async def test_only_a_script_of_ones_own_is_taken_back(yard: Yard) -> None:
    """Not a plain coin, nor what is somebody else's, nor what was published for ever."""
    forever = await yard.do(Deploy(forever=True), KEEPER)
    theirs = yard.reference
    assert theirs is not None
    for published, reason in (
        (yard.coins_at(KEEPER.address)[0], "does not carry the contract's script"),
        (theirs, f"belongs to key {FUNDER.hash.hex()}"),
        (yard.coin(OutputReference(forever.id, 0)), "published for ever"),
        (replace(theirs, output=replace(theirs.output, address=text(script_address(bytes(28))))), "is no key's"),
    ):
        with pytest.raises(errors.NotPossible, match=reason):
            await attempt(yard, TakeBack(published))


async def test_a_wallet_of_another_network_or_kind_is_refused(yard: Yard) -> None:
    """Before anything else."""
    for address, reason in (
        (b"\x61" + KEEPER.hash, "on another network"),
        (b"\x70" + KEEPER.hash, "locked by a script"),
        (b"\x82" + KEEPER.hash, "of Byron"),
    ):
        with pytest.raises(errors.NotPossible, match=reason):
            await attempt(yard, Deploy(), Purse(address, ()))


# --- who pays


async def test_an_empty_wallet_says_what_is_missing(yard: Yard) -> None:
    """Also one that holds dust alone, or coins that are left alone."""
    with pytest.raises(errors.FundsMissing, match="may spend 0 lovelace"):
        await attempt(yard, Deploy(), Purse(KEEPER.address, ()))
    dust = tuple(coin(number, 1_000_000) for number in range(3))
    with pytest.raises(errors.FundsMissing, match="may spend 3000000 lovelace in coins of ada alone"):
        await attempt(yard, Deploy(), Purse(KEEPER.address, dust))
    others = (
        coin(1, 900_000_000, assets=((bytes(28), b"x", 1),)),
        coin(2, 900_000_000, datum_hash=bytes(32)),
        replace(coin(3, 900_000_000), script_size=16_000),
        coin(4, 900_000_000, OWNER),
    )
    with pytest.raises(errors.FundsMissing, match=r"900000000 more lie in 1 coins with tokens; 3 coins are left alone"):
        await attempt(yard, Deploy(), Purse(KEEPER.address, others))


async def test_a_script_address_with_the_wallets_hash_is_not_its_coin(yard: Yard) -> None:
    """Strangers may pay there; nobody can spend it with the key."""
    held = coin(1, 900_000_000)
    foreign = replace(held, output=replace(held.output, address=text(script_address(KEEPER.hash))))
    assert usable(Purse(KEEPER.address, (foreign,))) == []


async def test_missing_tokens_are_told(yard: Yard) -> None:
    """More of them than the wallet has, however much ada."""
    with pytest.raises(errors.TokensMissing, match=TOKEN.asset_name.hex()):
        await attempt(yard, yard.creation(terms(allocation(amount=2**63 - 1))), yard.purse(FUNDER))


async def test_without_a_coin_of_ada_alone_there_is_no_collateral(yard: Yard) -> None:
    """The release itself would pay for itself."""
    _, state = await yard.create(terms(allocation(0), allocation(1), allocation(2), allocation(3), allocation(4)))
    release = yard.release(state, [0, 1, 2, 3, 4])
    with pytest.raises(errors.CollateralMissing):
        await attempt(yard, release, Purse(KEEPER.address, (coin(1, 9_000_000, assets=((bytes(28), b"", 1),)),)))
    with pytest.raises(errors.CollateralMissing):
        await attempt(yard, release, Purse(KEEPER.address, (), coin(1, 100_000)))


async def test_a_kept_coin_is_staked_and_never_spent(yard: Yard) -> None:
    """Also where it is all there is: the release pays for itself."""
    _, state = await yard.create(terms(*(allocation(n) for n in range(5))))
    kept = min(yard.coins_at(KEEPER.address), key=lambda each: each.output.lovelace)
    purse = Purse(KEEPER.address, (kept,), kept)
    built = await build(yard.release(state, [0, 1, 2, 3, 4]), yard.around, purse, yard.evaluate)
    assert built.collateral == kept
    assert built.inputs == (state,)
    yard.send(built)
    with pytest.raises(errors.FundsMissing):
        await attempt(yard, Deploy(), purse)


async def test_the_only_coin_pays_and_is_staked(yard: Yard) -> None:
    """A wallet that was just filled has no other."""
    wallet = OWNER
    only = yard.coins_at(wallet.address)[0]
    _, state = await yard.create(terms())
    built = await build(yard.release(state, [0]), yard.around, Purse(wallet.address, (only,)), yard.evaluate)
    assert built.collateral == only
    assert only in built.inputs
    yard.send(built)


async def test_a_small_collateral_is_staked_whole(yard: Yard) -> None:
    """Where what would return is less than an output has to hold."""
    small = yard.pay(KEEPER.address, 1_200_000)
    _, state = await yard.create(terms())
    rich = max(yard.coins_at(KEEPER.address), key=lambda each: each.output.lovelace)
    built = await build(yard.release(state, [0]), yard.around, Purse(KEEPER.address, (rich,), small), yard.evaluate)
    assert built.collateral == small
    yard.send(built)


async def test_tokens_come_from_the_coin_with_the_fewest_others(yard: Yard) -> None:
    """The other coin with the token is left alone, and change with tokens is apart from ada."""
    created, _ = await yard.create(terms())
    holding = [coin for coin in created.inputs if coin.output.assets]
    assert [len(coin.output.assets) for coin in holding] == [1]
    tokens, ada = created.change
    assert (len(tokens.assets), ada.assets) == (1, {})
    assert tokens.lovelace == least_lovelace(tokens, yard.around.parameters)


async def test_change_that_is_just_enough_for_two_outputs_or_one_settles(yard: Yard) -> None:
    """At every amount around the edge: the second output costs a fee of its own."""
    token = ((TOKEN.policy_id, TOKEN.asset_name, 10**6),)
    kept = coin(9, 50_000_000, FUNDER)

    async def with_coin(lovelace: int) -> tuple[int, ...]:
        held = coin(1, lovelace, FUNDER, assets=token)
        purse = Purse(FUNDER.address, (held,), kept)
        built = await build(Create(terms(), held, 40_000_000), yard.around, purse, lenient)
        check(yard.sign(built), built.intent, built.around, purse, built.resolved)
        assert sum(output.lovelace for output in built.change) + built.fee + 40_000_000 == lovelace
        return tuple(output.lovelace for output in built.change)

    async def lenient(raw: bytes) -> dict[tuple[str, int], Units]:
        return dict.fromkeys(read(raw).redeemers, Units(300_000, 150_000_000))

    tokens, ada = await with_coin(90_000_000)
    fee = 50_000_000 - tokens - ada
    edge = 40_000_000 + fee + tokens + least_lovelace(Planned(FUNDER.address, 0, {}), yard.around.parameters)
    counts = [len(await with_coin(edge + offset)) for offset in range(-6_000, 6_001, 250)]
    assert (counts[0], counts[-1]) == (1, 2)


async def test_payouts_are_topped_up_to_what_the_network_asks(yard: Yard) -> None:
    """By whoever releases; it counts as a loss."""
    _, state = await yard.create(terms(lovelace_per_payout=0, keeper_fee_per_payout=0))
    built = await yard.do(yard.release(state, [0]))
    payout = built.outputs[1]
    assert payout.lovelace == least_lovelace(payout, yard.around.parameters)
    assert built.loss == built.fee + payout.lovelace


async def test_what_a_distribution_has_to_keep_is_left_in_it(yard: Yard) -> None:
    """Without a reserve, the keeper takes less than it may."""
    promised = terms(allocation(0), allocation(1))
    good = yard.creation(promised)
    poor = replace(good, lovelace=max(lovelace_to_lock(promised, yard.around).promise, 3_000_000))
    created = await yard.do(poor, FUNDER)
    state = yard.coin(OutputReference(created.id, 0))
    built = await yard.do(yard.release(state, [0, 1]))
    left = built.outputs[0]
    assert left.lovelace == least_lovelace(left, yard.around.parameters)


async def test_a_limit_on_the_loss_holds(yard: Yard) -> None:
    """To the lovelace."""
    _, state = await yard.create(terms())
    release = yard.release(state, [0])
    cost = (await yard.build(release)).loss
    await attempt(yard, release, max_loss=cost)
    with pytest.raises(errors.LossTooLarge, match=str(cost)):
        await attempt(yard, release, max_loss=cost - 1)


# --- the network's limits


async def test_too_many_allocations_do_not_fit(yard: Yard) -> None:
    """Neither in a creation nor in a release; the message has the sizes."""
    with pytest.raises(errors.TransactionTooLarge, match="16384 are allowed"):
        await attempt(yard, yard.creation(terms(*(allocation(n) for n in range(300)))), yard.purse(FUNDER))
    _, state = await yard.create(terms(*(allocation(n) for n in range(150))))
    with pytest.raises(errors.TransactionTooLarge):
        await attempt(yard, yard.release(state, range(150)))
    await yard.do(yard.release(state, range(60)))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"max_size": 500}, errors.TransactionTooLarge),
        ({"max_value_size": 20}, errors.ValueTooLarge),
        ({"max_units": Units(100_000, 10**10)}, errors.UnitsExceeded),
        ({"max_units": Units(10**9, 10_000)}, errors.UnitsExceeded),
        ({"max_script_size": 4_000}, errors.ScriptsTooLarge),
        ({"cost_models": {"plutus:v2": (1,)}}, errors.LanguageUnknown),
        ({"script_price": Fraction(10**9)}, errors.FundsMissing),
    ],
)
async def test_every_limit_of_the_network_has_its_name(yard: Yard, changes: dict[str, Any], error: type) -> None:
    """A release that is right beyond that."""
    _, state = await yard.create(terms())
    with pytest.raises(error):
        await attempt(yard, yard.release(state, [0]), around=parameters(yard.around, **changes))


async def test_a_coin_with_too_many_tokens_makes_no_change(yard: Yard) -> None:
    """The token to be paid lies among hundreds of others."""
    crowd = tuple((bytes([n % 200]) * 28, n.to_bytes(32, "big"), 1) for n in range(130))
    held = coin(1, 900_000_000, FUNDER, assets=((TOKEN.policy_id, TOKEN.asset_name, 10**6), *crowd))
    plain = coin(2, 900_000_000, FUNDER)
    purse = Purse(FUNDER.address, (held, plain))
    with pytest.raises(errors.ValueTooLarge, match="5000 are allowed"):
        await attempt(yard, Create(terms(), held, 40_000_000), purse)


async def test_validity_ends_where_the_node_can_foresee(yard: Yard) -> None:
    """Half an hour after the tip, or as said; never past the forecast."""
    _, state = await yard.create(terms())
    release = yard.release(state, [0])
    around = yard.around
    built = await build(release, around, yard.purse(KEEPER), yard.evaluate)
    assert built.upper == around.tip + 1800
    assert built.lower == around.tip
    near = replace(around, timeline=replace(around.timeline, horizon=around.tip + 100))
    assert (await build(release, near, yard.purse(KEEPER), yard.evaluate)).upper == around.tip + 99
    long = await build(release, around, yard.purse(KEEPER), yard.evaluate, validity_s=10**9)
    assert around.timeline.horizon is not None
    assert long.upper == around.timeline.horizon - 1
    yard.send(long)
    past = replace(around, timeline=replace(around.timeline, horizon=around.tip))
    with pytest.raises(errors.BeyondForecast):
        await attempt(yard, release, around=past)


async def test_a_reference_without_the_script_is_told(yard: Yard) -> None:
    """Before the node finds out."""
    _, state = await yard.create(terms())
    elsewhere = replace(yard.around, reference=yard.coins_at(KEEPER.address)[0])
    with pytest.raises(errors.ScriptNotPublished, match=yard.contract.hash.hex()):
        await attempt(yard, yard.release(state, [0]), around=elsewhere)


async def test_an_evaluation_of_something_else_is_garbled(yard: Yard) -> None:
    """Units of the wrong redeemers are no units."""
    _, state = await yard.create(terms())

    async def other(_: bytes) -> dict[tuple[str, int], Units]:
        return {("mint", 0): Units(1, 1)}

    with pytest.raises(ReplyGarbled):
        await build(yard.release(state, [0]), yard.around, yard.purse(KEEPER), other)


async def test_strays_come_back_with_all_they_hold(yard: Yard) -> None:
    """Sent without a state token, by mistake, with tokens."""
    payer = yard.coins_at(OWNER.address)[1]
    at = payer.reference
    given = Given(Reference(at.transaction_id, at.index), paid(OWNER.address, payer.output.lovelace))
    datum = decode(MILESTONE_DATUM.encode(terms()))
    stray = paid(script_address(yard.contract.hash), 7_000_000, datum=datum)
    yard.node.submit(written(Spending((given,), (OWNER,), OWNER.address, (stray,))))
    yard.node.make_block()
    (lost,) = yard.coins_at(script_address(yard.contract.hash))
    built = await yard.do(Reclaim(lost), FUNDER)
    assert built.loss == built.fee - 7_000_000
    assert terms_of(lost) == terms()


async def test_min_ada_is_that_of_the_bytes(yard: Yard) -> None:
    """Of a plain output 39: a map of two, an address of 29 behind two bytes of head, an amount of 5, two keys."""
    assert least_lovelace(Planned(OWNER.address, 0, {}), yard.around.parameters) == (160 + 39) * 4_310
    costly = replace(yard.around.parameters, lovelace_per_byte=10**8)
    assert least_lovelace(Planned(OWNER.address, 0, {}), costly) == (160 + 43) * 10**8  # an amount of 9 bytes
