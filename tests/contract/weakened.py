"""`python -m tests.contract.weakened`: the contract without one of its checks, again and again; the tests must notice.

For each of `CHECKS` the source is changed, compiled with Aiken (see `make contracts`) and put before the contract's
tests, all in a temporary directory. A change that the tests do not notice is a rule that nothing holds to.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests" / "contract"


@dataclass(frozen=True)
class Check:
    """A check of the source: where it stands (white space counts as one space), and what stands there without it."""

    file: str
    text: str
    without: str = ""
    last: bool = False  # the text stands there twice: the last is meant


CREATE: Final = "lib/logic/create.ak"
RELEASE: Final = "lib/logic/release.ak"
RECLAIM: Final = "lib/logic/reclaim.ak"
WITHDRAW: Final = "lib/logic/withdraw.ak"
BURN: Final = "lib/logic/burn.ak"
DECODE: Final = "lib/decode.ak"
INPUTS: Final = "lib/inputs.ak"
VALIDITY: Final = "lib/validity.ak"
VALUE: Final = "lib/value.ak"

CHECKS: Final = (
    # Create
    Check(CREATE, "expect spends(self.inputs, seed)"),
    Check(CREATE, "credential == own_credential && value.names(", "value.names("),
    Check(CREATE, "expect is_none_or_inline(address.stake_credential)"),
    Check(CREATE, "expect value.names(self.mint, policy_id) == state_token"),
    Check(CREATE, "expect None = reference_script"),
    Check(CREATE, "expect value.names(all_tokens, policy_id) == state_token"),
    Check(CREATE, "list.has(self.extra_signatories, funder),"),
    Check(CREATE, "1 <= threshold,"),
    Check(CREATE, "threshold <= count_distinct(oracles),", "count_distinct(oracles) >= 0,"),
    Check(CREATE, "expect builtin.length_of_bytearray(builtin.un_b_data(oracle)) == 32"),
    Check(CREATE, "expect !list.has(rest, oracle)"),
    Check(CREATE, "is_within(expiry, two_to_63),"),
    Check(CREATE, "0 <= lovelace_per_payout,"),
    Check(CREATE, "0 <= keeper_fee_per_payout,"),
    Check(CREATE, "expect [_, ..] = allocations"),
    Check(CREATE, "amount > 0,"),
    Check(CREATE, "is_within(builtin.length_of_bytearray(milestone_id) - 1, 64),"),
    Check(CREATE, "is_within(vesting, two_to_63),"),
    Check(CREATE, "claimed == decode.false,"),
    Check(CREATE, "payment != own_credential,"),
    Check(CREATE, "builtin.length_of_bytearray(hash) == 28,"),
    Check(CREATE, ") == 28,", ") >= 0,", last=True),
    Check(CREATE, "expect is_within(sum, two_to_63)"),
    Check(CREATE, 'asset_name == "" && tokens == []', "tokens == []"),
    Check(CREATE, "tokens == [] && lovelace", "lovelace"),
    Check(CREATE, " && lovelace >= lovelace_needed + sum"),
    Check(CREATE, "policy == token_policy,"),
    Check(CREATE, "name == asset_name,"),
    Check(CREATE, "quantity >= sum,"),
    Check(CREATE, "lovelace >= lovelace_needed,"),
    Check(CREATE, "[Pair(policy, [Pair(name, quantity)])]", "[Pair(policy, [Pair(name, quantity), ..])]"),
    Check(CREATE, "[Pair(policy, [Pair(name, quantity)])]", "[Pair(policy, [Pair(name, quantity)]), ..]"),
    Check(CREATE, "builtin.divide_integer(number, limit) == 0", "number < limit"),
    Check(CREATE, "builtin.divide_integer(number, limit) == 0", "number >= 0"),
    # Release
    Check(INPUTS, "expect input.output_reference == reference"),
    Check(INPUTS, "expect all_keys(rest)"),
    Check(INPUTS, "VerificationKey(_) -> all_keys(rest)", "VerificationKey(_) -> True"),
    Check(RELEASE, "expect [] = self.mint"),
    Check(RELEASE, "expect [] = self.withdrawals"),
    Check(RELEASE, "expect [] = self.certificates"),
    Check(RELEASE, "expect [] = self.votes"),
    Check(RELEASE, "expect [] = self.proposal_procedures"),
    Check(RELEASE, ">= builtin.un_i_data(quorum_threshold)", ">= 0"),
    Check(RELEASE, "expect [_, ..] = indices"),
    Check(RELEASE, "expect lovelace >= per_payout + amount"),
    Check(RELEASE, "expect lovelace >= per_payout [ada,", "[ada,"),
    Check(RELEASE, "builtin.un_i_data(vesting_timestamp) <= since && payout", "payout"),
    Check(
        RELEASE,
        "since && payout == builtin.constr_data(\n      0,\n      [beneficiary, value, ..no_datum_no_script],\n    )",
        "since",
    ),
    Check(RELEASE, "let payout: Data = payout\n", "let payout: Data = Output { ..payout, datum: ledger.NoDatum }\n"),
    Check(RELEASE, "let payout: Data = payout\n", "let payout: Data = Output { ..payout, reference_script: None }\n"),
    Check(RELEASE, "tokens_after == tokens_before && after", "after"),
    Check(RELEASE, " && after >= before - allowance - paid"),
    Check(RELEASE, "after >= before - allowance - paid", "after >= before - allowance - paid - paid"),
    Check(RELEASE, "value.names(tokens_after, policy_id) == state_token,"),
    Check(RELEASE, "value.others(tokens_after, policy_id) == left,"),
    Check(RELEASE, "after >= before - allowance,"),
    Check(RELEASE, "expect keeps_rest(paid, count)"),
    Check(RELEASE, "expect continuing.address == own.address"),
    Check(RELEASE, "expect None = continuing.reference_script"),
    Check(RELEASE, "builtin.list_data(claimed_allocations),", "allocations,"),
    Check(RELEASE, "milestone_id == released && ", ""),
    Check(RELEASE, "builtin.head_list(claim) == decode.false && ", ""),
    Check(RELEASE, "expect builtin.verify_ed25519_signature( builtin.un_b_data(oracle), message, signature, )"),
    Check(RELEASE, "|> builtin.append_bytearray(policy_id)"),
    Check(RELEASE, "|> builtin.append_bytearray(id)"),
    Check(RELEASE, "|> builtin.append_bytearray(milestone_id)"),
    Check(
        RELEASE,
        "count_signed(other_oracles, position + 1, other_signatures, message)",
        "count_signed(oracles, position, other_signatures, message)",
    ),
    Check(
        VALIDITY,
        "expect Finite(time) = self.validity_range.lower_bound.bound",
        "expect Finite(time) = self.validity_range.upper_bound.bound",
    ),
    # Reclaim
    Check(RECLAIM, "expect list.has(self.extra_signatories, funder)"),
    Check(RECLAIM, "expect decode.all_bytes(oracles)"),
    Check(RECLAIM, "decode.is_stake(stake) && "),
    Check(RECLAIM, " && decode.is_bool(claimed)"),
    Check(RECLAIM, "all_claimed(allocations),\n", "True,\n"),
    Check(RECLAIM, "expires_at != decode.none && expiry", "expiry"),
    Check(RECLAIM, " && expiry <= validity.since(self)"),
    Check(RECLAIM, "claimed == decode.true && all_claimed(rest)", "claimed == decode.true || all_claimed(rest)"),
    Check(RECLAIM, "burns(value.names(self.mint, policy_id), id),", "True,"),
    Check(RECLAIM, "quantity == -1", "quantity <= 1"),
    Check(RECLAIM, "if name == id {", "if name != id || name == id {"),
    # Withdraw, Burn
    Check(WITHDRAW, "expect builtin.unconstr_index(datum) == 1"),
    Check(WITHDRAW, "decode.all_bytes(all) && "),
    Check(WITHDRAW, " && list.has(self.extra_signatories, refund_to)"),
    Check(BURN, "quantity < 0 && ", ""),
    Check(BURN, " && all_negative(rest)", ""),
    # Decoding in full
    Check(DECODE, "expect builtin.unconstr_index(data) == 0"),
    Check(DECODE, "expect builtin.unconstr_index(data) <= 1"),
    Check(DECODE, "expect [hash] = builtin.unconstr_fields(data)", "expect [hash, ..] = builtin.unconstr_fields(data)"),
    Check(DECODE, "expect [content] = fields(data)", "expect [content, ..] = fields(data)"),
    Check(
        DECODE, "expect [policy_id, asset_name] = fields(token)", "expect [policy_id, asset_name, ..] = fields(token)"
    ),
    Check(DECODE, "data == false || data == true", "data == data"),
    Check(DECODE, "_ -> False", "_ -> True"),
    Check(DECODE, "expect _: Int = slot_number"),
    Check(DECODE, "expect _: Int = transaction_index"),
    Check(DECODE, "expect _: Int = certificate_index"),
    Check(DECODE, "expect _: ByteArray = element"),
    Check(DECODE, "expect _: ByteArray = credential(field(stake))"),
    Check(
        DECODE,
        "expect [payment_credential, stake_credential] = fields(beneficiary)",
        "expect [payment_credential, stake_credential, ..] = fields(beneficiary)",
    ),
)


def main() -> None:
    """Weaken, compile, test; exit 1 if the tests did not notice once."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.weakened")
    parser.add_argument("--aiken", default="aiken", help="the compiler")
    parser.add_argument("--only", default="", help="checks of the files whose name holds this")
    options = parser.parse_args()
    unnoticed = 0
    checks = [check for check in CHECKS if options.only in check.file]
    for number, check in enumerate(checks, start=1):
        found = verdict(check, options.aiken)
        unnoticed += not found
        what = " ".join(check.text.split())
        print(
            f"{number}/{len(checks)} {check.file}: {what!r} -> {check.without!r}: {found or 'NOT NOTICED'}", flush=True
        )
    sys.exit(1 if unnoticed else 0)


def verdict(check: Check, aiken: str) -> str:
    """The first test that fails without the check; empty if all pass."""
    with tempfile.TemporaryDirectory() as directory:
        contracts = Path(directory) / "contracts"
        shutil.copytree(ROOT / "contracts", contracts, ignore=shutil.ignore_patterns("build", "*.test.ak"))
        _weaken(contracts / check.file, check)
        blueprint = Path(directory) / "plutus.json"
        built = subprocess.run(
            [aiken, "build", "--silent", "--out", "../plutus.json"], cwd=contracts, capture_output=True, text=True
        )
        if built.returncode:
            raise RuntimeError(f"{check} does not compile: {built.stderr or built.stdout}")
        return _first_failure(blueprint, Path(check.file).stem)


def _weaken(file: Path, check: Check) -> None:
    source = file.read_text(encoding="utf-8")
    found = list(re.finditer(r"\s+".join(map(re.escape, check.text.split())), source))
    if len(found) != (2 if check.last else 1):
        raise RuntimeError(f"{check.file} holds {check.text!r} {len(found)} times: it has changed")
    start, end = found[-1].span()
    file.write_text(source[:start] + check.without + source[end:], encoding="utf-8")


def _first_failure(blueprint: Path, topic: str) -> str:
    # First the tests that should notice.
    files = sorted(TESTS.glob("test_*.py"), key=lambda file: (f"test_{topic}" not in file.name, file.name))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "INDEXER_TEST_BLUEPRINT": str(blueprint)},
        capture_output=True,
        text=True,
    )
    if ran.returncode == 0:
        return ""
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].removeprefix("FAILED ").split(" - ")[0] if failed else "?"


if __name__ == "__main__":
    main()
