"""How Kupo says it is doing: as JSON, or in the text format of Prometheus."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from indexer.chain.point import Slot
from indexer.devnet.websocket import encode

VERSION: Final = "v2.12.0"
NEAR: Final = 4_000  # slots behind the node's tip that still count as in step


@dataclass(frozen=True, slots=True)
class Producer:
    """What Kupo knows of the node that it follows."""

    connected: bool
    tip: Slot | None
    since_last_block: float | None  # seconds
    synchronization: float | None  # of the node with the network: 0 to 1


def status(producer: Producer, checkpoint: Slot | None) -> HTTPStatus:
    """200 in step with the node, 202 on the way, 503 without a node."""
    if not producer.connected:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if checkpoint is None or producer.tip is None or producer.tip - checkpoint >= NEAR:
        return HTTPStatus.ACCEPTED
    return HTTPStatus.OK


def as_json(producer: Producer, checkpoint: Slot | None) -> bytes:
    """The members of the documented object; the progress always with five decimals."""
    synchronization, since = producer.synchronization, producer.since_last_block
    members = {
        "connection_status": encode("connected" if producer.connected else "disconnected"),
        "most_recent_checkpoint": encode(checkpoint),
        "most_recent_node_tip": encode(producer.tip),
        "seconds_since_last_block": encode(None if since is None else int(since)),
        "network_synchronization": b"null" if synchronization is None else b"%.5f" % synchronization,
        "configuration": encode({"indexes": "installed"}),
        "version": encode(VERSION),
    }
    return b"{" + b",".join(encode(name) + b":" + value for name, value in members.items()) + b"}"


def as_prometheus(producer: Producer, checkpoint: Slot | None) -> bytes:
    """One metric after the other by name; what is not known is left out."""
    since = producer.since_last_block
    metrics: tuple[tuple[str, str, float | None], ...] = (
        ("configuration_indexes", "gauge", 1.0),
        ("connection_status", "gauge", float(producer.connected)),
        ("most_recent_checkpoint", "counter", checkpoint),
        ("most_recent_node_tip", "counter", producer.tip),
        ("network_synchronization", "gauge", producer.synchronization),
        ("seconds_since_last_block", "gauge", None if since is None else float(int(since))),
    )
    texts = [f"# TYPE kupo_{name} {kind}\nkupo_{name}  {value}\n" for name, kind, value in metrics if value is not None]
    return "\n".join(texts).encode()
