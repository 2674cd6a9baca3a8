"""What goes wrong between a client and Kupo: a status, and a sentence for whoever reads the answer.

Status and shape are Kupo's. The sentences are ours: they say the same, and no program should rely on either.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from indexer.chain.point import Place


class Failure(Exception):
    """A request that is answered by a hint, and sometimes by details (as JSON holds them)."""

    def __init__(self, status: HTTPStatus, hint: str, details: Any = None) -> None:
        super().__init__(hint)
        self.status, self.hint, self.details = status, hint, details


def not_found() -> Failure:
    return Failure(HTTPStatus.NOT_FOUND, "There is no such endpoint.")


def method() -> Failure:
    return Failure(HTTPStatus.NOT_ACCEPTABLE, "This endpoint exists, but it does not take this method.")


def busy() -> Failure:
    return Failure(
        HTTPStatus.SERVICE_UNAVAILABLE, "The server is too busy to take this request now: send it again a little later."
    )


def content_type() -> Failure:
    return _bad("The 'Accept' header asks for something that is neither 'application/json' nor 'text/plain'.")


def pattern() -> Failure:
    return _bad(
        "Not a valid pattern: give an address, credentials, an asset, an output reference, or the wildcard '*'."
    )


def patterns(valid: Iterable[object]) -> Failure:
    return _bad(f"The list holds something that is not a valid pattern. These are valid: {', '.join(map(str, valid))}.")


def index_only() -> Failure:
    return _bad("Metadata labels select what is indexed; it is not possible to query by them.")


def slot_range() -> Failure:
    return _bad("Not a valid slot range: give at most one lower and one upper bound, each a slot or SLOT.HEADERHASH.")


def status_flag() -> Failure:
    return _bad("Give either '?spent' or '?unspent', without a value, or none of them.")


def resolve_flag() -> Failure:
    return _bad("'?resolve_hashes' is a flag: it takes no value.")


def match_filter() -> Failure:
    return _bad(
        "Not a valid filter: 'asset_name' goes with 'policy_id' and 'output_index' with 'transaction_id', the two do "
        "not go together, and ids and names are in base16."
    )


def order() -> Failure:
    return _bad("'order' is either 'most_recent_first' or 'oldest_first'.")


def metadata_filter() -> Failure:
    return _bad("Metadata can be filtered by 'transaction_id' alone, in base16.")


def strict() -> Failure:
    return _bad("This endpoint takes the flag '?strict', without a value, and nothing else.")


def slot() -> Failure:
    return _bad("The path has to end in an absolute slot number.")


def no_block() -> Failure:
    return _bad("No block at or after this slot is known; near the tip a rollback may just have removed it.")


def datum_hash() -> Failure:
    return _bad("Not a datum hash: that is a blake2b-256 digest, 64 digits in base16.")


def script_hash() -> Failure:
    return _bad("Not a script hash: that is a blake2b-224 digest, 56 digits in base16.")


def still_watched() -> Failure:
    return _bad("This pattern overlaps with one that is still active: remove that one first, then the matches.")


def malformed_point() -> Failure:
    return _bad("The body has to name where to roll back to: a slot, or a slot and a header hash.")


def unknown_point() -> Failure:
    return _bad("The point (or slot) is unknown; if it is very recent, a rollback may just have removed it.")


def other_point(requested: Place, ancestor: Any) -> Failure:
    return _bad(
        f"{requested} is not on the chain; another fork was probably adopted. 'details.ancestor' is the closest "
        "ancestor known: fetch again from there, or from the beginning.",
        {"ancestor": ancestor},
    )


def beyond_safe_zone() -> Failure:
    return _bad(
        "The point is further back than the safe zone of 36 hours; to go there nevertheless, set 'limit' to "
        "'unsafe_allow_beyond_safe_zone'."
    )


def rollback_failed() -> Failure:
    return Failure(
        HTTPStatus.INTERNAL_SERVER_ERROR, "It was not possible to roll back to this point; nothing has changed."
    )


def _bad(hint: str, details: Any = None) -> Failure:
    return Failure(HTTPStatus.BAD_REQUEST, hint, details)
