"""What the imitated node and its Ogmios say of themselves, and the frames and pages they say it in."""

import struct
from http import HTTPStatus
from typing import Any, Final

from websockets.datastructures import Headers
from websockets.http11 import Response

from tests.support.json_text import compact
from tests.support.making import refused

NETWORKS: Final = {764824073: "mainnet", 1: "preprod", 2: "preview", 4: "sanchonet"}
ERA: Final = {
    "start": {"time": {"seconds": 0}, "slot": 0, "epoch": 0},
    "end": {"time": {"seconds": 432_000_000}, "slot": 432_000_000, "epoch": 1000},
    "parameters": {"epochLength": 432_000, "slotLength": {"milliseconds": 1000}, "safeZone": 129_600},
}
INTERLEAVED: Final = {
    "code": 1001,
    "message": "Cannot interleave 'findIntersection' requests with 'nextBlock'. Note that you should never face "
    "this error. If you do, please open an issue.",
}
DOWN: Final = '{"code":-32000,"id":null,"message":"Connection with the node lost or failed."}'


def genesis(magic: int, start_time: str, security_parameter: int) -> dict[str, Any]:
    """The Shelley genesis, abridged."""
    return {
        "era": "shelley",
        "startTime": start_time,
        "networkMagic": magic,
        "network": "mainnet" if NETWORKS.get(magic) == "mainnet" else "testnet",
        "activeSlotsCoefficient": "1/20",
        "securityParameter": security_parameter,
        "epochLength": 432_000,
        "slotsPerKesPeriod": 129_600,
        "maxKesEvolutions": 62,
        "slotLength": {"milliseconds": 1000},
        "updateQuorum": 5,
        "maxLovelaceSupply": 45_000_000_000_000_000,
        "initialParameters": {"minFeeCoefficient": 44, "minFeeConstant": {"ada": {"lovelace": 155_381}}},
        "initialDelegates": [],
        "initialFunds": {},
        "initialStakePools": {"stakePools": {}, "delegators": {}},
    }


def invalid(what: str, asked_id: Any) -> bytes:
    """The refusal of a message that is no request."""
    return refused(None, {"code": -32600, "message": f"Invalid request: {what}."}, asked_id)


def http_json(status: HTTPStatus, body: Any) -> Response:
    """An HTTP answer with a JSON document."""
    data = compact(body).encode()
    headers = Headers()
    headers["Content-Type"] = "application/json; charset=utf-8"
    headers["Content-Length"] = str(len(data))
    headers["Connection"] = "close"
    return Response(status.value, status.phrase, headers, data)


def text_frame(payload: bytes) -> bytes:
    """An unmasked text frame."""
    if len(payload) < 126:
        return bytes([0x81, len(payload)]) + payload
    if len(payload) < 65536:
        return b"\x81\x7e" + struct.pack("!H", len(payload)) + payload
    return b"\x81\x7f" + struct.pack("!Q", len(payload)) + payload
