"""The yardstick is measured first, by hand: on small chains whose rows can be seen at a glance."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.independent import Count, Watch, count, read

DATA = Path(__file__).parents[1] / "data"

US = "11" * 28
KEY = "addr_test1vqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxrcya6"
SCRIPT = "addr_test1wqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg0tyy26"
OTHER = "addr_test1wz8wsmsrh9j8x9kqszehtgypu6zutn9c6a0clyzzsxqtjscecq035"
BYRON = "2cWKMJemoBam3F9oTvv5vucSLAeAaXDLBtKUJztmZ66vpMotQTD1V4CDDfKx3BnFMW1jG"
POLICY = "bb" * 28
DATUM = "d87980"
DATUM_HASH = "923918e403bf43c34b4ef6b48eb2ee04babed17320d8d1b9ff9ad086e86f44ec"


def pay(address: str = KEY, lovelace: int = 1, **more: Any) -> dict[str, Any]:
    assets = more.pop("assets", {})
    return {"address": address, "value": {"ada": {"lovelace": lovelace}, **assets}, **more}


def at(name: str, index: int = 0) -> dict[str, Any]:
    return {"transaction": {"id": name * 32}, "index": index}


def tx(name: str, *outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name * 32, "spends": "inputs", "inputs": [], "outputs": list(outputs), **more}


def block(slot: int, *transactions: dict[str, Any]) -> bytes:
    found = {"type": "praos", "id": f"{slot:064x}", "height": slot // 10, "slot": slot}
    return answer({"direction": "forward", "block": {**found, "transactions": list(transactions)}})


def back(slot: int) -> bytes:
    return answer({"direction": "backward", "point": {"slot": slot, "id": f"{slot:064x}"}})


def answer(result: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None}).encode()


def ours(*lines: bytes, kind: str | None = None) -> Count:
    return count(lines, [(US, kind)])


def test_an_output_has_the_columns_of_the_view() -> None:
    assets = {POLICY: {"": 5, "544f4b": 7}}
    script = {"language": "plutus:v2", "cbor": "46010000222601"}
    found = ours(
        block(10, tx("aa", pay(OTHER), pay(lovelace=9, assets=assets, datum=DATUM, script=script))),
        block(20, tx("ab", inputs=[at("aa", 0), at("aa", 1)])),
    )
    assert found.outputs == {
        ("aa" * 32, 1): {
            "transaction_id": "aa" * 32,
            "output_index": 1,
            "address": KEY,
            "payment_credential": US,
            "credential_kind": "key",
            "lovelace": 9,
            "assets": {POLICY: 5, f"{POLICY}.544f4b": 7},
            "datum_hash": DATUM_HASH,
            "datum": DATUM,
            "script_hash": "51936f3c98a04b6609aa9b5c832ba1182cf43a58e534fcc05db09d69",
            "created_slot": 10,
            "created_block": f"{10:064x}",
            "spent_slot": 20,
            "spent_by": "ab" * 32,
        }
    }
    assert found.assets == {("aa" * 32, 1, POLICY, ""): 5, ("aa" * 32, 1, POLICY, "544f4b"): 7}
    assert found.blocks == [(10, f"{10:064x}", 1), (20, f"{20:064x}", 2)]
    assert found.balance() == {"lovelace": 0}


def test_a_phase_2_failure_spends_the_collateral_and_creates_its_return_behind_the_outputs() -> None:
    failed = tx("ab", pay(), pay(), inputs=[at("aa", 0)], collaterals=[at("aa", 1)])
    failed |= {"spends": "collaterals", "collateralReturn": pay(lovelace=3)}
    found = ours(block(10, tx("aa", pay(lovelace=10), pay(lovelace=5))), block(20, failed))
    assert {key: row["spent_by"] for key, row in found.outputs.items()} == {
        ("aa" * 32, 0): None,
        ("aa" * 32, 1): "ab" * 32,
        ("ab" * 32, 2): None,
    }
    assert found.balance() == {"lovelace": 13}


def test_a_transaction_that_succeeds_leaves_its_collateral_alone() -> None:
    later = tx("ab", inputs=[at("aa", 0)], collaterals=[at("aa", 1)], collateralReturn=pay(lovelace=3))
    found = ours(block(10, tx("aa", pay(), pay(lovelace=5))), block(20, later))
    assert [row["spent_slot"] for row in found.outputs.values()] == [20, None]
    assert found.balance() == {"lovelace": 5}


@pytest.mark.parametrize(
    ("toucher", "shown"),
    [
        (tx("ac", inputs=[at("aa")]), True),
        (tx("ac", references=[at("aa")]), True),
        (tx("ac", pay(datumHash=DATUM_HASH)), True),
        (tx("ac", spends="collaterals", collaterals=[at("aa")]), True),
        (tx("ac", spends="collaterals", references=[at("aa")]), True),
        (tx("ac", spends="collaterals", collateralReturn=pay(datumHash=DATUM_HASH)), True),
        (tx("ac", spends="collaterals", inputs=[at("aa")]), False),
        (tx("ac", pay(datumHash=DATUM_HASH), spends="collaterals"), False),
        (tx("ac", collaterals=[at("aa")]), False),
        (tx("ac", pay(OTHER, datumHash=DATUM_HASH), references=[at("ab")]), False),
    ],
    ids=[
        "it spends ours",
        "it references ours",
        "it pays us",
        "it failed and took our collateral",
        "it failed and referenced ours",
        "it failed and returned to us",
        "it failed and would have spent ours",
        "it failed and would have paid us",
        "it only offered ours as collateral",
        "it only touched another output of that hash",
    ],
)
def test_a_preimage_counts_when_its_transaction_touches_an_output_of_ours_with_that_hash(
    toucher: dict[str, Any], shown: bool
) -> None:
    found = ours(
        block(10, tx("aa", pay(datumHash=DATUM_HASH)), tx("ab", pay(OTHER, datumHash=DATUM_HASH))),
        block(20, toucher | {"datums": {DATUM_HASH: DATUM}}),
        block(30, tx("ad", pay(datumHash=DATUM_HASH), pay(datumHash="ee" * 32))),
    )
    assert found.outputs["aa" * 32, 0]["datum"] == (DATUM if shown else None)
    assert found.outputs["ad" * 32, 0]["datum"] == (DATUM if shown else None), "also the one created later"
    assert found.outputs["ad" * 32, 1]["datum"] is None


KEYS_AND_SCRIPTS = [
    "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
    "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh",
    "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve",
    "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g",
    "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k",
    "addr128phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcrtw79hu",
    "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
    "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx",
]  # by turns


def test_every_type_of_address_of_cip_19_gives_its_payment_credential_also_with_a_pointer() -> None:
    key, script = (
        "9493315cd92eb5d8c4304e67b7e16ae36d61d34502694657811a2c8e",
        "c37b1b5dc0669f1d3c61a6fddb2e8fde96be87b881c60bce8e8d542f",
    )
    line = block(10, tx("aa", *(pay(address) for address in KEYS_AND_SCRIPTS)))
    found = count([line], [(key, "key"), (script, None)])
    rows = [(row["credential_kind"], row["payment_credential"]) for row in found.outputs.values()]
    assert rows == [("key", key), ("script", script)] * 4


@pytest.mark.parametrize(("kind", "indices"), [("key", [0]), ("script", [1]), (None, [0, 1])])
def test_the_same_hash_under_key_and_script_is_two_credentials(kind: str | None, indices: list[int]) -> None:
    found = ours(block(10, tx("aa", pay(KEY), pay(SCRIPT), pay(OTHER), pay(BYRON))), kind=kind)
    assert [index for _, index in found.outputs] == indices


def test_a_byron_address_is_watched_by_its_text_and_has_no_credential() -> None:
    (row,) = count([block(10, tx("aa", pay(KEY), pay(BYRON)))], [(BYRON, None)]).outputs.values()
    assert (row["address"], row["payment_credential"], row["credential_kind"]) == (BYRON, None, None)


def test_quantities_beyond_64_bits_stay_exact() -> None:
    many = {POLICY: {"544f4b": 2**63 + 1}}
    found = ours(block(10, tx("aa", pay(lovelace=2**64 - 1, assets=many), pay(assets=many))))
    assert found.balance() == {"lovelace": 2**64, f"{POLICY}.544f4b": 2**64 + 2}


def test_a_block_nested_deeper_than_any_parser_reads_is_counted_like_another() -> None:
    deep = b'{"clause":"any","from":[' * 50_000 + b'{"[\\"}":"]"}' + b"]}" * 50_000
    native = {"language": "native", "json": "DEEP", "cbor": "8200581c" + US}
    witnesses = {"scripts": {"cc" * 28: {"language": "native", "json": "DEEP"}}}
    line = block(10, tx("aa", pay(script=native), pay(lovelace=7), **witnesses), tx("ab", pay()))
    found = ours(line.replace(b'"DEEP"', deep), block(20, tx("ac", inputs=[at("aa", 1)])))
    assert [row["spent_slot"] for row in found.outputs.values()] == [None, 20, None]
    scripts = [row["script_hash"] for row in found.outputs.values()]
    assert scripts == ["5334c8c55ec6518f2e262da617d3170bf0722f43813d64dbaf0ff0b9", None, None]


def test_what_was_rolled_back_is_not_counted() -> None:
    first, lost, kept = (block(10, tx("aa", pay())), block(20, tx("ab", inputs=[at("aa")])), block(30))
    found = ours(back(5), first, lost, block(21, tx("ac", pay())), back(10), kept)
    assert [slot for slot, _, _ in found.blocks] == [10, 30]
    assert [row["spent_by"] for row in found.outputs.values()] == [None]
    origin = answer({"direction": "backward", "point": "origin"})
    assert ours(first, lost, origin, kept) == ours(kept)
    assert ours(first, lost, back(15), kept) == ours(first, kept)


@pytest.mark.parametrize("watch", [("11" * 27, None), (US, "stake"), (KEY, None), (BYRON, "key")])
def test_what_is_no_watch_is_refused(watch: Watch) -> None:
    with pytest.raises(ValueError, match="not a watch"):
        count([], [watch])


def test_a_recording_is_read_the_same_when_compressed(tmp_path: Path) -> None:
    lines = [block(10, tx("aa", pay())), block(20)]
    (tmp_path / "plain").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "small").write_bytes(gzip.compress(b"\n".join(lines)))
    assert read(tmp_path / "plain") == read(tmp_path / "small") == lines


@cache
def recording(path: Path) -> list[bytes]:
    return read(path)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=f"{entry['corpus'][:20]}: {entry['why']}")
        for entry in json.loads((DATA / "credentials.json").read_bytes())
        if (DATA / f"{entry['corpus']}.jsonl.gz").exists()
    ],
)
def test_the_credentials_of_the_recordings_at_hand_hold_what_is_pinned(entry: dict[str, Any]) -> None:
    path = DATA / f"{entry['corpus']}.jsonl.gz"
    found = count(recording(path), [(entry["credential"], entry["kind"])])
    rows = found.outputs.values()
    assert entry["expected"] == {
        "outputs": len(rows),
        "spent": sum(row["spent_slot"] is not None for row in rows),
        "datums": sum(row["datum"] is not None for row in rows),
        "lovelace_unspent": found.balance()["lovelace"],
    }
