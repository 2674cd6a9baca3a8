"""Every way that a command that spends can go wrong: a sentence, a hint, an exit code; nothing is spent twice, and the
next run does the right thing. The commands run in this process, the node beside it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from indexer.chain.parameters import Units
from indexer.cli.main import app
from indexer.devnet.ledger.addresses import address_text
from indexer.store.db import opened, transaction
from indexer.store.releases import Journaled, add_transaction
from tests.contract.script import CONTRACT
from tests.contract.terms import Reference
from tests.e2e.test_funding import FUNDER, ORACLES, OWNER, held_by, pays, schedule, witness
from tests.support.spending import Coin, Spending, paid
from tests.support.town import ADA, Json, Somebody, Town, town

POOR = Somebody("poor")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Town]:
    """A devnet whose funder has ada and tokens; the contract is published."""
    with town(tmp_path) as found:
        found.fund(FUNDER, 500 * ADA, 100 * ADA)
        found.mint(FUNDER, 1_000_000)
        found.configure(found.do("deploy", *pays(found))["reference"])
        yield found


def registers(here: Town, *more: str) -> tuple[str, ...]:
    path = here.write("schedule.json", schedule())
    return "register-milestone", path, "--submit", *pays(here), *more


def sent(here: Town) -> list[Path]:
    """What was written down before it was sent."""
    return sorted((here.folder / "data" / "transactions").glob("register-*"))


def distributions(here: Town) -> int:
    """How many there are, once all that waits is in a block."""
    here.control("blocks", count=1)
    here.follow()
    return sum(here.do("check-status")["distributions"].values())


# --- who pays


def test_who_has_nothing_is_told_what_is_missing(here: Town) -> None:
    """No coin at all, dust, and ada that lies with tokens."""
    commands = ("deploy", "--again", *pays(here, POOR))
    assert "0 lovelace in coins of ada alone" in here.refused("builder.funds_missing", *commands)["message"]
    here.fund(POOR, ADA, ADA)
    assert "2000000 lovelace in coins of ada alone" in here.refused("builder.funds_missing", *commands)["message"]
    here.mint(POOR, 5)
    assert "coins with tokens" in here.refused("builder.funds_missing", *commands)["message"]
    here.fund(POOR, 30 * ADA)
    here.do(*commands)


def test_who_lacks_the_token_is_told_how_much(here: Town) -> None:
    """And of which."""
    path = here.write("poor.json", schedule(funder=POOR.hash.hex()))
    here.fund(POOR, 100 * ADA, 10 * ADA)
    arguments = ("register-milestone", path, "--submit", *pays(here, POOR))
    assert "5000 of the token" in here.refused("builder.tokens_missing", *arguments)["message"]
    here.mint(POOR, 5_000)
    here.do(*arguments)


def test_who_pays_has_to_be_said_and_has_to_fit(here: Town) -> None:
    """No key; a key that others can read; an address of another network, of a script, of another key."""
    assert here.refused("wallet.payer_missing", "deploy", "--again", "--yes", exit_code=2)
    open_to_all = here.folder / "open.skey"
    open_to_all.write_text("00" * 32)
    open_to_all.chmod(0o644)
    here.refused("config.file_unusable", "deploy", "--signing-key", str(open_to_all), "--yes", exit_code=2)
    for address in (Somebody("funder", 1).address, bytes([0x70]) + bytes(28), POOR.address):
        given = ("deploy", "--address", address_text(address), *pays(here))
        here.refused("wallet.payer_unusable", *given, exit_code=2)
    here.refused("wallet.payer_unusable", "deploy", "--address", "addr1", *pays(here), exit_code=2)


# --- the node, and the script


def test_a_node_that_is_not_there_or_of_another_network(here: Town) -> None:
    """Exit codes 3 and 1; nothing was written down as sent."""
    here.configure(url="ws://127.0.0.1:9")
    here.refused("ogmios.unreachable", *registers(here), exit_code=3)
    here.configure()
    text = here.config.read_text().replace('network = "devnet"', 'network = "preview"')
    here.config.write_text(text)
    here.refused("chain.wrong_network", *registers(here))
    assert sent(here) == []


def test_a_script_that_is_not_published_any_more(here: Town) -> None:
    """The configuration names a spent output; without the name the script travels along, and it works."""
    here.configure(f"{'ab' * 32}#0")
    error = here.refused("contract.reference_spent", *registers(here))
    assert "ab" * 32 in error["message"]
    assert "deploy" in error["hint"]
    again = here.do("deploy", "--again", "--dry-run", *pays(here))  # the way out is open
    assert again["transaction"]["state"] == "dry_run"
    plain = next(coin for coin in here.coins(FUNDER) if "script" not in coin)
    here.configure(f"{plain['transaction']['id']}#{plain['index']}")
    here.refused("builder.script_not_published", *registers(here))
    here.configure()
    (path,) = (here.folder / "data" / "transactions").glob("deploy-*")
    published = path.name.split(".")[1]
    (coin,) = [coin for coin in here.coins(FUNDER) if coin["transaction"]["id"] == published and coin["index"] == 0]
    spend_script(here, coin)
    found = here.do(*registers(here))
    assert found["transaction"]["size"] > 4_136  # the script among it
    here.do("deploy", *pays(here))


def test_the_deposit_of_a_script_comes_back_to_whoever_published_it(here: Town) -> None:
    """And to nobody else; afterwards it can be published anew."""
    (path,) = (here.folder / "data" / "transactions").glob("deploy-*")
    published = f"{path.name.split('.')[1]}#0"
    plain = next(coin for coin in here.coins(FUNDER) if "script" not in coin)
    here.fund(POOR, 30 * ADA)
    takes = ("deploy", "--take-back")
    other = f"{plain['transaction']['id']}#{plain['index']}"
    here.refused("contract.no_script_there", *takes, other, *pays(here))
    error = here.refused("builder.not_possible", *takes, published, *pays(here, POOR))
    assert FUNDER.hash.hex() in error["message"]
    here.refused("output.reference_unreadable", *takes, "x", *pays(here), exit_code=2)
    before = held_by(here, FUNDER)[0]
    assert here.do(*takes, published, "--dry-run", *pays(here))["transaction"]["state"] == "dry_run"
    here.refused("command.not_confirmed", *takes, published, "--signing-key", here.key(FUNDER))
    back = here.do(*takes, published, *pays(here))
    assert back["configured"]
    assert held_by(here, FUNDER)[0] == before - back["transaction"]["fee"]
    assert back["transaction"]["cost"] == back["transaction"]["fee"] - back["deposit"]
    here.refused("output.not_there", *takes, published, *pays(here))
    here.refused("contract.reference_spent", *registers(here))
    here.configure(here.do("deploy", *pays(here))["reference"])
    here.do(*registers(here))
    forever = here.do("deploy", "--again", "--forever", *pays(here, POOR))
    assert "for ever" in here.refused("builder.not_possible", *takes, forever["reference"], *pays(here))["message"]


def spend_script(here: Town, shown: Json) -> None:
    """Whoever published it has the deposit back."""
    reference = Reference(bytes.fromhex(shown["transaction"]["id"]), shown["index"])
    output = paid(FUNDER.address, shown["value"]["ada"]["lovelace"], script=(3, CONTRACT))
    here.send(Spending(inputs=(Coin(reference, output),), signers=(FUNDER,), change=FUNDER.address))


def test_the_script_is_not_published_twice_by_accident(here: Town) -> None:
    """Whether it is known from a file, the configuration or the payer's coins."""
    here.refused("transaction.done_before", "deploy", *pays(here))
    for path in (here.folder / "data" / "transactions").iterdir():
        path.unlink()
    here.refused("contract.already_published", "deploy", *pays(here))
    here.configure()
    here.refused("contract.already_published", "deploy", *pays(here))
    forever = here.do("deploy", "--again", "--forever", *pays(here))
    assert here.unspent(forever["reference"])
    assert forever["forever"]


# --- between building and the block


def test_a_lost_reply_is_looked_into_before_anything_else(here: Town) -> None:
    """The transaction is in a block, and one distribution is there."""
    before = held_by(here, FUNDER)
    here.control("lose-replies", count=1)
    found = here.do(*registers(here))
    assert held_by(here, FUNDER)[0] == before[0] - found["transaction"]["cost"]
    here.refused("transaction.done_before", *registers(here))
    assert distributions(here) == 1


@pytest.mark.parametrize("code", [3100, 3117, 3118, 3122, 3123, 3134, 3166, 9999])
def test_a_refusal_is_told_in_words_and_the_next_run_is_accepted(here: Town, code: int) -> None:
    """Exit code 4; nothing is spent; the same command then makes one distribution."""
    before = held_by(here, FUNDER)
    here.control("reject", code=code)
    error = here.refused("ledger.submission_refused", *registers(here), exit_code=4)
    assert f"{code}" in error["message"]
    assert held_by(here, FUNDER) == before
    here.do(*registers(here))
    assert distributions(here) == 1


def test_a_full_mempool_is_a_matter_of_sending_the_same_again(here: Town) -> None:
    """The hint names the file, and until that is settled the same command does not build another one."""
    here.control("reject", code=3997)
    error = here.refused("ledger.submission_refused", *registers(here), exit_code=4)
    (path,) = sent(here)
    assert error["hint"].startswith(f"`indexer submit {path}`")
    assert str(path) in here.refused("transaction.under_way", *registers(here))["hint"]
    here.do("submit", str(path))
    here.do("submit", str(path))
    here.refused("transaction.done_before", *registers(here))
    assert distributions(here) == 1


def test_a_chain_that_moves_between_building_and_sending(here: Town) -> None:
    """Somebody spends the coin that the unsigned transaction is built on: it is superseded, and a new one works."""
    path, unsigned = here.write("cold.json", schedule(keeper_fee_per_payout=510_000)), str(here.folder / "cold.tx")
    found = here.do("register-milestone", path, "--address", FUNDER.text, "--out", unsigned)
    here.do(*registers(here))
    signature = here.write("cold.witness", witness(FUNDER, bytes.fromhex(found["transaction"]["transaction_id"])))
    here.refused("transaction.superseded", "submit", unsigned, "--witness", signature, "--yes", exit_code=4)
    assert distributions(here) == 1


def test_a_transaction_whose_time_is_over(here: Town) -> None:
    """Signed elsewhere, and too late: it is said, and the next one works."""
    path, unsigned = here.write("cold.json", schedule()), str(here.folder / "cold.tx")
    found = here.do("register-milestone", path, "--address", FUNDER.text, "--out", unsigned)
    here.control("time", slots=5 * 3600)
    here.control("blocks", count=1)
    signature = here.write("cold.witness", witness(FUNDER, bytes.fromhex(found["transaction"]["transaction_id"])))
    here.refused("transaction.expired", "submit", unsigned, "--witness", signature, "--yes", exit_code=4)
    here.do(*registers(here))
    assert distributions(here) == 1


def test_a_transaction_that_never_came_is_forgotten_when_its_time_is_over(here: Town) -> None:
    """What was sent in vain does not stand in the way for ever."""
    here.control("reject", code=3997)
    here.refused("ledger.submission_refused", *registers(here), exit_code=4)
    (path,) = sent(here)
    here.control("time", slots=5 * 3600)
    here.control("blocks", count=1)
    here.do(*registers(here))
    assert path not in sent(here)
    assert distributions(here) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "transaction.file_unusable"),
        ('{"type": "Tx ConwayEra"}', "transaction.file_unusable"),
        ('{"type": "PaymentSigningKeyShelley_ed25519", "cborHex": "5820"}', "transaction.file_unusable"),
        ('{"type": "Tx ConwayEra", "cborHex": "84a0a0f5f6"}', "transaction.foreign"),
    ],
)
def test_a_file_that_holds_no_transaction(here: Town, content: str, code: str) -> None:
    """It is said what is wrong with it."""
    path = here.folder / "file.tx"
    path.write_text(content)
    here.refused(code, "submit", str(path), "--yes")


def test_options_that_do_not_go_together_are_a_matter_of_usage(here: Town) -> None:
    """Exit code 2, as always."""
    for arguments in (
        ("attest", "5a295cd9", "m1", "--key", here.key(ORACLES[0]), "--dry-run"),
        ("commit-milestone", "x.json", "--yes"),
        ("commit-milestone", "x.json", "--publish", "--force"),
    ):
        found = CliRunner().invoke(app, ["--config", str(here.config), *arguments])
        assert found.exit_code == 2


def test_an_attestation_needs_who_pays(here: Town) -> None:
    """And its payer may be anybody."""
    found = here.do(*registers(here))
    here.follow()
    signs = ("attest", found["distribution_id"], "m1", "--key", here.key(ORACLES[0]), "--publish")
    here.refused("wallet.payer_missing", *signs, "--yes", exit_code=2)
    here.fund(OWNER, 20 * ADA)
    published = here.do(*signs, *pays(here, OWNER))
    assert published["refund_to"] == OWNER.hash.hex()


def test_somebody_else_may_pay_where_the_funder_signs_too(here: Town) -> None:
    """The funder's coins stay as they are; without the funder's key it is refused at once."""
    path = here.write("paid.json", schedule(token="ada", lovelace_per_payout=1_000_000))
    here.fund(OWNER, 60 * ADA, 10 * ADA)
    before = held_by(here, FUNDER)
    here.refused("schedule.refused", "register-milestone", path, "--submit", *pays(here, OWNER))
    both = ("--signing-key", here.key(OWNER), "--signing-key", here.key(FUNDER), "--yes")
    found = here.do("register-milestone", path, "--submit", *both)
    assert sorted(found["transaction"]["signers"]) == sorted([OWNER.hash.hex(), FUNDER.hash.hex()])
    assert held_by(here, FUNDER) == before
    assert held_by(here, OWNER)[0] == 70 * ADA - found["transaction"]["cost"]


def test_coins_at_an_address_with_a_stake_part_are_spent_and_come_back_there(here: Town) -> None:
    """--address names it; the key is that of its payment part."""
    staked = bytes([0x00]) + FUNDER.hash + OWNER.hash
    told = here.control("faucet", address=address_text(staked), lovelace=50 * ADA)
    before = held_by(here, FUNDER)
    found = here.do("deploy", "--again", "--address", address_text(staked), *pays(here))
    assert found["transaction"]["payer"] == address_text(staked)
    assert held_by(here, FUNDER) == before
    left = here.asked("queryLedgerState/utxo", addresses=[address_text(staked)])
    assert told["transaction"] not in {coin["transaction"]["id"] for coin in left}
    lovelace = sum(coin["value"]["ada"]["lovelace"] for coin in left)
    assert lovelace == 50 * ADA - found["transaction"]["fee"]  # the deposit lies there too


def test_a_fork_that_drops_the_transaction_leaves_the_command_a_way_out(here: Town) -> None:
    """It was in a block; the block is gone, and the transaction with it: the same bytes are sent again."""
    found = here.do(*registers(here))
    (path,) = sent(here)
    here.control("fork", depth=3, blocks=4, drop=[found["transaction"]["transaction_id"]])
    here.control("blocks", count=1)  # what else was in the blocks that are gone
    assert not here.unspent(found["reference"])
    assert str(path) in here.refused("transaction.under_way", *registers(here))["hint"]
    here.do("submit", str(path))
    assert here.unspent(found["reference"])
    assert distributions(here) == 1


def test_a_script_among_the_outputs_that_are_followed_is_found(here: Town) -> None:
    """Nobody names it: whoever published it is watched. Others refer to it, and do not publish it again."""
    here.configure()
    here.config.write_text(here.config.read_text() + f'[[watch]]\ncredential = "{FUNDER.hash.hex()}"\nkind = "key"\n')
    here.follow()
    here.fund(POOR, 60 * ADA, 60 * ADA)
    for each in (here.folder / "data" / "transactions").iterdir():  # it was published by another machine
        each.unlink()
    here.refused("contract.already_published", "deploy", *pays(here, POOR))
    path = here.write("poor.json", schedule(funder=POOR.hash.hex(), token="ada", lovelace_per_payout=1_000_000))
    found = here.do("register-milestone", path, "--submit", *pays(here, POOR))
    assert found["transaction"]["size"] < 4_136  # without the script


# --- the keeper's wallet


def test_the_keeper_of_the_configuration_pays_where_nobody_is_named(here: Town) -> None:
    """Where somebody has to: a schedule is checked without anybody, and whoever is named comes first."""
    here.fund(POOR, 60 * ADA, 10 * ADA)
    here.config.write_text(here.config.read_text() + f'[keeper]\nsigning_key = "{Path(here.key(POOR)).name}"\n')
    assert here.do("deploy", "--again", "--yes")["transaction"]["payer"] == POOR.text
    path = here.write("schedule.json", schedule())
    assert here.do("register-milestone", path)["transaction"] is None
    here.refused("schedule.refused", "register-milestone", path, "--submit", "--yes")  # the funder is another one
    assert here.do(*registers(here))["transaction"]["payer"] == FUNDER.text
    cold = here.do("deploy", "--again", "--address", FUNDER.text, "--out", str(here.folder / "cold.tx"))
    assert cold["transaction"]["signers"] == [FUNDER.hash.hex()]


def test_coins_of_releases_that_are_under_way_are_left_alone(here: Town) -> None:
    """As long as what spends or stakes them may be in a block."""
    (spent, staked) = here.fund(POOR, 60 * ADA, 30 * ADA)
    here.follow()
    asyncio.run(journaled(here, spent, staked, valid_until=here.state["tip"]["slot"] + 1_000))
    deploys = ("deploy", "--again", *pays(here, POOR))
    assert "0 lovelace" in here.refused("builder.funds_missing", *deploys)["message"]
    here.fund(POOR, 25 * ADA)
    here.do(*deploys)
    assert here.unspent(f"{spent.at.transaction.hex()}#0")
    assert here.unspent(f"{staked.at.transaction.hex()}#0")
    here.control("time", slots=2_000)
    here.control("blocks", count=1)
    here.follow()
    here.do(*deploys)
    assert not here.unspent(f"{staked.at.transaction.hex()}#0")


async def journaled(here: Town, spent: Coin, staked: Coin, valid_until: int) -> None:
    """A transaction of the keeper's in the journal. It is in no block."""
    signed = Journaled(
        id=bytes(32),
        raw=b"",
        inputs=(spent.reference,),
        state=None,
        collateral=staked.reference,
        attempt=1,
        valid_from=None,
        valid_until=valid_until,
        fee=200_000,
        loss=200_000,
        units=Units(0, 0),
        sent_ms=None,
        sent_height=None,
    )
    async with opened(here.folder / "db.sqlite") as db, transaction(db):
        await add_transaction(db, None, signed, 0)
