"""What a chain amounts to, reckoned in the dumbest way: two set operations a transaction, nothing filtered."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tests.support.addresses import CredentialKind, decoded
from tests.support.chains import WATCHES, Watch, effect
from tests.support.making import Block, Output, Ref, hash_of, ref_of, script_hash


@dataclass
class Row:
    """One output that was ever held. Ids, hashes and datums are hex; `assets` are (policy, name, quantity)."""

    transaction_id: str
    index: int
    credential: str | None
    kind: CredentialKind | None
    lovelace: int
    assets: frozenset[tuple[str, str, int]]
    datum_hash: str | None
    datum: str | None
    created_slot: int
    spent_slot: int | None
    spent_by: str | None
    address: str
    script_hash: str | None  # None too for a native script whose bytes did not come along
    created_block: str


class Fold(NamedTuple):
    """The outputs still unspent, and a row for every output ever held."""

    unspent: set[Ref]
    rows: dict[Ref, Row]


def fold(chain: Iterable[Block], watches: Iterable[Watch] = WATCHES) -> Fold:
    """Replay a chain."""
    watches = tuple(watches)
    unspent: set[Ref] = set()
    rows: dict[Ref, Row] = {}
    preimages: dict[str, str] = {}
    for block in chain:
        for transaction in block.get("transactions", []):
            spends, creates = effect(transaction)
            spent = unspent & set(spends)
            created = {ref: made for ref, made in creates if is_ours(made["address"], watches)}
            read = unspent & {ref_of(place) for place in transaction.get("references", [])}
            unspent -= spent
            unspent |= set(created)
            for ref in spent:
                rows[ref].spent_slot, rows[ref].spent_by = block["slot"], transaction["id"]
            for ref, made in created.items():
                rows[ref] = _row(block, ref, made)
            wanted = {rows[ref].datum_hash for ref in spent | read | set(created)}
            shown = transaction.get("datums", {})
            preimages |= {hashed: datum for hashed, datum in shown.items() if hashed in wanted}
    for row in rows.values():
        if row.datum is None and row.datum_hash is not None:
            row.datum = preimages.get(row.datum_hash)
    return Fold(unspent, rows)


def is_ours(address: str, watches: Iterable[Watch]) -> bool:
    """Whether one of the watches asks for an address."""
    said = decoded(address)
    if said is None:
        return (address, None) in watches
    return any(text == said.credential.hex() and kind in (None, said.kind) for text, kind in watches)


def _row(block: Block, ref: Ref, made: Output) -> Row:
    said, script, inline = decoded(made["address"]), made.get("script"), made.get("datum")
    return Row(
        transaction_id=ref[0],
        index=ref[1],
        credential=None if said is None else said.credential.hex(),
        kind=None if said is None else said.kind,
        lovelace=made["value"]["ada"]["lovelace"],
        assets=frozenset(
            (policy, name, quantity)
            for policy, names in made["value"].items()
            if policy != "ada"
            for name, quantity in names.items()
        ),
        datum_hash=made.get("datumHash") if inline is None else hash_of(inline),
        datum=inline,
        created_slot=block["slot"],
        spent_slot=None,
        spent_by=None,
        address=made["address"],
        script_hash=script_hash(script) if script and "cbor" in script else None,
        created_block=block["id"],
    )
