"""What `attest --publish` and `commit-milestone --publish` do: put signatures on the chain, each with a deposit."""

import asyncio
from pathlib import Path
from typing import Final, Literal

from indexer.chain.point import slot_of
from indexer.cli import find, refusals
from indexer.cli.attests import Matter
from indexer.cli.commits import GOOD, read_document, verdicts_on
from indexer.cli.outputs import Output
from indexer.cli.reaching import contract_of
from indexer.cli.spending import Desk, Means, Transaction, conclude, prepare
from indexer.cli.told import ada, shortened
from indexer.config import Config
from indexer.domain.life import Life
from indexer.domain.quorum import Source
from indexer.edge.builder.intents import Publish
from indexer.edge.keys import Key
from indexer.plutus.datum import Attestation
from indexer.plutus.identity import shown_milestone
from indexer.store import checkpoints, lives
from indexer.workers.sent import purpose

_SHOWN_ON_CHAIN: Final = frozenset((Source.CHAIN, Source.RELEASE))


class PublishedSignature(Output):
    """A signature: `now` published in an output (`reference`, `deposit` in lovelace), or on the chain `before`."""

    oracle: str
    signature: str
    published: Literal["now", "before"]
    reference: str | None
    deposit: int | None
    transaction: Transaction | None


class Published(Output):
    """Signatures of a milestone that are on the chain. `refund_to`: hash of the key that has the deposits back."""

    distribution_id: str
    milestone_id: str
    refund_to: str
    signatures: tuple[PublishedSignature, ...]

    def told(self) -> str:
        """In words."""
        lines = []
        for one in self.signatures:
            lines.append(f"signature of  {shortened(one.oracle)}")
            if one.transaction is None:
                lines.append("              is on the chain already")
            else:
                lines += one.transaction.lines()
                lines.append(f"deposit       {ada(one.deposit or 0)} ada, back with:")
                lines.append(f"              indexer withdraw-attestation {one.reference}")
        return "\n".join(lines)


def attest(config: Config, means: Means, matter: Matter, key: Key, *, again: bool) -> Published:
    """Sign, and publish the signature. Raises AlreadyPublished, and what `prepare` and `conclude` raise."""
    signature = key.sign(matter.message)
    known = _on_chain(matter.life, matter.milestone)
    if key.public in {oracle for oracle, _ in known} and not again:
        raise refusals.AlreadyPublished(
            f"a signature of oracle {key.public.hex()} for {shown_milestone(matter.milestone)} is on the chain"
        )
    done = [_publish(config, means, matter.life, matter.milestone, key.public, signature, again=again)]
    return _told(means, matter.life, matter.milestone, done)


def commit(config: Config, means: Means, path: Path, *, again: bool) -> Published:
    """Publish the signatures of a file that verify and are not on the chain yet, one transaction each.

    Raises FileUnusable, DocumentInvalid, DistributionUnknown, NothingValid, AlreadyPublished, OneAtATime, and what
    `prepare` and `conclude` raise.
    """
    document = read_document(path)
    life, slot = asyncio.run(_life(config, document.distribution_id))
    if life.origin is None:
        raise refusals.DistributionUnknown(
            f"the database holds no distribution {life.id.hex()}, so nothing can be verified"
        )
    verdicts = verdicts_on(life, document, slot)
    good = [one for one, verdict in verdicts if verdict in GOOD]
    if not good:
        told = ", ".join(f"{one.oracle.hex()[:16]}… {verdict}" for one, verdict in verdicts)
        raise refusals.NothingValid(f"{path} holds no signature that verifies: {told or 'none at all'}")
    known = frozenset() if again else _on_chain(life, document.milestone_id)
    new = [one for one in good if (one.oracle, one.signature) not in known]
    if not new:
        raise refusals.AlreadyPublished(f"all {len(good)} signatures of {path} that verify are on the chain")
    if means.out is not None and len(new) > 1:
        raise refusals.OneAtATime(f"{path} holds {len(new)} signatures to publish, and --out takes one transaction")
    done = [
        PublishedSignature(
            oracle=one.oracle.hex(),
            signature=one.signature.hex(),
            published="before",
            reference=None,
            deposit=None,
            transaction=None,
        )
        for one in good
        if one not in new
    ]
    done += [
        _publish(config, means, life, document.milestone_id, one.oracle, one.signature, again=again)  # in turn
        for one in new
    ]
    return _told(means, life, document.milestone_id, done)


async def _life(config: Config, distribution_id: bytes) -> tuple[Life, int]:
    async with find.moment(config.database.path) as db:
        standing = await checkpoints.read(db)
        life = (await lives.load(db, [distribution_id]))[distribution_id]
    return life, max(0, slot_of(standing.cursor.place))


def _on_chain(life: Life, milestone: bytes) -> frozenset[tuple[bytes, bytes]]:
    """The signatures that blocks show and that verify: oracle, signature."""
    return frozenset(
        (one.oracle, one.signature)
        for one in life.signatures
        if one.source in _SHOWN_ON_CHAIN and one.milestone_id == milestone and one.verifies
    )


def _publish(
    config: Config, means: Means, life: Life, milestone: bytes, oracle: bytes, signature: bytes, *, again: bool
) -> PublishedSignature:
    assert life.origin is not None
    contract = contract_of(config, life.origin.policy)
    attestation = Attestation(life.id, milestone, oracle, signature, means.payer[1:29])
    wanted = purpose("publish", contract.hash, life.id, milestone, oracle, signature)

    async def make(_: Desk) -> Publish:
        return Publish(attestation)

    built = asyncio.run(prepare(config, means, contract, wanted, make, again=again, runs_scripts=False))
    deposit = built.outputs[0].lovelace
    title = (
        f"Publish the signature of oracle {oracle.hex()}\n"
        f"  that milestone {shown_milestone(milestone)} of distribution {life.id.hex()} is complete;\n"
        f"  {ada(deposit)} ada are a deposit, for key {attestation.refund_to.hex()}"
    )
    made = conclude(config, means, built, wanted, title)
    return PublishedSignature(
        oracle=oracle.hex(),
        signature=signature.hex(),
        published="now",
        reference=f"{made.transaction_id}#0",
        deposit=deposit,
        transaction=made,
    )


def _told(means: Means, life: Life, milestone: bytes, done: list[PublishedSignature]) -> Published:
    return Published(
        distribution_id=life.id.hex(),
        milestone_id=shown_milestone(milestone),
        refund_to=means.payer[1:29].hex(),
        signatures=tuple(done),
    )
