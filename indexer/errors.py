"""Named errors. Each says what happened, and how to get out.

`code` is for programs, `hint` for people, `exit_code` for the shell: 1 refused, 2 usage or configuration,
3 a service cannot be reached, 70 a bug or a block that cannot be understood.
"""

from typing import Final

from indexer.chain.point import Place, Tip

LONGEST: Final = 4_000  # characters of a sentence: what a peer says may be in it, at any length


def printable(text: str, most: int = LONGEST) -> str:
    """Text in one line that no terminal obeys, with nothing in it that cannot be seen, and no more than `most`
    characters of it: what a peer or a stranger says ends up in logs and on screens."""
    cut = text if len(text) <= most else f"{text[:most]}…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in cut)


class IndexerError(Exception):
    """Something we foresaw. `str(error)` is one printable sentence; `hint` says what to do about it."""

    code = "indexer.error"
    hint = "see docs/runbook.md"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(printable(message))
        if hint is not None:
            self.hint = printable(hint)


# --- configuration and the command line


class ConfigInvalid(IndexerError):
    """config.toml, an environment variable or an option cannot be used as it is."""

    code = "config.invalid"
    hint = "see the comments in config.toml; `indexer init` writes one that works"
    exit_code = 2


class FileUnusable(IndexerError):
    """A file that configuration or command line names cannot be read, or is readable by too many."""

    code = "config.file_unusable"
    hint = "check the path and its permissions"
    exit_code = 2


class NotConfirmed(IndexerError):
    """A command that drops or signs something was not told to go ahead."""

    code = "command.not_confirmed"
    hint = "say --yes"


# --- the chain, as the node tells it: a new session may help


class SessionBroken(IndexerError):
    """This chain-sync session cannot go on; a fresh one can, from what is committed."""

    code = "ogmios.session_broken"
    hint = "the follower reconnects by itself; if it keeps happening, look at Ogmios' log"
    exit_code = 3


class Unreachable(SessionBroken):
    """Ogmios cannot be reached, or closed the connection."""

    code = "ogmios.unreachable"
    hint = "is Ogmios running, and is [ogmios] url right? `indexer init` checks both"


class RequestTimedOut(SessionBroken):
    """Ogmios owes us a reply and does not send it."""

    code = "ogmios.request_timed_out"


class ReplyGarbled(SessionBroken):
    """What came is not a reply that Ogmios would send here."""

    code = "ogmios.reply_garbled"


class RequestRefused(SessionBroken):
    """Ogmios answered a request with a JSON-RPC error."""

    code = "ogmios.request_refused"


class AncestorMismatch(SessionBroken):
    """A block does not follow the one before it."""

    code = "chain.ancestor_mismatch"


class RollbackPointUnknown(SessionBroken):
    """The node rolls back to a point between those we remember."""

    code = "chain.rollback_point_unknown"


# --- the chain: no session helps


class WrongNetwork(IndexerError):
    """The node follows another network than ours."""

    code = "chain.wrong_network"
    hint = "correct `network` in config.toml, or point [ogmios] url at a node of that network"


class ContractDropped(IndexerError):
    """The configuration no longer names a contract that holds open distributions."""

    code = "contract.dropped"
    hint = "name its blueprint in [[contract]] again; if nobody is to be paid from it, `indexer rebuild` forgets it"


class IntersectionNotFound(IndexerError):
    """Ogmios knows none of the points we remember."""

    code = "chain.intersection_not_found"
    hint = (
        "another chain of the same network, or a fork deeper than what is kept: check the node, then "
        "`indexer rebuild` to read it anew"
    )

    def __init__(self, newest: Place, tip: Tip | object) -> None:
        super().__init__(f"the node (tip {_tip(tip)}) knows none of the points we remember, newest {newest}")


class SincePointUnknown(IndexerError):
    """The node does not know the point from which to start."""

    code = "chain.since_point_unknown"
    hint = "give a point of this network as SLOT.ID (a slot and a block id), or `origin` or `tip`"


class IntersectionTooDeep(IndexerError):
    """The node's chain left ours more than k blocks ago."""

    code = "chain.intersection_too_deep"

    def __init__(self, found: Place, depth: int, k: int) -> None:
        super().__init__(
            f"the node's chain left ours {depth} blocks ago, at {found}; no honest fork is deeper than {k}",
            hint=f"check the node; if it is right, accept its chain with `indexer rollback {found}`",
        )


class BlockNotUnderstood(IndexerError):
    """A block that may concern us cannot be understood. The cursor stays before it."""

    code = "chain.block_not_understood"
    hint = "nothing was lost: update the indexer, then start it again; it goes on from the block before"
    exit_code = 70

    def __init__(self, where: object, reason: str) -> None:
        super().__init__(f"block {where} cannot be understood: {reason}")
        self.where, self.reason = where, printable(reason)


class UntilPassed(IndexerError):
    """The chain went past the slot of `--until` without meeting that block."""

    code = "chain.until_not_on_chain"
    hint = "the point is not on the node's chain; check the slot and the id"


# --- what our contract writes, and the contract itself


class MalformedDatum(IndexerError):
    """Bytes that are no Plutus Data, or not of the form they should have. Anyone may write such a datum."""

    code = "plutus.malformed"
    hint = "whoever wrote it has to write it anew; no other output is concerned"

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason, self.place = reason, place


class BlueprintInvalid(IndexerError):
    """The file is no blueprint of a Plutus V3 validator that mints and spends."""

    code = "blueprint.invalid"
    hint = "[[contract]] blueprint names the plutus.json that came with this version"
    exit_code = 2


class BlueprintInconsistent(BlueprintInvalid):
    """The blueprint contradicts itself: its code, or its hash, is of something else."""

    code = "blueprint.inconsistent"
    hint = "the file was altered: take the plutus.json that came with this version, or build it anew"


class BlueprintNotOurs(BlueprintInvalid):
    """The blueprint's datum or redeemers are not those that this version reads and writes."""

    code = "blueprint.not_ours"


# --- files that people exchange, and the local milestone data


class DocumentInvalid(IndexerError):
    """A file does not hold the document that it should hold."""

    code = "document.invalid"
    hint = "correct the file: its form is in schema/json"


class DocumentGarbled(DocumentInvalid):
    """A file is no JSON: it was cut short, or is something else."""

    code = "document.garbled"
    hint = "get the file anew from whoever wrote it"


class MilestoneDataUnusable(IndexerError):
    """The directory of local milestone data, or a file in it, cannot be read or written."""

    code = "milestones.unusable"
    hint = "check that [data] directory, and all below it, belongs to the user whom daemon and commands run as"


class MilestoneDataNoRoom(MilestoneDataUnusable):
    """The disk takes no more. What was stored before is untouched."""

    code = "milestones.no_room"
    hint = "make room on the disk of [data] directory (or raise the quota), then give the signatures again"


class MilestoneDataBusy(IndexerError):
    """Another process holds the lock of a distribution's milestone data for longer than we wait."""

    code = "milestones.busy"
    hint = "try again; if it lasts, look for a process that was stopped (Ctrl-Z) while it wrote"


class MilestoneFileUnfinished(IndexerError):
    """Another program seems to be writing this file at this moment. Nothing was changed."""

    code = "milestones.unfinished"
    hint = "try again in some seconds; a program that drops files should rename them into place when they are whole"


# --- Kupo: the index that the read model can be compared with


class KupoFailed(IndexerError):
    """Kupo did not answer as it should."""

    code = "kupo.failed"
    hint = "is Kupo well? Look at its log; `run` does not need it"
    exit_code = 3


class KupoNotConfigured(IndexerError):
    """The configuration names no Kupo."""

    code = "kupo.not_configured"
    hint = "set [kupo] url"
    exit_code = 2


class KupoUnreachable(KupoFailed):
    """Kupo cannot be reached."""

    code = "kupo.unreachable"
    hint = "is Kupo running, and is [kupo] url right? `indexer init` checks both"


class KupoTimedOut(KupoFailed):
    """Kupo takes longer than we wait: for a connection, between two pieces of an answer, or for all of it."""

    code = "kupo.timed_out"


class KupoBusy(KupoFailed):
    """Kupo has no connection to its database left, also after we waited."""

    code = "kupo.busy"
    hint = "others ask much of it: try again later, or give us a Kupo of our own (--read-only makes a replica)"


class KupoTruncated(KupoFailed):
    """An answer of Kupo breaks off, also when asked for again."""

    code = "kupo.truncated"
    hint = "Kupo ends an answer after 120 s, a proxy perhaps earlier: try again when it has less to do"


class KupoGarbled(KupoFailed):
    """What came is not what Kupo would answer."""

    code = "kupo.garbled"
    hint = "is it Kupo v2.12 that listens at [kupo] url, with nothing between that changes its answers?"


class KupoRefused(KupoFailed):
    """Kupo refused a request."""

    code = "kupo.refused"
    hint = "the sentence is Kupo's own; is it v2.12? For a hosted one, check [kupo] headers_file"


class KupoUnsteady(KupoFailed):
    """Kupo's chain changed under each of our attempts to read it."""

    code = "kupo.unsteady"
    hint = "try again: it restores, or follows a node that changes its mind"


class NoCommonPoint(IndexerError):
    """Database and Kupo know no block in common."""

    code = "kupo.no_common_point"
    hint = "if Kupo still catches up, wait for it; else it follows another network, or another fork"


class PatternNotIndexed(IndexerError):
    """Kupo does not index what we watch."""

    code = "kupo.pattern_not_indexed"
    hint = "start Kupo with --match for it, or `PUT /patterns/…` with a point before its first use"


# --- the database


class DatabaseUnusable(IndexerError):
    """The database cannot be opened, or the disk does not take more."""

    code = "database.unusable"
    hint = "check path, permissions and free room; what is committed is safe, and the next run goes on from there"


class DatabaseBusy(SessionBroken):
    """Another process holds the database for longer than we wait. The follower tries again for ever."""

    code = "database.busy"
    hint = "let whatever writes to it finish (a VACUUM, an open transaction): only the daemon should write"
    exit_code = 1


class SchemaTooNew(IndexerError):
    """The database was written by a later version."""

    code = "database.schema_too_new"
    hint = "run the version that wrote it, or delete the database: `indexer run` reads the chain anew"


class AnotherNetworkInDatabase(IndexerError):
    """The database holds another network."""

    code = "database.another_network"
    hint = "give each network a database of its own: [database] path"


class AlreadyRunning(IndexerError):
    """Somebody else writes to this database."""

    code = "database.locked"
    hint = "stop the other process first, or give this one a database of its own"


class PointNotKept(IndexerError):
    """A rollback to a point that the database does not know."""

    code = "database.point_not_kept"
    hint = "recent points are in the view `blocks`; for anything older: `indexer rebuild`"


class NoDatabase(IndexerError):
    """There is no database yet."""

    code = "database.missing"
    hint = "start the follower: `indexer run`, or try it without a node: `indexer demo`"


class PortTaken(IndexerError):
    """Something already listens where we want to."""

    code = "http.port_taken"
    hint = "choose another address: [http] listen"


def _tip(tip: object) -> str:
    return f"{tip.point} at height {tip.height}" if isinstance(tip, Tip) else "origin"
