"""What stands in for the fee where scripts fail (Babbage: `validateTotalCollateral`). Asked only with redeemers."""

from collections.abc import Iterator

from indexer.devnet.ledger.balance import total
from indexer.devnet.ledger.credentials import spender
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Setting
from indexer.devnet.ledger.shown import shown_lovelace, shown_references, shown_value


def collateral(setting: Setting) -> Iterator[Refusal]:
    """Key-locked, of ada alone, enough, as much as declared, and there at all."""
    locked = [reference for reference, output in setting.staked.items() if spender(output.address).is_script]
    if locked:
        yield refusal(3129, {"unsuitableCollateralInputs": shown_references(locked)})
    yield from _pure(setting)
    balance, due = setting.collateral_balance, setting.parameters.minimum_collateral(setting.tx.fee)
    if balance < due:
        least = shown_lovelace(due)
        yield refusal(3128, {"providedCollateral": shown_lovelace(balance), "minimumRequiredCollateral": least})
    declared = setting.tx.total_collateral
    if declared is not None and declared != balance:
        computed = shown_lovelace(balance)
        yield refusal(3135, {"declaredTotalCollateral": shown_lovelace(declared), "computedTotalCollateral": computed})
    if not setting.staked:
        yield refusal(3132)


def _pure(setting: Setting) -> Iterator[Refusal]:
    """Tokens may be staked if all of them are returned."""
    returned = setting.tx.collateral_return
    staked = total(setting.staked.values())
    back = total(() if returned is None else (returned,))
    if staked[1] != back[1]:
        unsuitable = staked if staked[1] or returned is None else back
        yield refusal(3133, {"unsuitableCollateralValue": shown_value(*unsuitable)})
