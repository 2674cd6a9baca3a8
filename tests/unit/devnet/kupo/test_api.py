"""Every endpoint over HTTP. The client of these tests holds each answer against Kupo's own document."""

import json
import re
from typing import Any

import httpx
import pytest

from indexer.chain.point import ORIGIN
from indexer.devnet.kupo.health import Producer
from indexer.devnet.kupo.index import Index
from indexer.devnet.kupo.patterns import Anything, Payment
from tests.unit.devnet.kupo import model
from tests.unit.devnet.kupo.asking import ASKED, DOCUMENT, serving
from tests.unit.devnet.kupo.making import (
    HOMES,
    PAYMENTS,
    POLICIES,
    Block,
    Coin,
    Maker,
    Tx,
    auxiliary_data,
    digest,
    hash_of,
    index_of,
    indexed,
)

A, B, C = (digest(name) for name in "abc")
DATUM = b"\xd8\x79\x80"
SCRIPT = (3, b"script")
PAY = Payment(PAYMENTS[0])
CHAIN = [
    Block(10, A, (Tx(A, (), (Coin(HOMES[0]), Coin(HOMES[4], datum=DATUM, script=SCRIPT))),)),
    Block(20, B, (Tx(B, ((A, 0),), (Coin(HOMES[0]),), metadata={674: {"msg": ["x"]}}), Tx(C, metadata={1: 2}))),
]
HERE = {"x-most-recent-checkpoint": "20", "etag": B.hex()}


async def test_every_kind_of_match_is_of_the_documented_form() -> None:
    """Rows by chance: every kind of address, datum, script, spending; resolved or not, with numbers or texts."""
    maker, chain = Maker(7), list[Block]()
    for _ in range(20):
        chain.append(maker.block(chain))
    async with serving(index_of(chain)) as (_, client):
        for path in ("/matches", "/matches/*/*", f"/matches/*/{HOMES[4].payment.hex() if HOMES[4].payment else ''}"):
            for query in ("", "?resolve_hashes", "?unspent&order=oldest_first"):
                for kind in ("", ";asset-quantity=string"):
                    response = await client.get(path + query, headers={"Accept": f"application/json{kind}"})
                    assert response.status_code == 200
                    assert response.headers["content-type"] == f"application/json;charset=utf-8{kind}"
        assert len((await client.get("/matches")).json()) == len(model.outputs(chain)) > 20


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", int),
        ("application/json;charset=utf-8", int),
        ("*/*", int),
        ("application/json;asset-quantity=string", str),
        ("application/json; charset=utf-8; asset-quantity=string", str),
        ("text/html, application/json;asset-quantity=string", str),
        ("application/json;asset-quantity=number", int),
    ],
)
async def test_quantities_are_numbers_unless_texts_are_asked_for(accept: str, kind: type) -> None:
    coins = Coin(HOMES[0], 2**63, ((POLICIES[0], b"", 2**64 - 1), (POLICIES[0], b"T", 1)))
    async with serving(index_of([Block(1, A, (Tx(B, (), (coins,)),))])) as (_, client):
        (row,) = (await client.get("/matches", headers={"Accept": accept})).json()
        assets = {POLICIES[0].hex(): kind(2**64 - 1), f"{POLICIES[0].hex()}.54": kind(1)}
        assert row["value"] == {"coins": kind(2**63), "assets": assets}


async def test_an_answer_says_at_which_block_and_can_be_asked_for_only_if_that_has_changed() -> None:
    """`If-None-Match` takes the header hash as it stands in `ETag`: without quotes."""
    index = index_of(CHAIN[:1])
    async with serving(index) as (_, client):
        for path in ("/matches", "/matches/*", "/checkpoints", "/checkpoints/5", f"/datums/{A.hex()}", "/metadata/1"):
            response = await client.get(path)
            assert (response.headers["x-most-recent-checkpoint"], response.headers["etag"]) == ("10", A.hex())
            again = await client.get(path, headers={"If-None-Match": A.hex()})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", A.hex())
            for other in (B.hex(), f'"{A.hex()}"', "*"):
                assert (await client.get(path, headers={"If-None-Match": other})).status_code == 200
        index.apply(indexed(CHAIN[1]))
        response = await client.get("/matches", headers={"If-None-Match": A.hex()})
        assert (response.status_code, HERE.items() <= dict(response.headers).items()) == (200, True)
        index.roll_back(ORIGIN)
        response = await client.get("/matches", headers={"If-None-Match": B.hex()})
        assert (response.status_code, response.json()) == (200, [])
        assert (response.headers["x-most-recent-checkpoint"], "etag" in response.headers) == ("0", False)
        for path in ("/patterns", "/nothing"):
            assert "etag" not in (await client.get(path)).headers


async def test_checkpoints_are_the_blocks_and_the_newest_up_to_a_slot() -> None:
    async with serving(index_of(CHAIN)) as (_, client):
        assert (await client.get("/checkpoints")).json() == [CHAIN[1].point, CHAIN[0].point]
        answers = {"9": None, "10": CHAIN[0].point, "19": CHAIN[0].point, "9999999999": CHAIN[1].point}
        assert {slot: (await client.get(f"/checkpoints/{slot}")).json() for slot in answers} == answers
        strict = {"9": None, "10": CHAIN[0].point, "19": None, "20": CHAIN[1].point, "21": None}
        assert {slot: (await client.get(f"/checkpoints/{slot}?strict")).json() for slot in strict} == strict
        for path in ("x", "-1", "1.5", "9" * 30, "5?strict=", "5?strict=true", "5?strict&strict", "5?other"):
            assert (await client.get(f"/checkpoints/{path}")).status_code == 400
        assert (await client.get("/checkpoints/5?")).status_code == 200


async def test_datums_and_scripts_are_found_by_their_hashes() -> None:
    async with serving(index_of(CHAIN)) as (_, client):
        found = await client.get(f"/datums/{hash_of(DATUM).hex()}")
        assert found.json() == {"datum": DATUM.hex()}
        found = await client.get(f"/scripts/{hash_of(b'script'.join((bytes([3]), b'')), 28).hex().upper()}")
        assert found.json() == {"language": "plutus:v3", "script": b"script".hex()}
        for path in (f"/datums/{A.hex()}", f"/scripts/{A.hex()[:56]}"):
            assert (await client.get(path)).json() is None
        for path in (f"/datums/{A.hex()[:56]}", f"/scripts/{A.hex()}", "/datums/x", f"/scripts/{'g' * 56}"):
            assert (await client.get(path)).status_code == 400


async def test_metadata_of_a_block_is_shown_value_by_value() -> None:
    """A slot without a block stands for the next one that has one: the header tells which."""
    first, second = (auxiliary_data(tx) or b"" for tx in CHAIN[1].transactions)
    shown = [
        {"hash": hash_of(raw).hex(), "raw": raw.hex(), "schema": schema}
        for raw, schema in (
            (first, {"674": {"map": [{"k": {"string": "msg"}, "v": {"list": [{"string": "x"}]}}]}}),
            (second, {"1": {"int": 2}}),
        )
    ]
    async with serving(index_of(CHAIN)) as (_, client):
        for slot in (11, 20):
            response = await client.get(f"/metadata/{slot}")
            assert (response.json(), response.headers["x-block-header-hash"]) == (shown, B.hex())
        assert (await client.get(f"/metadata/20?transaction_id={C.hex()}")).json() == shown[1:]
        assert [(await client.get(f"/metadata/{slot}")).json() for slot in (0, 10)] == [[], []]
        for path in ("21", "x", f"20?policy_id={A.hex()[:56]}", f"20?transaction_id={C.hex()}&output_index=0"):
            assert (await client.get(f"/metadata/{path}")).status_code == 400


async def test_every_kind_of_metadatum_has_its_own_name() -> None:
    everything: dict[int, Any] = {0: [-1, b"\x01", "é", {b"k": [], 5: {}}], 2**64 - 1: -(2**64)}
    schema = {
        "0": {
            "list": [
                {"int": -1},
                {"bytes": "01"},
                {"string": "é"},
                {"map": [{"k": {"bytes": "6b"}, "v": {"list": []}}, {"k": {"int": 5}, "v": {"map": []}}]},
            ]
        },
        str(2**64 - 1): {"int": -(2**64)},
    }
    async with serving(index_of([Block(3, A, (Tx(B, metadata=everything),))])) as (_, client):
        assert (await client.get("/metadata/3")).json()[0]["schema"] == schema


@pytest.mark.parametrize(
    ("producer", "status"),
    [
        (Producer(True, 20, 3.9, 1), 200),
        (Producer(True, 4_019, 3.9, 0.5), 200),
        (Producer(True, 4_020, 3.9, 0.123456), 202),
        (Producer(True, None, None, None), 202),
        (Producer(False, 20, 3.9, 1), 503),
    ],
)
async def test_health_tells_how_far_it_is_behind_its_node(producer: Producer, status: int) -> None:
    """Metrics tell the same, always with 200."""
    async with serving(index_of(CHAIN), lambda: producer) as (_, client):
        health, metrics = await client.get("/health"), await client.get("/metrics")
        assert (health.status_code, metrics.status_code) == (status, 200)
        assert (health.content, HERE.items() <= dict(health.headers).items()) == (metrics.content, True)
        assert health.json() == {
            "connection_status": "connected" if producer.connected else "disconnected",
            "most_recent_checkpoint": 20,
            "most_recent_node_tip": producer.tip,
            "seconds_since_last_block": producer.since_last_block and 3,
            "network_synchronization": producer.synchronization and round(producer.synchronization, 5),
            "configuration": {"indexes": "installed"},
            "version": "v2.12.0",
        }
        if producer.synchronization == 1:
            assert b'"network_synchronization":1.00000,' in health.content


async def test_health_before_the_first_block_is_on_the_way() -> None:
    async with serving(Index()) as (_, client):
        response = await client.get("/health")
        assert (response.status_code, response.json()["most_recent_checkpoint"]) == (202, None)


PROMETHEUS = """\
# TYPE kupo_configuration_indexes gauge
kupo_configuration_indexes  1.0

# TYPE kupo_connection_status gauge
kupo_connection_status  1.0

# TYPE kupo_most_recent_checkpoint counter
kupo_most_recent_checkpoint  20

# TYPE kupo_most_recent_node_tip counter
kupo_most_recent_node_tip  25

# TYPE kupo_network_synchronization gauge
kupo_network_synchronization  0.73956

# TYPE kupo_seconds_since_last_block gauge
kupo_seconds_since_last_block  2.0
"""


async def test_health_can_be_asked_for_as_text_and_a_client_that_takes_anything_gets_text_called_json() -> None:
    """The trap that Kupo sets for the defaults of most HTTP clients: it is there to be stepped into."""
    async with serving(index_of(CHAIN), lambda: Producer(True, 25, 2, 0.73956)) as (_, client):
        for path in ("/health", "/metrics"):
            text = await client.get(path, headers={"Accept": "text/plain"})
            assert (text.headers["content-type"], text.text) == ("text/plain;charset=utf-8", PROMETHEUS)
            trap = await client.get(path, headers={"Accept": "*/*", "X-Trap": "yes"})
            assert (trap.headers["content-type"], trap.text) == ("application/json;charset=utf-8", PROMETHEUS)
            assert (await client.get(path, headers={"Accept": "text/html"})).status_code == 400
            request = client.build_request("GET", path)
            del request.headers["Accept"]
            assert (await client.send(request)).json()["most_recent_node_tip"] == 25


async def test_patterns_are_listed_matched_added_and_removed() -> None:
    index = Index([PAY])
    for block in CHAIN:
        index.apply(indexed(block))
    stake = "*/" + (HOMES[4].stake or b"").hex()
    async with serving(index) as (_, client):
        assert (await client.get("/patterns")).json() == [str(PAY)]
        assert (await client.get(f"/patterns/{HOMES[0].text}")).json() == [str(PAY)]
        assert (await client.get(f"/patterns/{stake}")).json() == []
        body = {"rollback_to": {"slot_no": 19}}  # the newest block up to there is that of slot 10
        assert (await client.put(f"/patterns/{stake}", json=body)).json() == [str(PAY), stake]
        body["rollback_to"] = {"slot_no": 10, "header_hash": A.hex()}  # type: ignore[dict-item]
        bulk = {**body, "patterns": ["*", HOMES[1].text], "limit": "within_safe_zone"}
        listed = ["*", HOMES[1].raw.hex(), str(PAY), stake]
        assert (await client.put("/patterns", json=bulk)).json() == listed
        assert (await client.get("/patterns/*/*")).json() == ["*"]
        still = await client.delete(f"/matches/{HOMES[0].text}")
        assert (still.status_code, "active" in still.json()["hint"]) == (400, True)
        removed = [(await client.delete(f"/patterns/{text}")).json() for text in ("*", "*", str(PAY), stake)]
        assert removed == [{"deleted": n} for n in (1, 0, 1, 1)]
        assert (await client.delete(f"/matches/{PAY}")).json() == {"deleted": 3}
        assert (await client.get("/matches")).json() == []


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        ("/patterns/nonsense", {"rollback_to": {"slot_no": 10}}, "pattern"),
        ("/patterns/*", {}, "body"),
        ("/patterns/*", [], "body"),
        ("/patterns/*", "nothing", "body"),
        ("/patterns/*", {"rollback_to": {"slot_no": -1}}, "body"),
        ("/patterns/*", {"rollback_to": {"slot_no": True}}, "body"),
        ("/patterns/*", {"rollback_to": {"slot_no": 10, "header_hash": "aa"}}, "body"),
        ("/patterns/*", {"rollback_to": {"slot_no": 10}, "limit": "any"}, "body"),
        ("/patterns/*", {"rollback_to": {"slot_no": 9}}, "unknown"),
        ("/patterns/*", {"rollback_to": {"slot_no": 10, "header_hash": B.hex()}}, "unknown"),
        ("/patterns/*", {"rollback_to": {"slot_no": 15, "header_hash": A.hex()}}, "unknown"),
        ("/patterns", {"rollback_to": {"slot_no": 10}, "patterns": ["*", "nonsense", "*/*"]}, "*, */*"),
        ("/patterns", {"rollback_to": {"slot_no": 10}, "patterns": [1]}, "pattern"),
        ("/patterns", {"patterns": ["*"]}, "pattern"),
    ],
)
async def test_a_pattern_that_cannot_be_added_changes_nothing(path: str, body: object, part: str) -> None:
    async with serving(index_of(CHAIN)) as (server, client):
        response = await client.put(path, content=body if isinstance(body, str) else json.dumps(body))
        assert (response.status_code, part in response.json()["hint"]) == (400, True)
        assert server.index.patterns == {Anything()}
        assert len((await client.get("/checkpoints")).json()) == 2


@pytest.mark.parametrize(("tip", "status"), [(129_610, 200), (129_611, 400)])
async def test_going_back_further_than_the_safe_zone_has_to_be_wanted(tip: int, status: int) -> None:
    """129600 slots from the node's tip."""
    async with serving(index_of(CHAIN), lambda: Producer(True, tip, 1, 1)) as (_, client):
        body: dict[str, Any] = {"rollback_to": {"slot_no": 10}}
        assert (await client.put("/patterns/*/*", json=body)).status_code == status
        unsafe = {**body, "limit": "unsafe_allow_beyond_safe_zone"}
        assert (await client.put("/patterns/*/*", json=unsafe)).json() == ["*/*", "*"]


async def test_a_point_before_all_that_is_known_cannot_be_rolled_back_to() -> None:
    async with serving(index_of(CHAIN)) as (_, client):
        body = {"rollback_to": {"slot_no": 9, "header_hash": A.hex()}}
        assert (await client.put("/patterns/*/*", json=body)).status_code == 500
        assert (await client.get("/patterns")).json() == ["*"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/nothing",
        "/v1/nothing",
        "/Matches",
        "//matches",
        "/health/x",
        "/metrics/x",
        "/checkpoints/1/2",
        "/datums",
        f"/datums/{A.hex()}/x",
        "/scripts",
        "/metadata",
        "/metadata/1/2",
    ],
)
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with serving(index_of(CHAIN)) as (server, client):
        response = await client.get(f"http://127.0.0.1:{server.port}{path}")
        assert (response.status_code, list(response.json())) == (404, ["hint"])


@pytest.mark.parametrize("path", ["/matches/", "/matches/x", "/matches/*/*/*", "/patterns/x", "/patterns/*/*/*"])
async def test_what_is_no_pattern_is_said_to_be_none(path: str) -> None:
    async with serving(index_of(CHAIN)) as (_, client):
        answers = [await client.get(path), await client.delete(path)]
        assert [(answer.status_code, "pattern" in answer.json()["hint"]) for answer in answers] == [(400, True)] * 2


async def test_another_method_is_not_acceptable_and_head_is_another_method() -> None:
    """406, as Kupo has it; of HEAD only the head is sent."""
    known = ("/matches", "/health", "/metrics", "/checkpoints", "/datums/x", "/scripts/x", "/metadata/1", "/patterns")
    async with serving(index_of(CHAIN)) as (_, client):
        for path in known:
            response = await client.post(path, content=b"{}")
            assert (response.status_code, list(response.json())) == (406, ["hint"])
            head = await client.head(path)
            assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (406, b"", True)
        assert (await client.post("/nothing")).status_code == 404


async def test_browsers_may_ask_from_anywhere() -> None:
    async with serving(index_of(CHAIN)) as (_, client):
        preflight = await client.options("/matches")
        assert (preflight.status_code, preflight.content) == (200, b"")
        for response in (preflight, await client.get("/matches"), await client.get("/nothing")):
            assert response.headers["access-control-allow-origin"] == "*"


async def test_paths_may_begin_with_their_version_and_be_percent_encoded() -> None:
    async with serving(index_of(CHAIN)) as (_, client):
        for path in ("/v1/matches", "/v1/v1/matches", "/matches/%2A", "/matches/%2a%2F*", f"/v1/matches/{PAY}"):
            assert (await client.get(path)).status_code == 200


async def test_a_server_that_is_busy_turns_requests_away_and_takes_them_again() -> None:
    """What needs no database is answered all the time."""
    async with serving(index_of(CHAIN)) as (server, client):
        server.api.busy = 2
        paths = ("/matches", "/health", "/patterns", "/checkpoints", "/matches")
        assert [(await client.get(path)).status_code for path in paths] == [503, 200, 200, 503, 200]


async def test_everything_that_the_document_describes_was_asked_for() -> None:
    """By a client that steps through it; so none of it is missing."""
    async with serving(Index([PAY])) as (server, client):
        server.index.apply(indexed(CHAIN[0]))
        body = {"rollback_to": {"slot_no": 10}, "patterns": ["*/*"]}
        values = {"pattern": "*@" + A.hex(), "slot-no": "10", "datum-hash": A.hex(), "script-hash": A.hex()[:56]}
        asked = []
        for method, path in sorted(DOCUMENT.documented()):
            target = re.sub(r"\{(.+)\}", lambda name: values[name[1]], path)
            asked.append(await client.request(method, target, json=body if method == "PUT" else None))
    assert {response.status_code for response in asked} == {200}
    assert DOCUMENT.documented() <= ASKED


def test_the_clients_check_finds_what_is_wrong() -> None:
    """A row without its slot, an address that is none, a body where there is none, an unknown status."""
    row = model.outputs(CHAIN)[0].row
    headers = httpx.Headers({"Content-Type": "application/json;charset=utf-8"})

    def check(status: int, value: object) -> None:
        DOCUMENT.check("GET", "/matches", status, headers, json.dumps(value).encode())

    check(200, [row])
    check(400, {"hint": ""})
    for status, wrong in (
        (200, [{**row, "created_at": {"header_hash": A.hex()}}]),
        (200, [{**row, "address": row["address"][:-1]}]),
        (200, [{**row, "datum_hash": "aa"}]),
        (200, [{**row, "more": 1}]),
        (200, {}),
        (304, []),
        (201, []),
        (400, {"hint": "", "details": {}}),
        (404, {"error": ""}),
    ):
        with pytest.raises(Exception, match=r".") as raised:
            check(status, wrong)
        assert type(raised.value).__name__ in ("ValidationError", "Undocumented")
