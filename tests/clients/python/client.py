"""`pyogmios` with a devnet: what it saw, as one JSON document. Runs in an environment of its own.

python client.py URL CONTROL GIVEN -- see tests/clients/scenario.py for what is given, and what is expected.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

import httpx
import pyogmios  # type: ignore[import-not-found]  # in tests/clients/python/.venv
from pydantic import TypeAdapter

Given = dict[str, Any]


def plain(value: Any) -> Any:
    """Models as the JSON that they were read from."""
    return TypeAdapter(Any).dump_python(value, mode="json", by_alias=True, exclude_unset=True)


async def refused(call: Awaitable[Any]) -> Given:
    """Which error it was, with the server's code and data."""
    try:
        return {"type": "none", "answer": plain(await call)}
    except pyogmios.ResponseError as error:
        return {"type": type(error).__name__, "code": error.code, "data": error.data}


async def follow(sync: Any, events: list[Given], count: int) -> None:
    """Read what the chain tells until so many events have come."""
    while len(events) < count:
        event = plain(await anext(sync))
        if event["direction"] == "backward":
            events.append({"direction": "backward", "point": event["point"]})
            continue
        block = event["block"]
        ids = [each["id"] for each in block["transactions"]]
        events.append({"direction": "forward", "height": block["height"], "id": block["id"], "transactions": ids})


async def queries(client: Any, given: Given) -> Given:
    """The ledger's state and the network's."""
    state, network = client.ledger_state, client.network
    seen = {
        "health": client.server_health,
        "parameters": await state.protocol_parameters(),
        "eras": await state.era_summaries(),
        "epoch": await state.epoch(),
        "eraStart": await state.era_start(),
        "ledgerTip": await state.tip(),
        "tip": await network.tip(),
        "height": await network.block_height(),
        "start": await network.start_time(),
        "genesis": await network.genesis_configuration(era="shelley"),
        "byAddress": await state.utxo(addresses=[given["locked"]]),
        "byReference": await state.utxo(output_references=[given["carrier"]]),
    }
    async with client.ledger_state_at(given["past"]) as past:
        seen["before"] = await past.utxo(addresses=[given["locked"]])
    return {name: plain(value) for name, value in seen.items()}


async def transactions(client: Any, given: Given) -> Given:
    """Evaluated, refused and submitted."""
    return {
        "units": plain(await client.evaluate_transaction(given["spending"])),
        "failing": await refused(client.evaluate_transaction(given["failing"])),
        "refused": {name: await refused(client.submit_transaction(bad)) for name, bad in given["bad"].items()},
        "submitted": [
            plain(await client.submit_transaction(given[name]))["transaction"]["id"] for name in ("payment", "spending")
        ],
    }


async def mempool(client: Any, submitted: list[str]) -> Given:
    """What waits there."""
    async with client.mempool_snapshot() as snapshot:
        has = [await snapshot.has(submitted[0]), await snapshot.has("0" * 64)]
        size, first = await snapshot.size(), await snapshot.next()
        snapshot.full = True
        second, third = await snapshot.next(), await snapshot.next()
        return {"has": has, "size": plain(size), "first": first, "second": plain(second), "third": third}


async def main(url: str, control_url: str, given: Given) -> Given:
    """Everything that a client can do."""
    events: list[Given] = []
    async with (
        httpx.AsyncClient(base_url=control_url) as control,
        pyogmios.AsyncClient(url, check_version="strict") as client,
        client.chain_sync(["origin"], resume=False) as sync,
    ):
        await follow(sync, events, given["events"])
        seen = await queries(client, given)
        seen |= await transactions(client, given)
        seen["mempool"] = await mempool(client, seen["submitted"])
        for command, fields, more in (("blocks", {}, 1), ("fork", {"depth": 1, "blocks": 2}, 4), ("blocks", {}, 5)):
            (await control.post(command, json=fields)).raise_for_status()
            await follow(sync, events, given["events"] + more)
    return {"events": events, **seen}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))))
