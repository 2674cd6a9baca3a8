"""What `GET /health` answers."""

import re
import time
from typing import TYPE_CHECKING, Any

from indexer.devnet.networks import iso

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

_ERA = re.compile(rb'"era":"([a-z]+)"')


def health(server: "OgmiosServer") -> dict[str, Any]:
    """A node that is always in step with its network; 0 stands for what is not measured here."""
    chain = server.chain
    era = _ERA.search(chain.tip.text) if chain.tip is not None else None
    epoch, slot = server.network.epoch(chain.tip_slot) if chain.tip is not None else (None, None)
    return {
        "startTime": iso(server.started),
        "lastKnownTip": server.tip(),
        "lastTipUpdate": iso(server.tip_seen),
        "networkSynchronization": 1.0,
        "currentEra": era[1].decode() if era else None,
        "metrics": {
            "runtimeStats": {
                "maxHeapSize": 0,
                "currentHeapSize": 0,
                "cpuTime": time.process_time_ns(),
                "gcCpuTime": 0,
            },
            "activeConnections": sum(client.is_open for client in server.sessions),
            "totalConnections": server.totals["sessions"],
            "sessionDurations": {"mean": 0, "min": 0, "max": 0},
            "totalMessages": server.totals["messages"],
            "totalUnrouted": server.totals["unrouted"],
        },
        "connectionStatus": "connected",
        "currentEpoch": epoch,
        "slotInEpoch": slot,
        "version": server.version,
        "network": server.shown_network(),
    }
