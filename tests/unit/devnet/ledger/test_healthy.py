"""A healthy transaction of every kind, put together by a wallet library or by the contract's bench, is accepted."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pycardano  # type: ignore[import-untyped]
import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.parameters import mainnet
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.setting import Account
from indexer.devnet.ledger.state import Ledger
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Credential, Output
from tests.contract import healthy
from tests.contract.case import SLOT_LENGTH, ZERO_SLOT, ZERO_TIME, Case, slot
from tests.contract.healthy import NOW, attested, sample
from tests.contract.parts import reference_of
from tests.contract.tree import decode, encode
from tests.support import spending
from tests.support.spending import AGREES

SLOT = 5_000
SHOWN = mainnet().shown
MAINNET_KEY = 0x61  # the first byte of an address without a stake part
SKEY = pycardano.PaymentSigningKey.from_primitive(bytes(range(32)))
STAKE = pycardano.StakeSigningKey.from_primitive(bytes(range(1, 33)))
VKEY, STAKE_VKEY = SKEY.to_verification_key(), STAKE.to_verification_key()
TEST = pycardano.Network.TESTNET
HOME = pycardano.Address(VKEY.hash(), STAKE_VKEY.hash(), network=TEST)
REWARDS = pycardano.Address(staking_part=STAKE_VKEY.hash(), network=TEST)
NATIVE = pycardano.ScriptAll([pycardano.ScriptPubkey(VKEY.hash()), pycardano.InvalidHereAfter(SLOT + 1_000)])
PLUTUS = pycardano.PlutusV3Script(AGREES)
LOCK = pycardano.Address(pycardano.plutus_script_hash(PLUTUS), network=TEST)
UNITS = pycardano.ExecutionUnits(10_000, 1_000_000)
VOID = pycardano.RawCBOR(b"\xd8\x79\x80")


@dataclass
class Bench:
    """A wallet library with mainnet's parameters, and the coins that it was given."""

    coins: dict[OutputReference, Output] = field(default_factory=dict)

    def builder(self) -> Any:
        return pycardano.TransactionBuilder(Offline(), ttl=SLOT + 500, validity_start=SLOT - 500)

    def coin(self, address: Any = HOME, amount: Any = 100_000_000, **held: Any) -> Any:
        """A new coin, as the library holds it."""
        at = pycardano.TransactionInput(pycardano.TransactionId(bytes([len(self.coins)] * 32)), 1)
        output = pycardano.TransactionOutput(address, amount, post_alonzo=True, **held)
        self.coins[OutputReference(bytes(at.transaction_id), at.index)] = output_from(output.to_cbor())
        return pycardano.UTxO(at, output)

    def accepts(self, transaction: Any, accounts: dict[Credential, Account] | None = None) -> bool:
        Ledger(mainnet(), 0, self.coins, accounts=accounts).check(read_transaction(transaction.to_cbor()), SLOT)
        return True


class Offline(pycardano.ChainContext):  # type: ignore[misc]
    """Nothing but parameters."""

    @property
    def network(self) -> Any:
        return TEST

    @property
    def protocol_param(self) -> Any:
        units = SHOWN["maxExecutionUnitsPerTransaction"]
        names = pycardano.ProtocolParameters.__dataclass_fields__
        known = {
            "min_fee_constant": 155_381,
            "min_fee_coefficient": 44,
            "max_tx_size": 16_384,
            "max_val_size": 5_000,
            "key_deposit": 2_000_000,
            "price_mem": Fraction(577, 10_000),
            "price_step": Fraction(721, 10_000_000),
            "max_tx_ex_mem": units["memory"],
            "max_tx_ex_steps": units["cpu"],
            "collateral_percent": 150,
            "max_collateral_inputs": 3,
            "coins_per_utxo_byte": 4_310,
            "cost_models": {"PlutusV3": {f"{n:03}": v for n, v in enumerate(SHOWN["plutusCostModels"]["plutus:v3"])}},
            "maximum_reference_scripts_size": {"bytes": 204_800},
            "min_fee_reference_scripts": {"base": 15.0, "range": 25_600, "multiplier": 1.2},
        }
        return pycardano.ProtocolParameters(**{name: known.get(name, 0) for name in names})


@pytest.fixture
def bench() -> Bench:
    """Without any coin yet."""
    return Bench()


def paid(address: Any = HOME, amount: Any = 3_000_000, **held: Any) -> Any:
    return pycardano.TransactionOutput(address, amount, post_alonzo=True, **held)


def test_a_plain_payment(bench: Bench) -> None:
    """With the library's own fee and change."""
    builder = bench.builder().add_input(bench.coin()).add_output(paid())
    assert bench.accepts(builder.build_and_sign([SKEY], HOME))


def test_several_assets(bench: Bench) -> None:
    """In, out and in the change."""
    tokens = pycardano.MultiAsset.from_primitive({bytes(28): {b"a": 5, b"b": 7}, bytes([1] * 28): {b"": 2**63}})
    some = pycardano.MultiAsset.from_primitive({bytes(28): {b"a": 2}})
    builder = bench.builder().add_input(bench.coin(amount=pycardano.Value(9_000_000, tokens)))
    builder.add_output(paid(amount=pycardano.Value(3_000_000, some)))
    assert bench.accepts(builder.build_and_sign([SKEY], HOME))


def test_a_minting_under_a_native_script(bench: Bench) -> None:
    """Of all clauses: a signature, and a time."""
    builder = bench.builder().add_input(bench.coin())
    builder.mint = pycardano.MultiAsset.from_primitive({bytes(NATIVE.hash()): {b"gold": 10}})
    builder.native_scripts = [NATIVE]
    assert bench.accepts(builder.build_and_sign([SKEY], HOME))


def test_a_spending_from_a_native_script(bench: Bench) -> None:
    """Its address is the script's hash."""
    held = bench.coin(pycardano.Address(NATIVE.hash(), network=TEST))
    builder = bench.builder().add_input(bench.coin())
    builder.add_script_input(held, NATIVE)
    assert bench.accepts(builder.build_and_sign([SKEY], HOME))


def test_a_plutus_v3_spending_with_a_reference_script(bench: Bench) -> None:
    """And a return of collateral, which the library adds by itself."""
    builder = bench.builder().add_input(bench.coin())
    held, carrier = bench.coin(LOCK, datum=VOID), bench.coin(script=PLUTUS)
    builder.add_script_input(held, script=carrier, redeemer=pycardano.Redeemer(VOID, UNITS))
    builder.collaterals.append(bench.coin())
    transaction = builder.build_and_sign([SKEY], HOME)
    assert transaction.transaction_body.collateral_return is not None
    assert bench.accepts(transaction)


def test_a_plutus_v3_minting_with_its_script(bench: Bench) -> None:
    """In the witness set."""
    builder = bench.builder().add_input(bench.coin())
    builder.mint = pycardano.MultiAsset.from_primitive({bytes(pycardano.plutus_script_hash(PLUTUS)): {b"s": 1}})
    builder.add_minting_script(PLUTUS, pycardano.Redeemer(VOID, UNITS))
    builder.collaterals.append(bench.coin())
    assert bench.accepts(builder.build_and_sign([SKEY], HOME))


def test_a_stake_registration_that_delegates_its_vote(bench: Bench) -> None:
    """In Conway's form, with the deposit named."""
    builder = bench.builder().add_input(bench.coin())
    credential = pycardano.StakeCredential(STAKE_VKEY.hash())
    abstain = pycardano.DRep(pycardano.DRepKind.ALWAYS_ABSTAIN)
    builder.certificates = [
        pycardano.StakeRegistrationConway(credential, 2_000_000),
        pycardano.VoteDelegation(credential, abstain),
    ]
    assert bench.accepts(builder.build_and_sign([SKEY, STAKE], HOME))


def test_a_withdrawal(bench: Bench) -> None:
    """Of all that a delegated account holds."""
    builder = bench.builder().add_input(bench.coin())
    builder.withdrawals = pycardano.Withdrawals({bytes(REWARDS): 4_321_000})
    account = {Credential(bytes(STAKE_VKEY.hash()), False): Account(2_000_000, 4_321_000, b"\x81\x02")}
    assert bench.accepts(builder.build_and_sign([SKEY, STAKE], HOME), account)


def test_metadata(bench: Bench) -> None:
    """Under a label."""
    builder = bench.builder().add_input(bench.coin())
    metadata = pycardano.Metadata({674: {"msg": ["hello"]}})
    builder.auxiliary_data = pycardano.AuxiliaryData(pycardano.AlonzoMetadata(metadata=metadata))
    assert bench.accepts(builder.build_and_sign([SKEY], HOME))


@pytest.mark.parametrize(
    "case",
    [
        healthy.create(sample()),
        healthy.release(sample()),
        healthy.reclaim(sample().claim((0, 1))),
        healthy.withdraw(attested(sample(), b"m1", 0)),
        healthy.create(sample(), inline=True),
    ],
    ids=["create", "release", "reclaim", "withdraw", "create with the script inline"],
)
def test_the_contract(case: Case) -> None:
    """Every action of the validator that this project is about, as its bench builds them for mainnet."""
    utxo = {OutputReference(*reference_of(decode(at))): output_from(output) for at, output in case.resolved}
    tx = read_transaction(case.transaction)
    payer = next(utxo[at].address for at in tx.inputs if utxo[at].address[0] == MAINNET_KEY)
    utxo |= {at: output_from(encode(spending.paid(payer, 20_000_000))) for at in tx.collaterals}
    on = Ledger(mainnet(), 1, utxo, timeline=Timeline(ZERO_TIME, SLOT_LENGTH, ZERO_SLOT))
    on.check(tx, slot(NOW))
