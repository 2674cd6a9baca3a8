"""The body of a transaction as its bytes say it (conway.cddl: transaction_body)."""

from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.addresses import check_reward_address
from indexer.devnet.ledger.cbor import SET, Malformed, Reader
from indexer.devnet.ledger.certificates import read_certificate
from indexer.devnet.ledger.outputs import read_mint, read_output
from indexer.devnet.ledger.transaction import Certificate, UnknownCertificate

T = TypeVar("T")


def read_body(reader: Reader) -> dict[str, Any]:
    """The fields of the body that comes next, by their names in `Transaction`; absent ones are left out.

    Raises Malformed, also for what only the ledger's decoder refuses: a field that is unknown or comes twice, an empty
    one where the CDDL says nonempty, an element twice in a set.
    """
    fields: dict[str, Any] = {}
    seen: set[int] = set()
    for _ in reader.map():
        key = reader.unsigned()
        if key in seen or key not in _FIELDS:
            raise Malformed(f"field {key} of the body, twice or unknown")
        seen.add(key)
        name, read = _FIELDS[key]
        fields[name] = fields.get(name, ()) + read(reader) if name == "governance" else read(reader)
    if missing := {0, 1, 2} - seen:
        raise Malformed(f"a body without field {min(missing)}")
    return fields


def read_set(reader: Reader, read: Callable[[Reader], T]) -> tuple[T, ...]:
    """The elements of a set, tagged as one or not, in the order of the bytes. None may come twice."""
    reader.allow_tag(SET)
    elements: dict[T, None] = {}
    for n in reader.array():
        elements[read(reader)] = None
        if len(elements) == n:
            raise Malformed("an element of a set twice")
    return tuple(elements)


def read_reference(reader: Reader) -> OutputReference:
    """A transaction's id and an output's index, of 16 bits."""
    length = reader.open()
    reference = OutputReference(reader.octets(32), reader.unsigned(2**16 - 1))
    reader.close(length, 2)
    return reference


def nonempty(elements: Collection[Any]) -> None:
    """Raises Malformed where there are none."""
    if not elements:
        raise Malformed("nothing, where at least one element has to be")


def _references(reader: Reader) -> tuple[OutputReference, ...]:
    return read_set(reader, read_reference)


def _some_references(reader: Reader) -> tuple[OutputReference, ...]:
    references = read_set(reader, read_reference)
    nonempty(references)
    return references


def _signers(reader: Reader) -> tuple[bytes, ...]:
    hashes = read_set(reader, lambda reader: reader.octets(28))
    nonempty(hashes)
    return hashes


def _certificates(reader: Reader) -> tuple[Certificate, ...]:
    # Two that the devnet does not model are the same where their bytes are.
    def read(reader: Reader) -> tuple[Certificate, bytes]:
        start = reader.position
        certificate = read_certificate(reader)
        return certificate, reader.since(start) if isinstance(certificate, UnknownCertificate) else b""

    certificates = read_set(reader, read)
    nonempty(certificates)
    return tuple(certificate for certificate, _ in certificates)


def _withdrawals(reader: Reader) -> dict[bytes, int]:
    withdrawals: dict[bytes, int] = {}
    for _ in reader.map():
        account = check_reward_address(reader.octets())
        if account in withdrawals:
            raise Malformed("two withdrawals from one account")
        withdrawals[account] = reader.unsigned()
    nonempty(withdrawals)
    return withdrawals


def _votes(reader: Reader) -> tuple[str]:
    nonempty([(reader.skip(), reader.skip()) for _ in reader.map()])
    return ("votingProcedures",)


def _proposals(reader: Reader) -> tuple[str]:
    nonempty(read_set(reader, Reader.skip))
    return ("proposalProcedures",)


def _donation(reader: Reader) -> int:
    donation = reader.unsigned()
    if not donation:
        raise Malformed("a donation of nothing")
    return donation


_FIELDS: Final[dict[int, tuple[str, Callable[[Reader], Any]]]] = {
    0: ("inputs", _references),
    1: ("outputs", lambda reader: tuple(read_output(reader) for _ in reader.array())),
    2: ("fee", Reader.unsigned),
    3: ("invalid_hereafter", Reader.unsigned),
    4: ("certificates", _certificates),
    5: ("withdrawals", _withdrawals),
    7: ("auxiliary_data_hash", lambda reader: reader.octets(32)),
    8: ("invalid_before", Reader.unsigned),
    9: ("mint", read_mint),
    11: ("script_integrity_hash", lambda reader: reader.octets(32)),
    13: ("collaterals", _some_references),
    14: ("required_signers", _signers),
    15: ("network", lambda reader: reader.unsigned(1)),
    16: ("collateral_return", read_output),
    17: ("total_collateral", Reader.unsigned),
    18: ("references", _some_references),
    19: ("governance", _votes),
    20: ("governance", _proposals),
    21: ("treasury", Reader.unsigned),
    22: ("donation", _donation),
}
