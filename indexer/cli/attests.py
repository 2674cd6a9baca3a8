"""What `attest` does: make sure of what is to be signed, show it, sign it, and write the signature to a file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from indexer import errors
from indexer.chain.network import Network
from indexer.chain.time import iso
from indexer.cli import find, refusals
from indexer.cli.outputs import Output
from indexer.cli.tokens import Tokens
from indexer.cli.told import ada, table
from indexer.config import Config
from indexer.documents import MAX_BYTES, MilestoneCompletionData, OracleSignature, parse, render, union
from indexer.domain.facts import seed_of
from indexer.domain.life import Life, assess
from indexer.domain.quorum import Tally, verifies
from indexer.edge.files import read_up_to, replaced
from indexer.edge.keys import Key, read_key
from indexer.plutus.address import address_text
from indexer.plutus.identity import distribution_id, message_to_sign, shown_milestone
from indexer.store import checkpoints


@dataclass(frozen=True)
class Matter:
    """What an oracle is asked to sign."""

    life: Life
    milestone: bytes
    tally: Tally
    network: Network
    tokens: Tokens

    @property
    def message(self) -> bytes:
        """The 32 bytes to sign."""
        assert self.life.origin is not None
        return message_to_sign(self.life.origin.policy, self.life.id, self.milestone)

    def told(self) -> str:
        """The terms that the signature is over, as far as the milestone is concerned."""
        terms = self.life.terms
        token = terms.token.policy_id.hex(), terms.token.asset_name.hex()
        ours = [(i, one) for i, one in enumerate(terms.allocations) if one.milestone_id == self.milestone]
        rows = [
            (
                index,
                address_text(one.beneficiary, self.network.id),
                self.tokens.number(*token, one.token_amount),
                iso(one.vesting_timestamp),
                "paid" if index in self.life.claims else "",
            )
            for index, one in ours
        ]
        total = sum(one.token_amount for _, one in ours)
        carried, fee = ada(terms.lovelace_per_payout), ada(terms.keeper_fee_per_payout)
        return "\n".join(
            (
                f"You sign that milestone {shown_milestone(self.milestone)} is complete, of distribution",
                f"  {self.life.id.hex()} ({self.life.state}, on {self.network.name}).",
                "Its id was reckoned anew from its seed and these terms:",
                "",
                f"token      {self.tokens.unit(*token)}{f' (policy {token[0]}, name {token[1]})' if token[0] else ''}",
                f"in all     {self.tokens.number(*token, total)} for this milestone",
                f"quorum     {terms.quorum_threshold} of {len(terms.oracles)}; signed so far: {len(self.tally.valid)}",
                f"funder     {terms.funder.hex()}",
                f"a payout   carries {carried} ada, and pays its keeper {fee} ada",
                f"expires    {'never' if terms.expires_at is None else iso(terms.expires_at)}",
                "",
                table(("", "beneficiary", "amount", "not before", ""), rows, frozenset((0, 2))),
            )
        )


class Attested(Output):
    """A signature, and the file that holds it: `signatures` in all. `quorum_status` as the database knows it, this one
    not counted."""

    distribution_id: str
    milestone_id: str
    oracle: str
    signature: str
    message: str
    file: str
    signatures: int
    quorum_status: Literal["pending", "met", "exceeded"]

    def told(self) -> str:
        """In words."""
        return "\n".join(
            (
                "",
                f"signed; {self.file} holds {self.signatures} signature{'s' * (self.signatures != 1)}",
                f"whoever gathers them stores it with `indexer commit-milestone {self.file}`",
            )
        )


async def prepare(config: Config, distribution: str, milestone: str) -> Matter:
    """What there is to sign. Raises what `find` raises, and TermsDiffer."""
    async with find.moment(config.database.path) as db:
        standing = await checkpoints.read(db)
        life = await find.life_of(db, distribution)
    assert life.origin is not None
    chosen = find.milestone_of(life, milestone)
    reckoned = distribution_id(seed_of(life.origin.seed), life.terms)
    if reckoned != life.id:
        raise refusals.TermsDiffer(
            f"the terms in the database are not those of distribution {life.id.hex()}: their id is {reckoned.hex()}"
        )
    return Matter(life, chosen, assess(life)[0][chosen], standing.network, Tokens.of(config.token))


def signer_of(matter: Matter, path: Path) -> Key:
    """The oracle's key. Raises FileUnusable, KeyUnusable or NotAnOracle."""
    key = read_key(path)
    if key.public not in matter.life.terms.oracles:
        raise refusals.NotAnOracle(
            f"{path} is the key {key.public.hex()}, which is no oracle of distribution {matter.life.id.hex()}"
        )
    return key


def sign(matter: Matter, key: Key, out: Path | None) -> Attested:
    """Sign, and write the signature to a file. Raises FileUnusable, or DocumentInvalid where the file is about
    something else."""
    signature = key.sign(matter.message)
    assert verifies(key.public, signature, matter.message)
    one = OracleSignature(oracle=key.public, signature=signature)
    path = Path(f"{matter.life.id.hex()[:16]}-{matter.milestone.hex()}.json") if out is None else out
    try:
        with _alone(path.parent):
            document = _with(path, matter, one)
            with replaced(path) as file:
                file.write(render(document))
    except OSError as error:
        raise errors.FileUnusable(f"cannot write {path}: {error.strerror}") from error
    return Attested(
        distribution_id=matter.life.id.hex(),
        milestone_id=shown_milestone(matter.milestone),
        oracle=key.public.hex(),
        signature=signature.hex(),
        message=matter.message.hex(),
        file=str(path),
        signatures=len(document.oracle_signatures),
        quorum_status=matter.tally.status.value,
    )


def _with(path: Path, matter: Matter, one: OracleSignature) -> MilestoneCompletionData:
    """The document with one signature more; a new one where there is no file."""
    held: tuple[OracleSignature, ...] = ()
    if path.exists():
        there = parse(MilestoneCompletionData, read_up_to(path, MAX_BYTES), str(path))
        if (there.distribution_id, there.milestone_id) != (matter.life.id, matter.milestone):
            raise errors.DocumentInvalid(
                f"{path} is about milestone {shown_milestone(there.milestone_id)} of {there.distribution_id.hex()}",
                hint="give another name with --out",
            )
        held = there.oracle_signatures
    return MilestoneCompletionData(
        distribution_id=matter.life.id,
        milestone_id=matter.milestone,
        oracle_signatures=union([*held, one]),
        verification_timestamp=datetime.now(UTC).replace(microsecond=0),
        quorum_status=matter.tally.status.value,
        quorum_threshold=matter.tally.threshold,
        total_oracles=len(matter.life.terms.oracles),
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other `attest` writes into the folder meanwhile: two may add to one file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
