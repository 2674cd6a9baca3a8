"""Fees, minima, hashes and horizons, to the lovelace, the byte and the slot."""

import json
from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b
from importlib import resources
from math import ceil, floor

import pycardano  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.parameters import Units, mainnet
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Language, Witnesses
from tests.contract.parameters import PARAMETERS, SOURCE
from tests.contract.tree import Array, Map, encode
from tests.support.schema import DIRECTORY
from tests.support.spending import Wallet, paid

RAW = json.loads(SOURCE.read_text(encoding="utf-8"))


def test_the_parameters_are_those_that_the_contract_was_measured_under() -> None:
    """The package's file says the same as the one of the tests; what queries show is what it says."""
    text = resources.files("indexer.devnet.ledger").joinpath("mainnet-parameters.json").read_text(encoding="utf-8")
    assert json.loads(text) == RAW
    assert RAW["parameters"] == mainnet().shown
    assert len(mainnet().cost_models[Language.PLUTUS_V3]) == 350
    assert mainnet().major == 11


def test_every_parameter_of_conway_is_told() -> None:
    """All that Ogmios' schema knows, but for two that Babbage did away with."""
    schema = json.loads((DIRECTORY / "cardano.json").read_text(encoding="utf-8"))
    known = set(schema["definitions"]["ProtocolParameters"]["properties"])
    assert known - {"extraEntropy", "federatedBlockProductionRatio"} == set(mainnet().shown)


def test_one_and_a_fifth_is_a_fraction() -> None:
    """Not the float that it is written as."""
    assert Fraction(6, 5) == mainnet().script_multiplier
    assert Fraction(577, 10_000) == mainnet().memory_price


@pytest.mark.parametrize(
    ("size", "fee"), [(0, 0), (4_700, 70_500), (25_600, 384_000), (60_000, 1_034_880), (204_800, 6_335_648)]
)
def test_reference_scripts_cost_more_by_the_tier(size: int, fee: int) -> None:
    """15 lovelace for a byte of the first 25,600, a fifth more for each of the next; measured on the ledger's code."""
    plain = mainnet().minimum_fee(300, Units(0, 0), 0)
    assert fee == mainnet().minimum_fee(300, Units(0, 0), size) - plain


@settings(deadline=None)
@given(st.integers(0, 16_384), st.integers(0, 16_500_000), st.integers(0, 10**10), st.integers(0, 204_800))
def test_fees_are_exact(size: int, memory: int, steps: int, scripts: int) -> None:
    """By the formula in fractions: units round up, tiers round down, each alone."""
    units = ceil(Fraction(577 * memory, 10_000) + Fraction(721 * steps, 10_000_000))
    tiers, rest = divmod(scripts, 25_600)
    prices = [15 * Fraction(6, 5) ** n for n in range(tiers + 1)]
    reference = floor(25_600 * sum(prices[:-1]) + rest * prices[-1])
    assert 155_381 + 44 * size + units + reference == mainnet().minimum_fee(size, Units(memory, steps), scripts)


def test_an_output_owes_for_its_bytes_as_they_stand() -> None:
    """Two ways to write one output: the longer owes more."""
    address = Wallet("ann").address
    short = encode(paid(address, 5))
    long = short.replace(b"\x01\x05", b"\x01\x1b" + (5).to_bytes(8, "big"))
    assert [(160 + len(raw)) * 4_310 for raw in (short, long)] == [
        mainnet().minimum_lovelace(output_from(raw)) for raw in (short, long)
    ]


@settings(deadline=None)
@given(st.integers(0, 10**12))
def test_collateral_rounds_up(fee: int) -> None:
    """150 % of the fee."""
    assert (fee * 3 + 1) // 2 == mainnet().minimum_collateral(fee)


@pytest.mark.parametrize("language", [Language.PLUTUS_V1, Language.PLUTUS_V2, Language.PLUTUS_V3])
def test_language_views_are_those_that_wallets_hash(language: Language) -> None:
    """As pycardano writes them: V1's in byte strings, with a list of indefinite length."""
    prices = range(-5, 300)
    ours = replace(mainnet(), cost_models={language: tuple(prices)}).language_views([language])
    theirs = pycardano.plutus.CostModels({language - 1: {f"{at:03}": price for at, price in enumerate(prices)}})
    assert theirs.to_cbor() == ours


def test_language_views_go_by_the_length_of_their_keys() -> None:
    """So that of V1 comes last, although its number is the lowest (`encodeLangViews`)."""
    models = {Language(n): (n,) for n in (1, 2, 3)}
    views = replace(mainnet(), cost_models=models).language_views(models)
    assert bytes.fromhex("a3 01 8102 02 8103 4100 43 9f01ff") == views


def test_the_integrity_hash_takes_bytes_as_they_stood() -> None:
    """Redeemers and datums in whatever form, then the views."""
    raw_redeemers, raw_datums = b"\x9f\xff", b"\x9f\x05\xff"
    view = encode(Map(((2, Array(PARAMETERS.plutus_v3)),)))
    witnesses = Witnesses(datums={bytes(32): b"\x05"}, raw_redeemers=raw_redeemers, raw_datums=raw_datums)
    expected = blake2b(raw_redeemers + raw_datums + view, digest_size=32).digest()
    assert expected == mainnet().integrity_hash(witnesses, {Language.PLUTUS_V3})


def test_nothing_has_no_integrity_hash() -> None:
    """No redeemers, no datums, no languages."""
    assert mainnet().integrity_hash(Witnesses(), ()) is None


def test_a_timeline_tells_the_time_of_a_slot() -> None:
    """As on mainnet since Shelley."""
    shelley = Timeline(start=1_596_059_091_000, slot_length=1_000, first_slot=4_492_800)
    assert shelley.time(4_492_805) == 1_596_059_091_000 + 5_000


@pytest.mark.parametrize(("tip", "end"), [(0, 100), (49, 100), (50, 200), (149, 200), (150, 300)])
def test_the_horizon_is_the_end_of_the_epoch_in_which_the_safe_zone_ends(tip: int, end: int) -> None:
    """Epochs of 100 slots, a safe zone of 50."""
    assert end == Timeline(epoch_length=100, safe_zone=50).horizon(tip)
    assert Timeline(epoch_length=100).horizon(tip) is None
