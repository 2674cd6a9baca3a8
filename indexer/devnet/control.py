"""The control face: forks, stalls and gifts on command, JSON over HTTP. Devnet only, never part of `run`."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from indexer.devnet.http import Request, Response
from indexer.devnet.ledger.addresses import read_address
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.mempool import MempoolFull
from indexer.devnet.ogmios.examples import example
from indexer.devnet.ogmios.places import shown_place
from indexer.devnet.recording import point_of
from indexer.devnet.websocket import encode
from indexer.errors import IndexerError

if TYPE_CHECKING:
    from indexer.devnet.running import Devnet

MOST_BLOCKS: Final = 10_000  # made by one request
MOST_SLOTS: Final = 100_000_000  # skipped by one request: three years of seconds

Fields: TypeAlias = Mapping[str, Any]


class ControlRefused(IndexerError):
    """A request to the control face cannot be understood, or not be done."""

    code = "devnet.control_refused"
    hint = "see the table of the control face in docs/devnet.md"


class Control:
    """Answers for a devnet. Each answer comes when it has happened, and tells the new state."""

    def __init__(self, devnet: "Devnet") -> None:
        self._devnet = devnet
        self._commands: Mapping[str, Callable[[Fields], Fields]] = {
            "faucet": self._faucet,
            "blocks": self._blocks,
            "fork": self._fork,
            "stall": self._stall,
            "disconnect": self._disconnect,
            "reject": self._reject,
            "lose-replies": self._lose_replies,
            "time": self._time,
        }

    def answer(self, request: Request) -> Response:
        """Do what is asked."""
        if request.path == ("state",):
            return _answered(self.state()) if request.method == "GET" else _status(HTTPStatus.METHOD_NOT_ALLOWED)
        command = self._commands.get("/".join(request.path))
        if command is None:
            return _status(HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return _status(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            told = command(_fields(request.body))
            return _answered({**told, **self.state()})
        except Refused as error:
            shown = error.refusal
            return _error(f"ogmios.{shown.code}", shown.message, ControlRefused.hint)
        except MempoolFull:
            return _error(ControlRefused.code, "the mempool is full", "make blocks first")
        except IndexerError as error:
            return _error(error.code, str(error), error.hint)

    def state(self) -> dict[str, Any]:
        """Where the devnet stands."""
        node = self._devnet.node
        tip = node.tip
        place = None if tip is None else point_of(tip)
        return {
            "tip": "origin" if tip is None or place is None else {**shown_place(place), "height": tip.height},
            "magic": node.genesis.magic,
            "k": node.genesis.k,
            "slot": node.clock.slot,
            "mempool": [pending.transaction.id.hex() for pending in node.mempool],
            "faucet": {
                "address": self._devnet.faucet_address,
                "signing_key_file": str(self._devnet.faucet_key_file),
            },
        }

    def _faucet(self, fields: Fields) -> Fields:
        address, lovelace = _address(_take(fields, "address", str)), _number(fields, "lovelace", 1, 1 << 62)
        transaction = self._devnet.node.faucet(address, lovelace)
        self._devnet.node.make_block()
        return {"transaction": transaction.hex()}

    def _blocks(self, fields: Fields) -> Fields:
        for _ in range(_number(fields, "count", 1, MOST_BLOCKS, 1)):
            self._devnet.node.make_block()
        return {}

    def _fork(self, fields: Fields) -> Fields:
        depth, blocks = _number(fields, "depth", 0, MOST_BLOCKS), _number(fields, "blocks", 0, MOST_BLOCKS)
        drop = [_transaction_id(each) for each in _take(fields, "drop", list, [])]
        self._devnet.node.fork(depth, blocks, drop)
        return {}

    def _stall(self, fields: Fields) -> Fields:
        seconds = fields.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 86_400:
            raise ControlRefused("`seconds` must be a number from 0 to 86,400")
        self._devnet.ogmios.stall(float(seconds))
        return {}

    def _disconnect(self, _fields: Fields) -> Fields:
        self._devnet.ogmios.drop_connections()
        return {}

    def _reject(self, fields: Fields) -> Fields:
        code, count = _number(fields, "code", -(1 << 31), 1 << 31), _number(fields, "count", 1, MOST_BLOCKS, 1)
        self._devnet.ogmios.reject(example(code), count)
        return {}

    def _lose_replies(self, fields: Fields) -> Fields:
        self._devnet.ogmios.lose_replies(_number(fields, "count", 1, MOST_BLOCKS, 1))
        return {}

    def _time(self, fields: Fields) -> Fields:
        self._devnet.node.skip(_number(fields, "slots", 1, MOST_SLOTS))
        return {}


def _fields(body: bytes) -> Fields:
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ControlRefused("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise ControlRefused("the body is not a JSON object")
    return fields


def _take(fields: Fields, name: str, kind: type, default: Any = None) -> Any:
    value = fields.get(name, default)
    if not isinstance(value, kind):
        raise ControlRefused(f"`{name}` must be a {kind.__name__}")
    return value


def _number(fields: Fields, name: str, least: int, most: int, default: int | None = None) -> int:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ControlRefused(f"`{name}` must be a whole number from {least:,} to {most:,}")
    return value


def _transaction_id(value: Any) -> bytes:
    try:
        raw = bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise ControlRefused(f"{value!r} is no transaction id") from error
    if len(raw) != 32:
        raise ControlRefused(f"{value!r} is no transaction id")
    return raw


def _address(text: str) -> bytes:
    try:
        return read_address(text)
    except ValueError as error:
        raise ControlRefused(str(error)) from error


def _answered(value: Fields) -> Response:
    return Response(HTTPStatus.OK, {"Content-Type": "application/json"}, encode(value))


def _status(status: HTTPStatus) -> Response:
    return Response(status, {"Content-Type": "application/json"}, encode({"error": {"message": status.phrase}}))


def _error(code: str, message: str, hint: str) -> Response:
    body = encode({"error": {"code": code, "message": message, "hint": hint}})
    return Response(HTTPStatus.BAD_REQUEST, {"Content-Type": "application/json"}, body)
