"""What a transaction says at a contract, told from the transaction alone: distributions founded and continued,
attestations, and outputs that are neither, each with the reason.

Anyone may pay to a contract's address with any datum, so nothing here raises. What needs more than the transaction
(whether the distribution is known, whether only claims were added) is judged in `life`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer.chain.address import CredentialKind
from indexer.chain.block import OutputReference, Transaction
from indexer.domain.created import Created
from indexer.errors import MalformedDatum
from indexer.plutus.datum import MILESTONE_DATUM, Attestation, Distribution
from indexer.plutus.identity import distribution_id
from indexer.plutus.ledger import OutputReference as SeedReference
from indexer.plutus.redeemer import MINT_REDEEMER, SPEND_REDEEMER, Create, Release
from indexer.plutus.terms import objections

NO_DATUM: Final = "no datum"
MALFORMED: Final = "malformed datum"
STRAY: Final = "no state token"
NOT_THE_TERMS: Final = "not this contract's terms"
BEFORE_SINCE: Final = "created before since"
_MOST_OBJECTIONS: Final = 3  # told of one output: a hostile datum may deserve thousands


@dataclass(frozen=True, slots=True)
class Founded:
    """A distribution begins: its state token is minted, under the id that seed and terms make."""

    policy: bytes
    id: bytes
    seed: OutputReference
    terms: Distribution
    datum: bytes  # the CBOR of the terms, as written
    reference: OutputReference


@dataclass(frozen=True, slots=True)
class Continued:
    """A release, as it claims to be: `spends` is the output it is of, `claims` the positions that it pays.

    `signatures` are pairs (position in the oracles, signature).
    """

    policy: bytes
    id: bytes
    terms: Distribution  # with claims
    reference: OutputReference
    spends: OutputReference
    milestone_id: bytes
    claims: tuple[int, ...]
    signatures: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Attested:
    """Somebody published a signature."""

    attestation: Attestation
    reference: OutputReference


@dataclass(frozen=True, slots=True)
class Rejected:
    """An output at a contract that counts as nothing. The reason is ours: no text from the chain is in it."""

    reference: OutputReference
    reason: str


Fact: TypeAlias = Founded | Continued | Attested | Rejected


@dataclass(frozen=True, slots=True)
class Act:
    """A transaction that touches a contract, or spends something we hold: what it says, and what it spends of ours."""

    transaction_id: bytes
    position: int  # in its block
    facts: tuple[Fact, ...]
    spent: tuple[OutputReference, ...]


def read(transaction: Transaction, created: list[Created], contracts: frozenset[bytes]) -> tuple[Fact, ...]:
    """The facts of a transaction at the contracts with these script hashes (28 bytes).

    `created`: its outputs that are watched, among which are all at the contracts.
    """
    return tuple(
        _fact(transaction, new, new.credential.hash)
        for new in created
        if new.credential is not None
        and new.credential.kind is CredentialKind.SCRIPT
        and new.credential.hash in contracts
    )


def _fact(transaction: Transaction, new: Created, policy: bytes) -> Fact:
    output, reference = new.output, new.reference
    if output.datum is None:
        return Rejected(reference, f"{NO_DATUM}: {'only the hash of one' if output.datum_hash else 'none at all'}")
    try:
        datum = MILESTONE_DATUM.decode(output.datum).value
    except MalformedDatum as error:
        return Rejected(reference, f"{MALFORMED}: {error}")
    tokens = [(name, quantity) for held, name, quantity in output.assets if held == policy]
    match datum, tokens:
        case Attestation(), []:
            return Attested(datum, reference)
        case Attestation(), _:
            return Rejected(reference, f"{NOT_THE_TERMS}: an attestation that holds a state token")
        case Distribution(), []:
            return Rejected(reference, STRAY)
        case Distribution(), [(name, 1)]:
            if any(minted == policy for minted, _, _ in transaction.mint):
                return _founded(transaction, policy, name, datum, output.datum, reference)
            return _continued(transaction, policy, name, datum, reference)
    return Rejected(reference, f"{NOT_THE_TERMS}: more than one state token")


def _founded(
    transaction: Transaction, policy: bytes, name: bytes, terms: Distribution, datum: bytes, reference: OutputReference
) -> Fact:
    seed = next((create.seed for create in _creates(transaction, policy)), None)
    minted = [(token, quantity) for held, token, quantity in transaction.mint if held == policy]
    if minted != [(name, 1)] or seed is None:
        return Rejected(reference, f"{NOT_THE_TERMS}: its state token was not minted to create it")
    if OutputReference(seed.transaction_id, seed.output_index) not in transaction.spends:
        return Rejected(reference, f"{NOT_THE_TERMS}: the seed of its id is not spent")
    wrong = objections(terms, policy)
    if wrong:
        more = f"; and {len(wrong) - _MOST_OBJECTIONS} more" if len(wrong) > _MOST_OBJECTIONS else ""
        return Rejected(reference, f"{NOT_THE_TERMS}: {'; '.join(wrong[:_MOST_OBJECTIONS])}{more}")
    if distribution_id(seed, terms) != name:
        return Rejected(reference, f"{NOT_THE_TERMS}: its id is not that of seed and terms")
    return Founded(policy, name, OutputReference(seed.transaction_id, seed.output_index), terms, datum, reference)


def _continued(
    transaction: Transaction, policy: bytes, name: bytes, terms: Distribution, reference: OutputReference
) -> Fact:
    releases = list(_releases(transaction))
    if len(releases) != 1:
        return Rejected(reference, f"{NOT_THE_TERMS}: its state token was moved without a release")
    spends, release = releases[0]
    return Continued(
        policy, name, terms, reference, spends, release.milestone_id, release.allocations, release.signatures
    )


def _creates(transaction: Transaction, policy: bytes) -> Iterator[Create]:
    # A mint redeemer's index goes by the policies in order.
    index = sorted({held for held, _, _ in transaction.mint}).index(policy)
    for redeemer in transaction.redeemers:
        if redeemer.purpose == "mint" and redeemer.index == index:
            try:
                found = MINT_REDEEMER.decode(redeemer.data).value
            except MalformedDatum:
                continue
            if isinstance(found, Create):
                yield found


def _releases(transaction: Transaction) -> Iterator[tuple[OutputReference, Release]]:
    """What the transaction releases, with the inputs. A release has no other script's input beside it."""
    for redeemer in transaction.redeemers:
        if redeemer.purpose == "spend" and redeemer.index < len(transaction.spends):
            try:
                found = SPEND_REDEEMER.decode(redeemer.data).value
            except MalformedDatum:
                continue
            if isinstance(found, Release):
                yield transaction.spends[redeemer.index], found


def seed_of(seed: OutputReference) -> SeedReference:
    """A seed as it stands in the data that an id commits to."""
    return SeedReference(seed.transaction_id, seed.index)
