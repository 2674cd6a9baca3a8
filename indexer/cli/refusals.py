"""What commands about distributions refuse to do. The other errors are in `indexer.errors`."""

from indexer.errors import IndexerError


class DistributionUnknown(IndexerError):
    """The database holds no distribution of that id."""

    code = "distribution.unknown"
    hint = "check the id, and with `indexer check-status` whether the follower has come as far as its creation"


class DistributionAmbiguous(IndexerError):
    """More than one distribution's id begins like that."""

    code = "distribution.ambiguous"
    hint = "give more digits of the id"


class MilestoneUnknown(IndexerError):
    """The distribution has no such milestone."""

    code = "milestone.unknown"
    hint = "give one of the milestones that `indexer check-status DISTRIBUTION` lists"


class ReleaseUnknown(IndexerError):
    """The journal has no release of that id."""

    code = "release.unknown"
    hint = "`indexer releases` lists them; a journal is deleted with its database"


class StateUnknown(IndexerError):
    """A release is never in a state of that name."""

    code = "release.state_unknown"
    exit_code = 2


class SlotNotHeld(IndexerError):
    """What was true at that slot is not known: it lies before the start of our history, or after the cursor."""

    code = "status.slot_not_held"
    hint = "give a slot between `since` and the cursor: `indexer check-status` tells both"


class NothingValid(IndexerError):
    """None of the signatures given counts for anything."""

    code = "commit.nothing_valid"
    hint = "ask the oracles to sign anew with `indexer attest`, for this distribution and milestone, on this network"


class TermsDiffer(IndexerError):
    """The id of a distribution is not that of its seed and its terms as the database holds them."""

    code = "attest.terms_differ"
    hint = "do not sign. The database is damaged, or was altered: `indexer rebuild`, then `indexer run`"


class NotAnOracle(IndexerError):
    """The key is not one of the oracles of the distribution."""

    code = "attest.not_an_oracle"
    hint = "sign with the key that the distribution names: `indexer check-status DISTRIBUTION` lists them"


class ViewUnknown(IndexerError):
    """There is no view of that name."""

    code = "export.unknown_view"
    hint = "schema/README.md describes the views"
    exit_code = 2


class ExtraMissing(IndexerError):
    """What was asked for needs a package that is not installed."""

    code = "export.extra_missing"
    hint = "pip install 'milestone-indexer[parquet]', or export as csv or json"


class DashboardMissing(IndexerError):
    """The dashboard needs packages that are not installed."""

    code = "dashboard.extra_missing"
    hint = 'pip install "milestone-indexer[dashboard]"'
    exit_code = 2


# --- commands that spend


class PayerMissing(IndexerError):
    """A command that spends was not told who pays."""

    code = "wallet.payer_missing"
    hint = (
        "give --signing-key FILE, or name one in [keeper] signing_key; or, to sign elsewhere, --address ADDRESS with "
        "--out FILE"
    )
    exit_code = 2


class PayerUnusable(IndexerError):
    """The address that is to pay cannot: another network's, a script's, or another key's."""

    code = "wallet.payer_unusable"
    hint = "give the address of a key, on the network of the configuration, with the key that it belongs to"
    exit_code = 2


class NoContract(IndexerError):
    """The contract that is asked for is not in the configuration."""

    code = "contract.not_configured"
    hint = "name its blueprint in [[contract]]: `indexer init` writes one"
    exit_code = 2


class AlreadyPublished(IndexerError):
    """What is to be published lies on the chain already."""

    code = "publish.already_there"
    hint = "nothing is to be done; --again publishes another one"


class ReferenceUnreadable(IndexerError):
    """A text names no output."""

    code = "output.reference_unreadable"
    hint = "give the transaction's id and the number of the output, such as 5a29…0e2c#0"
    exit_code = 2


class OutputNotThere(IndexerError):
    """An output is not unspent."""

    code = "output.not_there"
    hint = "was it spent already, or is the block that makes it still to come? `indexer check-status` tells of both"


class NotAtContract(IndexerError):
    """An output does not lie at a contract of the configuration."""

    code = "output.not_at_contract"
    hint = "give an output at the contract's address; [[contract]] names the contracts"


class DistributionEnded(IndexerError):
    """A distribution is over: its funder had the rest back."""

    code = "distribution.ended"
    hint = "nothing is left of it"


class ScheduleRefused(IndexerError):
    """A schedule that could not be kept: nothing was created."""

    code = "schedule.refused"
    hint = "each part of the message names a field, what stands there, and what would be right"


class SameTermsOpen(IndexerError):
    """The funder has an open distribution with the very same terms."""

    code = "schedule.same_terms_open"
    hint = "it is there already; --again creates another one beside it"


class OneAtATime(IndexerError):
    """Several transactions are needed where one file was named for it."""

    code = "publish.one_at_a_time"
    hint = "publish with --signing-key, or give a file with one signature"


class TransactionForeign(IndexerError):
    """A file holds a transaction that no command of ours makes."""

    code = "transaction.foreign"
    hint = "send it with the wallet that made it"
