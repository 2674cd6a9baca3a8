"""Every kind of transaction, built, signed, judged by the devnet's ledger and the compiled contract."""

from dataclasses import replace

import pytest

from indexer.chain.block import OutputReference
from indexer.chain.parameters import Units
from indexer.edge.builder.build import build
from indexer.edge.builder.intents import Deploy, Publish, Reclaim, Split, TakeBack, Withdraw
from indexer.edge.builder.reader import read
from indexer.plutus.datum import AssetClass, Attestation
from indexer.plutus.identity import message_to_sign
from tests.contract.tree import Array
from tests.support.spending import Wallet, native_hash, script_address
from tests.support.yard import ADA, FUNDER, KEEPER, ORACLES, OWNER, TOKEN, Yard, allocation, furnished, id_of, terms
from tests.unit.edge.builder.test_check import WANTED


@pytest.fixture
async def yard() -> Yard:
    return await furnished()


def held_by(yard: Yard, number: int) -> list[tuple[int, tuple[tuple[bytes, bytes, int], ...]]]:
    """What a beneficiary has: lovelace and tokens of each coin."""
    address = Wallet(f"beneficiary {number}").address
    return sorted((coin.output.lovelace, coin.output.assets) for coin in yard.coins_at(address))


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["native", "ada"])
async def test_a_distribution_lives_from_creation_to_reclaim(yard: Yard, token: AssetClass) -> None:
    """By a keeper who is not the funder; each beneficiary has exactly what was promised."""
    promised = [allocation(0, 2_000_000), allocation(1, 3_000_000), allocation(2, 4_000_000, b"m2")]
    created, state = await yard.create(terms(*promised, token=token))
    assert created.loss >= state.output.lovelace  # the fee, and what its token coin held beside
    first = await yard.do(yard.release(state, [0, 1]))
    second = await yard.do(yard.release(yard.coin(OutputReference(first.id, 0)), [2]))
    for number, amount in enumerate((2_000_000, 3_000_000, 4_000_000)):
        tokens = () if token == ADA else ((*_pair(token), amount),)
        lovelace = 1_500_000 + (amount if token == ADA else 0)
        assert held_by(yard, number) == [(lovelace, tokens)]
    # Two payouts bring the keeper 1 ada, less the fee.
    assert first.loss == first.fee - 1_000_000
    before = sum(coin.output.lovelace for coin in yard.coins_at(FUNDER.address))
    ended = await yard.do(Reclaim(yard.coin(OutputReference(second.id, 0))), FUNDER)
    assert sum(coin.output.lovelace for coin in yard.coins_at(FUNDER.address)) == before - ended.loss
    assert ended.loss < 0
    assert not yard.coins_at(b"\x70" + yard.contract.hash)


def _pair(token: AssetClass) -> tuple[bytes, bytes]:
    return token.policy_id, token.asset_name


async def test_a_signature_is_published_and_withdrawn(yard: Yard) -> None:
    """The deposit comes back to whom it names, less the fees."""
    created, _ = await yard.create(terms())
    message = message_to_sign(yard.contract.policy_id, id_of(created), b"m1")
    attestation = Attestation(id_of(created), b"m1", ORACLES[0].public, ORACLES[0].sign(message), OWNER.hash)
    published = await yard.do(Publish(attestation), OWNER)
    deposit = yard.coin(OutputReference(published.id, 0))
    withdrawn = await yard.do(Withdraw(deposit), OWNER)
    assert published.loss == deposit.output.lovelace + published.fee
    assert withdrawn.loss == withdrawn.fee - deposit.output.lovelace


async def test_somebody_else_may_pay_for_a_withdrawal(yard: Yard) -> None:
    """Whom it names has to sign all the same."""
    attestation = Attestation(bytes(32), b"m1", ORACLES[0].public, bytes(64), OWNER.hash)
    published = await yard.do(Publish(attestation), OWNER)
    withdrawn = await yard.do(Withdraw(yard.coin(OutputReference(published.id, 0))), KEEPER)
    assert set(withdrawn.signers) == {OWNER.hash, KEEPER.hash}


async def test_a_script_is_published_for_a_while_or_for_ever() -> None:
    """Without it, it travels in the transaction, and all works as well."""
    yard = await furnished(deployed=False)
    _, state = await yard.create(terms())
    released = await yard.do(yard.release(state, [0]))
    forever = await yard.do(Deploy(forever=True), FUNDER)
    coin = yard.coin(OutputReference(forever.id, 0))
    assert (coin.output.script is not None, coin.script_size) == (True, len(yard.contract.script))
    nobody = script_address(native_hash(Array((2, Array(())))))  # "any of none"
    assert coin in yard.coins_at(nobody)
    yard.reference = coin
    cheaper = await yard.do(Reclaim(yard.coin(OutputReference(released.id, 0))), FUNDER)
    assert cheaper.reference == coin


async def test_what_was_deposited_for_a_script_comes_back(yard: Yard) -> None:
    """All of it, less the fee; also into a wallet that has nothing else to pay with."""
    deployed = await yard.do(Deploy(), OWNER)
    published = yard.coin(OutputReference(deployed.id, 0))
    back = await yard.do(TakeBack(published), OWNER)
    assert (deployed.loss, back.loss) == (
        deployed.fee + published.output.lovelace,
        back.fee - published.output.lovelace,
    )
    assert sum(coin.output.lovelace for coin in yard.coins_at(OWNER.address)) == 1_010_000_000 - deployed.fee - back.fee
    alone = yard.coin(OutputReference((await yard.do(Deploy(), OWNER)).id, 0))
    built = await build(TakeBack(alone), yard.around, replace(yard.purse(OWNER), coins=()), yard.evaluate)
    yard.send(built)
    assert [each.lovelace for each in built.change] == [alone.output.lovelace - built.fee]


async def test_a_coin_is_split_off_to_stand_in_for_scripts(yard: Yard) -> None:
    """It is of ada alone, everything stays in the wallet but the fee, and scripts can be backed by it from then on."""
    before = {coin.output.lovelace for coin in yard.coins_at(KEEPER.address)}
    assert before == {10_000_000, 1_000_000_000}
    done = await yard.do(Split(6_000_000))
    assert done.collateral is None
    made = yard.coin(OutputReference(done.id, 0))
    assert (made.output.lovelace, made.output.assets, made.output.datum) == (6_000_000, (), None)
    assert sum(coin.output.lovelace for coin in yard.coins_at(KEEPER.address)) == 1_010_000_000 - done.fee
    _, state = await yard.create(terms())
    released = await yard.do(yard.release(state, [0]), collateral=made)
    assert released.collateral == made
    assert made in yard.coins_at(KEEPER.address)


async def test_an_expired_distribution_goes_back(yard: Yard) -> None:
    """With all that was not paid."""
    expires = yard.now_ms + 60_000
    _, state = await yard.create(terms(allocation(0), allocation(1), expires_at=expires))
    left = await yard.do(yard.release(state, [0]))
    yard.skip(60)
    ended = await yard.do(Reclaim(yard.coin(OutputReference(left.id, 0))), FUNDER)
    assert ended.lower is not None
    tokens, ada = ended.change
    assert tokens.assets == {_pair(TOKEN): 1_000}
    assert not ada.assets


async def test_the_same_arguments_make_the_same_bytes(yard: Yard) -> None:
    """Whatever order the coins come in."""
    intent = yard.creation(terms())
    purse = yard.purse(FUNDER)
    first = await build(intent, yard.around, purse, yard.evaluate)
    turned = replace(purse, coins=purse.coins[::-1])
    assert first.transaction == (await build(intent, yard.around, turned, yard.evaluate)).transaction


@pytest.mark.parametrize("kind", ["release", "release of ada", "create", "reclaim", "withdraw"])
async def test_final_bytes_use_what_was_evaluated(yard: Yard, kind: str) -> None:
    """Fee, change and declared units differ from what was evaluated, and cost the scripts nothing: the margin of one
    part in a hundred is left over whole."""
    wanted, wallet = WANTED[kind]
    built = await yard.build(await wanted(yard), wallet)
    used = await yard.evaluate(yard.sign(built))
    declared = read(built.transaction).redeemers
    assert {
        pointer: Units(units.memory + -(-units.memory // 100), units.steps + -(-units.steps // 100))
        for pointer, units in used.items()
    } == {pointer: units for pointer, (_, units) in declared.items()}
