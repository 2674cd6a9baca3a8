"""Who signs for the keeper: a key at hand, or a command that answers rightly, wrongly, or not at all."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from indexer.edge.builder.build import Built
from indexer.edge.builder.intents import Split
from indexer.edge.builder.signing import Witness
from indexer.edge.keys import Key
from indexer.edge.signers import Command, OwnKey, SignerFailed
from tests.support.following import until
from tests.support.yard import FUNDER, HANDS, KEEPER, furnished

HAND = HANDS[KEEPER.hash]
SECRET = bytes(KEEPER.key).hex()
SIGNS = """
    from nacl.signing import SigningKey
    request = json.loads(sys.stdin.readline())
    seed = {seed!r}
    signature = SigningKey(bytes.fromhex(seed)).sign(bytes.fromhex(request["transaction_id"])).signature.hex()
    key = {key!r}
"""
ANSWERS = SIGNS + '    print(json.dumps({{"key": key, "signature": signature}}))\n'
AS_CARDANO_CLI = (
    SIGNS + '    cbor = "8200825820" + key + "5840" + signature\n'
    '    print(json.dumps({{"type": "TxWitness ConwayEra", "description": "", "cborHex": cbor}}))\n'
)


@pytest.fixture
async def built() -> Built:
    """Something to sign."""
    return await (await furnished(deployed=False)).build(Split(6_000_000))


def command(folder: Path, body: str, seed: str = SECRET, key: bytes = KEEPER.public, limit_s: float = 20.0) -> Command:
    """A program whose body is this; it knows the seed, and says the key."""
    path = folder / "sign.py"
    lines = body.format(seed=seed, key=key.hex()).replace("\n    ", "\n")
    path.write_text(f"import json, os, subprocess, sys, time\n{lines.strip()}\n")
    return Command([sys.executable, str(path)], KEEPER.public, limit_s)


async def fails(signer: Command, transaction: bytes, reason: str) -> None:
    """For this reason, and nothing secret is in what is said."""
    with pytest.raises(SignerFailed, match=reason) as raised:
        await signer.sign(transaction)
    assert SECRET not in f"{raised.value!r} {raised.value.hint}"


async def test_a_key_at_hand_signs(built: Built) -> None:
    """As the hand that it is does, and it is not shown by what holds it."""
    signer = OwnKey(Key(bytes(KEEPER.key)))
    assert signer.public == KEEPER.public
    assert await signer.sign(built.transaction) == Witness(HAND.public, HAND.sign(built.id))
    assert SECRET not in f"{signer!r} {vars(signer)!r}"


@pytest.mark.parametrize("body", [ANSWERS, AS_CARDANO_CLI], ids=["key and signature", "cardano-cli"])
async def test_a_command_signs(built: Built, tmp_path: Path, body: str) -> None:
    """It is told the id and the bytes, and what it answers is a signature like any other."""
    signer = command(tmp_path, body)
    assert signer.public == KEEPER.public
    assert await signer.sign(built.transaction) == Witness(HAND.public, HAND.sign(built.id))


async def test_a_command_is_told_the_id_and_the_bytes_in_one_line(built: Built, tmp_path: Path) -> None:
    """And then that there is no more."""
    signer = command(tmp_path, f"open({str(tmp_path / 'told')!r}, 'w').write(sys.stdin.read())")
    await fails(signer, built.transaction, "is not JSON")
    told = (tmp_path / "told").read_text()
    assert told.endswith("}\n")
    assert told.count("\n") == 1
    assert json.loads(told) == {"transaction_id": built.id.hex(), "cbor": built.transaction.hex()}


async def test_no_shell_reads_the_arguments(built: Built, tmp_path: Path) -> None:
    """They reach the program as they are."""
    argument = f"; touch {tmp_path / 'planted'} $(id) *"
    told = tmp_path / "told"
    code = f"import sys; open({str(told)!r}, 'w').write(sys.argv[1])"
    await fails(Command([sys.executable, "-c", code, argument], KEEPER.public), built.transaction, "is not JSON")
    assert told.read_text() == argument
    assert not (tmp_path / "planted").exists()


async def test_a_signature_by_another_key_is_refused(built: Built, tmp_path: Path) -> None:
    """Though it is right."""
    signer = command(tmp_path, ANSWERS, bytes(FUNDER.key).hex(), FUNDER.public)
    await fails(signer, built.transaction, f"answers for the key {FUNDER.public.hex()}")


async def test_a_signature_that_does_not_verify_is_refused(built: Built, tmp_path: Path) -> None:
    """It says that it is the right key's."""
    signer = command(tmp_path, ANSWERS, bytes(FUNDER.key).hex(), KEEPER.public)
    await fails(signer, built.transaction, "does not verify")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("pass", "is not JSON"),
        ("print('[' * 60_000)", "is not JSON"),
        ("print('[1]')", "is no witness"),
        ("""print('{{"key": "ab", "signature": "cd"}}')""", "is no witness: it has .*key.*signature"),
        ("""print('{{"cborHex": "8202"}}')""", "is no witness"),
        ("""print('{{"cborHex": "820"}}')""", "is no witness"),
        ("""print('{{"error": "' + {seed!r} + '"}}')""", "is no witness: it has .*error"),
        ("print('x' * 100_000)", "more than 65536 bytes"),
        ("sys.exit(3)", "exit code 3"),
        ("print({seed!r}, file=sys.stderr); sys.exit(1)", "exit code 1"),
        ("os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
async def test_an_answer_that_is_none_is_refused(built: Built, tmp_path: Path, body: str, reason: str) -> None:
    """By name, whatever the command says, and whatever it says about the key."""
    await fails(command(tmp_path, body), built.transaction, reason)


async def test_a_command_that_is_not_there_is_told(built: Built, tmp_path: Path) -> None:
    """So is one that may not be run."""
    await fails(Command([str(tmp_path / "none")], KEEPER.public), built.transaction, "cannot be started")
    (tmp_path / "plain").write_text("")
    await fails(Command([str(tmp_path / "plain")], KEEPER.public), built.transaction, "cannot be started")
    await fails(Command(["a\0b"], KEEPER.public), built.transaction, "cannot be started")


async def test_a_command_that_takes_too_long_is_ended_with_all_it_started(built: Built, tmp_path: Path) -> None:
    """Also what holds its output open behind it."""
    child = tmp_path / "child"
    body = f"""
    started = subprocess.Popen(["sleep", "60"])
    open({str(child)!r}, "w").write(str(started.pid))
    time.sleep(60)
    """
    begun = time.monotonic()
    await fails(command(tmp_path, body, limit_s=2.0), built.transaction, "within 2 s")
    assert time.monotonic() - begun < 20
    pid = int(child.read_text())
    await until(lambda: not alive(pid))


async def test_a_command_whose_child_holds_the_output_open_is_ended_too(built: Built, tmp_path: Path) -> None:
    """It has ended itself and has not answered: for what it started nobody waits."""
    child = tmp_path / "child"
    body = f"""
    started = subprocess.Popen(["sleep", "60"])
    open({str(child)!r}, "w").write(str(started.pid))
    """
    await fails(command(tmp_path, body, limit_s=60.0), built.transaction, "not JSON")
    pid = int(child.read_text())
    await until(lambda: not alive(pid))


async def test_who_is_not_waited_for_any_longer_leaves_nothing_behind(built: Built, tmp_path: Path) -> None:
    """The daemon may stop while a command thinks."""
    mine = tmp_path / "pid"
    signer = command(tmp_path, f"open({str(mine)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    task = asyncio.create_task(signer.sign(built.transaction))
    await until(lambda: mine.exists() and mine.read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(int(mine.read_text()))


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet buried does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
