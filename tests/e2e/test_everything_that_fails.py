"""Each command that spends, in each way that it can go wrong: a sentence and a hint, the right exit code, nothing spent
twice, and the next run does the right thing.

A table: `ERRANDS` are its rows, the tests its columns. The commands run in this process, the node beside it. Each cell
has a payer of its own, whose wallet tells in the end that it was done exactly once.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from indexer.devnet.ledger.addresses import address_text
from indexer.edge.node import Node
from indexer.workers.sending import Delivery
from indexer.workers.sent import Sent
from tests.contract.terms import Allocation, Attestation, Reference, Terms, somebody
from tests.e2e.test_funding import FUNDER, ORACLES, allocation, pays, schedule, witness
from tests.support.promises import OURS
from tests.support.spending import Coin, Spending, paid
from tests.support.town import ADA, Json, Somebody, Town, town

ORACLE, STRANGER = ORACLES[0], Somebody("stranger")
RUNS_SCRIPTS: Final = ("register-milestone", "withdraw-attestation", "reclaim")
KEEPS_ITS_DEPOSIT: Final = ("withdraw-attestation", "reclaim")  # its own output pays the fee
NUMBERS: Final = count()
MILESTONES: Final = count()
LONG_S: Final = 1_000.0


@dataclass(frozen=True)
class Errand:
    """A command line without who pays, ready to be run.

    `again`: the code that it is refused with once it is done, None where it just says so once more. `cost`: lovelace
    that leave the payer's wallet, where no dry run tells it.
    """

    here: Town
    who: Somebody
    arguments: tuple[str, ...]
    again: str | None = "transaction.done_before"
    cost: int | None = None

    @property
    def name(self) -> str:
        return self.arguments[0]

    @property
    def line(self) -> tuple[str, ...]:
        """As it is run."""
        return *self.arguments, *(("--yes",) if self.name == "submit" else pays(self.here, self.who))

    @property
    def sent(self) -> list[Path]:
        """What was written down before it was sent."""
        return sorted((self.here.folder / "data" / "transactions").glob("*.json"))

    def expected(self) -> int:
        """What the payer has, once it is done exactly once."""
        if self.cost is not None:
            return self.has() - self.cost
        found = self.here.do(*self.line, "--dry-run")
        return self.has() - int(transaction_of(found)["cost"])

    def has(self) -> int:
        """Lovelace at the payer's address, but for what lies with a script."""
        return sum(coin["value"]["ada"]["lovelace"] for coin in self.here.coins(self.who) if "script" not in coin)

    def do(self) -> Json:
        return self.here.do(*self.line)

    def refused(self, *codes: str, exit_code: int) -> Json:
        """In a sentence with a hint, and nothing is spent."""
        before = self.has()
        found, said = self.here.run(*self.line)
        assert (found, said["error"]["code"] in codes) == (exit_code, True), said
        assert said["error"]["message"]
        assert said["error"]["hint"]
        assert self.has() == before
        return dict(said["error"])

    def done_once(self, expected: int) -> None:
        """However often it is run now."""
        assert self.has() == expected
        if self.again is None:
            self.do()
        else:
            self.here.refused(self.again, *self.line)
        self.here.control("blocks", count=1)
        assert self.has() == expected


def transaction_of(found: Json) -> Json:
    """The transaction in a command's answer; of `submit`, all there is."""
    one = found["signatures"][0] if "signatures" in found else found
    return dict(one.get("transaction", found))


# --- the rows


def deploy(here: Town, who: Somebody, _: str) -> Errand:
    for path in (here.folder / "data" / "transactions").glob("deploy-*"):
        path.unlink()  # as on a machine that never published it
    here.configure()
    return Errand(here, who, ("deploy",))


def register_milestone(here: Town, who: Somebody, _: str) -> Errand:
    return Errand(here, who, ("register-milestone", promise(here, who), "--submit"))


def attest(here: Town, who: Somebody, distribution: str) -> Errand:
    return Errand(here, who, ("attest", distribution, f"m{next(MILESTONES)}", "--key", here.key(ORACLE), "--publish"))


def commit_milestone(here: Town, who: Somebody, distribution: str) -> Errand:
    words = str(here.folder / f"{who.name}.words")
    here.do("attest", distribution, f"m{next(MILESTONES)}", "--key", here.key(ORACLE), "--out", words)
    return Errand(here, who, ("commit-milestone", words, "--publish"))


def withdraw_attestation(here: Town, who: Somebody, distribution: str) -> Errand:
    published = Attestation(bytes.fromhex(distribution), b"m1", ORACLE.public, bytes(64), who.hash)
    return Errand(here, who, ("withdraw-attestation", at_contract(here, published)), "output.not_there")


def reclaim(here: Town, who: Somebody, _: str) -> Errand:
    stray = Terms(who.hash, (ORACLE.public,), 1, (Allocation(somebody("ann"), 5, b"m1", 0),))
    return Errand(here, who, ("reclaim", at_contract(here, stray)), "output.not_there")


def submit(here: Town, who: Somebody, _: str) -> Errand:
    unsigned = str(here.folder / f"{who.name}.tx")
    made = here.do("register-milestone", promise(here, who), "--address", who.text, "--out", unsigned)["transaction"]
    signature = here.write(f"{who.name}.witness", witness(who, bytes.fromhex(made["transaction_id"])))
    return Errand(here, who, ("submit", unsigned, "--witness", signature), None, made["cost"])


def promise(here: Town, who: Somebody) -> str:
    """A schedule of one allocation, of ada."""
    one = schedule(
        funder=who.hash.hex(), token="ada", lovelace_per_payout=1_000_000, allocations=[allocation(0, "m1", ADA)]
    )
    return here.write(f"{who.name}.json", one)


def at_contract(here: Town, said: Attestation | Terms) -> str:
    """The reference of an output with this datum."""
    (coin,) = here.fund(STRANGER, 20 * ADA)
    output = paid(OURS.home(), 5 * ADA, datum=said.data())
    sent = here.send(Spending(inputs=(coin,), signers=(STRANGER,), change=STRANGER.address, outputs=(output,)))
    return f"{sent}#0"


Row = Callable[[Town, Somebody, str], Errand]
ERRANDS: Final[dict[str, Row]] = {
    "deploy": deploy,
    "register-milestone": register_milestone,
    "attest": attest,
    "commit-milestone": commit_milestone,
    "withdraw-attestation": withdraw_attestation,
    "reclaim": reclaim,
    "submit": submit,
}


@dataclass(frozen=True)
class Place:
    """A town where the contract is published at `reference`, and a distribution whose milestones nobody has signed."""

    town: Town
    reference: str
    distribution: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with town(tmp_path_factory.mktemp("town"), slot_s=0.1) as here:
        here.fund(FUNDER, 900 * ADA, 100 * ADA)
        reference = here.do("deploy", *pays(here, FUNDER))["reference"]
        here.configure(reference)
        many = [allocation(0, f"m{number}", ADA) for number in range(48)]
        path = here.write("many.json", schedule(token="ada", lovelace_per_payout=1_000_000, allocations=many))
        found = here.do("register-milestone", path, "--submit", *pays(here, FUNDER))
        here.follow()
        yield Place(here, reference, found["distribution_id"])


@pytest.fixture
def penniless(place: Place, request: pytest.FixtureRequest) -> Errand:
    """The command of this row. Its payer has nothing."""
    here, who = place.town, Somebody(f"payer {next(NUMBERS)}")
    here.configure(place.reference)
    return ERRANDS[request.param](here, who, place.distribution)


@pytest.fixture
def errand(place: Place, request: pytest.FixtureRequest) -> Errand:
    """The same, and its payer has coins."""
    here, who = place.town, Somebody(f"payer {next(NUMBERS)}")
    here.configure(place.reference)
    here.fund(who, 90 * ADA, 10 * ADA)
    return ERRANDS[request.param](here, who, place.distribution)


def each(fixture: str, *but: str) -> pytest.MarkDecorator:
    """All rows, but for some."""
    return pytest.mark.parametrize(fixture, [name for name in ERRANDS if name not in but], indirect=True)


class Before:
    """What happens between building and sending: when the signed bytes are written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def sending(self, errand: Errand, happens: Callable[[], object]) -> None:
        """Once. What is submitted was built long ago, so there it happens at once."""
        if errand.name == "submit":
            happens()
            return
        keep = Sent.keep

        def kept(sent: Sent, wanted: str, transaction: bytes) -> Path:
            self._monkeypatch.setattr(Sent, "keep", keep)
            happens()
            return keep(sent, wanted, transaction)

        self._monkeypatch.setattr(Sent, "keep", kept)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Before:
    return Before(monkeypatch)


# --- the columns: who pays


@each("penniless", "submit")
def test_without_coins_nothing_is_done(penniless: Errand) -> None:
    """Nor with dust, but where what comes back pays for itself. What is submitted was paid for when it was built."""
    missing = "builder.funds_missing", "builder.collateral_missing"
    penniless.refused(*missing, exit_code=1)
    penniless.here.fund(penniless.who, ADA)
    if penniless.name not in KEEPS_ITS_DEPOSIT:
        penniless.refused(*missing, exit_code=1)
        penniless.here.fund(penniless.who, 90 * ADA, 10 * ADA)
    expected = penniless.expected()
    penniless.do()
    penniless.done_once(expected)


@each("penniless", "submit")
def test_an_address_of_another_network_is_no_payer(penniless: Errand) -> None:
    """A matter of usage. A file that is submitted names its payer itself."""
    other = address_text(Somebody(penniless.who.name, 1).address)
    wrong = replace(penniless, arguments=(*penniless.arguments, "--address", other))
    wrong.refused("wallet.payer_unusable", exit_code=2)


# --- the columns: the node, and the script


@each("errand")
def test_a_node_of_another_network_is_given_nothing(errand: Errand) -> None:
    """And once it is of the right one, it is done."""
    known, expected = errand.sent, errand.expected()
    text = errand.here.config.read_text()
    errand.here.config.write_text(text.replace('network = "devnet"', 'network = "preview"'))
    errand.refused("chain.wrong_network", exit_code=1)
    assert errand.sent == known
    errand.here.config.write_text(text)
    errand.do()
    errand.done_once(expected)


@each("errand", "deploy")
def test_a_script_reference_that_is_spent_stops_what_needs_it(errand: Errand, place: Place) -> None:
    """Nothing else; `deploy` is the way out of it."""
    errand.here.configure(f"{'ab' * 32}#0")
    if errand.name in RUNS_SCRIPTS:
        assert "deploy" in errand.refused("contract.reference_spent", exit_code=1)["hint"]
        errand.here.configure(place.reference)
    expected = errand.expected()
    errand.do()
    errand.done_once(expected)


@each("errand", "deploy", "submit")
def test_a_script_that_is_published_nowhere_travels_along(errand: Errand) -> None:
    """At a higher fee."""
    errand.here.configure()
    expected = errand.expected()
    size = transaction_of(errand.do())["size"]
    assert (size > 4_136) == (errand.name in RUNS_SCRIPTS)
    errand.done_once(expected)


@each("errand")
def test_a_stalled_node_is_told_and_nothing_is_sent(errand: Errand) -> None:
    """From the start."""
    known, expected = errand.sent, errand.expected()
    text = errand.here.config.read_text()
    errand.here.config.write_text(text.replace("timeout_s = 10.0", "timeout_s = 0.5"))
    errand.here.control("stall", seconds=LONG_S)
    found, said = errand.here.run(*errand.line)
    assert (found, said["error"]["code"]) == (3, "ogmios.unreachable")
    errand.here.control("stall", seconds=0)
    errand.here.config.write_text(text)
    assert errand.sent == known
    errand.do()
    errand.done_once(expected)


# --- the columns: between building and the block


@each("errand")
def test_a_node_that_stalls_between_building_and_sending(errand: Errand, before: Before) -> None:
    """It is not known to have it; the file is named, and sent when the node is back."""
    expected = errand.expected()
    text = errand.here.config.read_text()
    errand.here.config.write_text(text.replace("timeout_s = 10.0", "timeout_s = 3.0"))
    before.sending(errand, lambda: errand.here.control("stall", seconds=LONG_S))
    found, said = errand.here.run(*errand.line)
    assert (found, said["error"]["code"]) == (3, "ogmios.unreachable")
    errand.here.control("stall", seconds=0)
    errand.here.config.write_text(text)
    go_on(errand, said["error"]["hint"])
    errand.done_once(expected)


@each("errand")
def test_a_node_that_stalls_when_it_was_given_the_transaction(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of it is unknown, and never failed; later it turns out to be done."""
    expected = errand.expected()
    text = errand.here.config.read_text()
    errand.here.config.write_text(text.replace("timeout_s = 10.0", "timeout_s = 3.0"))
    submit_ = Node.submit

    async def submitted(node: Node, transaction: bytes) -> bytes:
        name = await submit_(node, transaction)
        await asyncio.to_thread(errand.here.control, "stall", seconds=LONG_S)
        return name

    monkeypatch.setattr(Node, "submit", submitted)
    monkeypatch.setattr(Delivery.__init__, "__defaults__", (1.0,))  # seconds of patience
    found, said = errand.here.run(*errand.line)
    monkeypatch.undo()
    assert (found, said["error"]["code"]) == (3, "transaction.outcome_unknown")
    assert ("the same command" if errand.name == "submit" else "indexer submit") in said["error"]["hint"]
    errand.here.control("stall", seconds=0)
    errand.here.config.write_text(text)
    errand.here.control("blocks", count=1)
    errand.done_once(expected)


@each("errand")
def test_a_full_mempool_is_a_matter_of_sending_the_same_again(errand: Errand) -> None:
    """Until that is settled the same command does not build another one."""
    expected = errand.expected()
    errand.here.control("reject", code=3997)
    told = errand.refused("ledger.submission_refused", exit_code=4)
    go_on(errand, told["hint"])
    errand.done_once(expected)


def go_on(errand: Errand, hint: str) -> None:
    """As the hint says: the same bytes are sent again. The command itself says so, too."""
    if errand.name == "submit":
        errand.do()
        return
    (path,) = re.findall("`indexer submit ([^`]*)`", hint)
    assert path in errand.refused("transaction.under_way", exit_code=1)["hint"]
    errand.here.do("submit", path)


@each("errand")
def test_a_refusal_for_good_is_told_and_the_next_run_is_accepted(errand: Errand) -> None:
    """Nothing of it is left in the way."""
    known, expected = errand.sent, errand.expected()
    errand.here.control("reject", code=3123)
    assert "3123" in errand.refused("ledger.submission_refused", exit_code=4)["message"]
    assert errand.sent == known
    errand.do()
    errand.done_once(expected)


@each("errand")
def test_a_lost_reply_is_looked_into(errand: Errand) -> None:
    """It is in a block, once."""
    expected = errand.expected()
    errand.here.control("lose-replies", count=1)
    errand.do()
    errand.done_once(expected)


@each("errand")
def test_a_chain_that_moves_between_building_and_sending(errand: Errand, before: Before) -> None:
    """The payer's coins are spent by somebody else with the key: then it is built anew."""
    before.sending(errand, lambda: move(errand))
    found, said = errand.here.run(*errand.line)
    # Collateral alone is no input: that it is gone is for the node to say.
    assert (found, said["error"]["code"]) in ((4, "transaction.superseded"), (4, "ledger.submission_refused")), said
    assert "run the command again" in said["error"]["hint"]
    if errand.name == "submit":  # which builds nothing
        errand.refused("transaction.superseded", exit_code=4)
        return
    expected = errand.expected()
    errand.do()
    errand.done_once(expected)


def move(errand: Errand) -> None:
    """All coins of the payer become one."""
    here, who = errand.here, errand.who
    coins = tuple(
        Coin(
            Reference(bytes.fromhex(coin["transaction"]["id"]), coin["index"]),
            paid(who.address, coin["value"]["ada"]["lovelace"]),
        )
        for coin in here.coins(who)
    )
    here.send(Spending(inputs=coins, signers=(who,), change=who.address))
    here.fund(who, 10 * ADA)


@each("errand")
def test_a_transaction_whose_time_is_over_before_it_is_sent(errand: Errand, before: Before) -> None:
    """It never will be in a block; the next run builds another one."""

    def passes() -> None:
        errand.here.control("time", slots=20 * 3_600)
        errand.here.control("blocks", count=1)

    before.sending(errand, passes)
    errand.refused("transaction.expired", exit_code=4)
    if errand.name == "submit":
        errand.refused("transaction.expired", exit_code=4)
        return
    expected = errand.expected()
    errand.do()
    errand.done_once(expected)
