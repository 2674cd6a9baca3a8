"""Why a transaction cannot be built, or must not be sent. All of them come before anything is sent."""

from indexer.errors import IndexerError


class NotBuilt(IndexerError):
    """What the errors below have in common; not raised by itself."""

    code = "builder.not_built"


# --- what is wanted


class NotPossible(NotBuilt):
    """What is wanted cannot be, whoever pays: the contract would say no."""

    code = "builder.not_possible"
    hint = "the message says which rule of the contract stands against it"


class NotDue(NotBuilt):
    """Its time has not come: the chain's tip lies before the first slot in which it is valid."""

    code = "builder.not_due"
    hint = "try again after the time in the message"


class BeyondForecast(NotBuilt):
    """The times of validity lie where the node cannot foresee slots."""

    code = "builder.beyond_forecast"
    hint = "is the node in sync? If it is, choose a shorter validity"


class ScriptNotPublished(NotBuilt):
    """The output that should hold the contract's script holds none, or another."""

    code = "builder.script_not_published"
    hint = "publish it with `indexer deploy`, and name that output in [[contract]] reference"


# --- who pays


class FundsMissing(NotBuilt):
    """The coins that may be spent do not suffice. Coins with tokens, scripts or datums are left alone."""

    code = "builder.funds_missing"
    hint = "send more ada to the address, in a coin without tokens"


class TokensMissing(FundsMissing):
    """The coins that may be spent do not hold enough of the token that is to be locked."""

    code = "builder.tokens_missing"
    hint = "send the missing tokens to the address"


class CollateralMissing(NotBuilt):
    """No coin of ada alone can stand in as collateral."""

    code = "builder.collateral_missing"
    hint = "send 5 ada to the address, in a coin of its own without tokens"


# --- the network's limits


class LimitExceeded(NotBuilt):
    """A limit of the network is exceeded. What the limits below have in common; not raised by itself."""

    code = "builder.limit_exceeded"
    hint = "split it: fewer allocations in one transaction"


class TransactionTooLarge(LimitExceeded):
    """It has more bytes than a transaction may have."""

    code = "builder.transaction_too_large"


class ValueTooLarge(LimitExceeded):
    """An output would hold more kinds of tokens than an output may."""

    code = "builder.value_too_large"
    hint = "send the token to be paid to a coin of its own first, without so many others"


class UnitsExceeded(LimitExceeded):
    """Scripts need more memory or steps than a transaction may use."""

    code = "builder.units_exceeded"


class ScriptsTooLarge(LimitExceeded):
    """Reference scripts are larger than a transaction may use."""

    code = "builder.scripts_too_large"
    hint = "do not spend coins that carry scripts"


class LanguageUnknown(LimitExceeded):
    """The network has no cost model for the contract's language."""

    code = "builder.language_unknown"
    hint = "the network has to be in Conway (protocol 9) or later"


class NotSettled(NotBuilt):
    """Coins, fee and units did not come to rest: each choice asked for another."""

    code = "builder.not_settled"
    hint = "try again; if it stays, report it with the message"


class LossTooLarge(NotBuilt):
    """It would cost the wallet more than it may."""

    code = "builder.loss_too_large"
    hint = "raise the limit, or let somebody else pay"


class TooDear(NotBuilt):
    """By what the node tells of prices it would cost, or stake, more than a transaction of ours ever has to."""

    code = "builder.too_dear"
    hint = "which node answers? If the network really has such prices, a new version has to be tried with them first"


# --- signing, and the last look


class SignatureWrong(NotBuilt):
    """A signature is not one of this transaction by that key."""

    code = "builder.signature_wrong"
    hint = "sign the file that was written last, with the key it names"


class SignatureMissing(NotBuilt):
    """Somebody who has to sign did not."""

    code = "builder.signature_missing"
    hint = "the message names the key hashes: give a key file or a witness of each"


class NotAsIntended(IndexerError):
    """The bytes of a transaction do not do what was intended. Nothing was sent."""

    code = "builder.not_as_intended"
    hint = "a bug: report it with the message; no money has moved"
    exit_code = 70
