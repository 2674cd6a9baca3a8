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
