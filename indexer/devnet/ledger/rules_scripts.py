"""Scripts, redeemers and datums: all that is needed and nothing else (Conway's rule UTXOW, its second half)."""

from collections.abc import Iterable, Iterator

from indexer.devnet.ledger.evaluator import is_program
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.rules_context import shown_need
from indexer.devnet.ledger.scripts import After, All, Any, Before, Clause, Signature, Some, clauses_of
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Setting
from indexer.devnet.ledger.shown import shown_pointer, shown_references
from indexer.devnet.ledger.transaction import Language, Script


def integrity(setting: Setting) -> Iterator[Refusal]:
    """The body's hash of redeemers, datums and cost models is that of those in the witness set and the ledger."""
    provided = setting.tx.script_integrity_hash
    computed = setting.parameters.integrity_hash(setting.tx.witnesses, setting.languages)
    if provided != computed:
        hashes = {"providedScriptIntegrity": _hex(provided), "computedScriptIntegrity": _hex(computed)}
        yield refusal(3113, hashes)


def well_formed(setting: Setting) -> Iterator[Refusal]:
    """Plutus scripts are programs, in the witness set and where an output publishes them."""
    published = [output.script for output in setting.created if output.script is not None]
    for scripts in (published, setting.tx.witnesses.scripts):
        malformed = _hashes(script for script in scripts if not is_program(script))
        if malformed:
            yield refusal(3116, {"malformedScripts": malformed})


def redeemers(setting: Setting) -> Iterator[Refusal]:
    """One for each Plutus script that has to agree."""
    wanted = {need.pointer: need for need, _ in setting.plutus}
    missing = [need for pointer, need in wanted.items() if pointer not in setting.redeemers]
    if missing:
        yield refusal(3109, {"missingRedeemers": [shown_need(need) for need in missing]})
    extra = [pointer for pointer in setting.redeemers if pointer not in wanted]
    if extra:
        yield refusal(3110, {"extraneousRedeemers": [shown_pointer(*pointer) for pointer in extra]})


def datums(setting: Setting) -> Iterator[Refusal]:
    """Those that spent outputs name by hash; others only if an output made or referenced names them."""
    locked = {reference: setting.spent[reference] for reference in setting.locks}
    required = {output.datum_hash for output in locked.values() if output.datum_hash is not None}
    given = set(setting.tx.witnesses.datums)
    named = (*setting.created, *setting.resolved(setting.references).values())
    allowed = required | {output.datum_hash for output in named if output.datum_hash is not None}
    if extraneous := sorted(given - allowed):
        yield refusal(3112, {"extraneousDatums": [datum.hex() for datum in extraneous]})
    if missing := sorted(required - given):
        yield refusal(3111, {"missingDatums": [datum.hex() for datum in missing]})
    bare = [reference for reference, output in locked.items() if output.datum is None and output.datum_hash is None]
    bare = [reference for reference in bare if setting.locks[reference] < Language.PLUTUS_V3]
    if bare:
        yield refusal(3114, {"orphanScriptInputs": shown_references(bare)})


def scripts(setting: Setting) -> Iterator[Refusal]:
    """Those that have to agree, each in the witness set or carried by an input or reference input, not both."""
    needed = {need.hash for need in setting.needs} - set(setting.reference_scripts)
    given = {script.hash for script in setting.tx.witnesses.scripts}
    if missing := sorted(needed - given):
        yield refusal(3102, {"missingScripts": [script.hex() for script in missing]})
    if extraneous := sorted(given - needed):
        yield refusal(3104, {"extraneousScripts": [script.hex() for script in extraneous]})


def native(setting: Setting) -> Iterator[Refusal]:
    """Native scripts that have to agree do."""
    needed = {need.hash for need in setting.needs}
    natives = (script for script in setting.provided.values() if script.language is Language.NATIVE)
    failing = _hashes(s for s in natives if s.hash in needed and not _holds(setting, clauses_of(s.raw)))
    if failing:
        yield refusal(3103, {"failingNativeScripts": failing})


def _holds(setting: Setting, clause: Clause) -> bool:
    """Whether a clause of a native script holds (Allegra: `evalTimelock`): time is the transaction's own interval."""
    match clause:
        case Signature(key):
            return key in setting.signers
        case All(clauses):
            return all(_holds(setting, each) for each in clauses)
        case Any(clauses):
            return any(_holds(setting, each) for each in clauses)
        case Some(least, clauses):
            return sum(_holds(setting, each) for each in clauses) >= least
        case After(slot):
            return setting.tx.invalid_before is not None and slot <= setting.tx.invalid_before
        case Before(slot):
            return setting.tx.invalid_hereafter is not None and setting.tx.invalid_hereafter <= slot


def _hashes(found: Iterable[Script]) -> list[str]:
    return sorted({script.hash.hex() for script in found})


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
