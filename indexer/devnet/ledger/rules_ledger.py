"""What a transaction says of accounts and governance, and how large the scripts are that it points at.

Conway's rules LEDGER, CERTS and DELEG (cardano-ledger, protocol 11). They concern a transaction whose scripts pass:
one that only forfeits its collateral does none of this.
"""

from collections.abc import Iterator, Mapping

from indexer.devnet.ledger.addresses import stake_credential
from indexer.devnet.ledger.certificates import drep_credential
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.sentences import not_modelled, refusal
from indexer.devnet.ledger.setting import Account, Setting
from indexer.devnet.ledger.shown import shown_credential, shown_lovelace, shown_withdrawals
from indexer.devnet.ledger.transaction import (
    Certificate,
    Credential,
    Deregistration,
    Registration,
    UnknownCertificate,
    VoteDelegation,
)


def unmodelled(setting: Setting) -> Iterator[Refusal]:
    """What the devnet does not model, whether scripts pass or not."""
    kinds = [certificate.kind for certificate in setting.tx.certificates if isinstance(certificate, UnknownCertificate)]
    if kinds:
        yield not_modelled(f"certificates of kind {', '.join(map(str, sorted(set(kinds))))}")
    if setting.tx.governance:
        yield not_modelled(f"governance ({', '.join(setting.tx.governance)})")


def accounts_and_size(setting: Setting) -> Iterator[Refusal]:
    """All of LEDGER that comes before the UTxO rules."""
    if not setting.tx.is_valid:
        return
    if setting.tx.treasury is not None and setting.tx.treasury != setting.treasury:
        computed, provided = shown_lovelace(setting.treasury), shown_lovelace(setting.tx.treasury)
        yield refusal(3158, {"computedWithdrawal": computed, "providedWithdrawal": provided})
    measured, most = setting.reference_scripts_size, setting.parameters.max_script_size
    if measured > most:
        sizes = {"measuredReferenceScriptsSize": {"bytes": measured}, "maximumReferenceScriptsSize": {"bytes": most}}
        yield refusal(3166, sizes)
    yield from _withdrawals(setting)
    yield from _certificates(setting)


def registered(
    accounts: Mapping[Credential, Account], certificate: Certificate, deposit: int
) -> tuple[Credential, Account | None]:
    """Whose account a certificate changes, and what it is then; None: it is gone. KeyError: there is none to change."""
    match certificate:
        case Registration(credential):
            return credential, Account(deposit)
        case Deregistration(credential):
            return credential, None
        case VoteDelegation(credential, drep):
            before = accounts[credential]
            return credential, Account(before.deposit, before.rewards, drep)
        case UnknownCertificate(kind):
            raise ValueError(f"a certificate of kind {kind} changes nothing that the devnet models")


def _withdrawals(setting: Setting) -> Iterator[Refusal]:
    tx, accounts = setting.tx, setting.accounts
    credentials = {address: stake_credential(address) for address in setting.withdrawals}
    # A script needs no representative, a key does (`validateWithdrawalsDelegated`).
    keys = {credential for credential in credentials.values() if not credential.is_script}
    marginal = sorted(key.hash for key in keys if key not in accounts or accounts[key].vote is None)
    if marginal:
        yield refusal(3150, {"marginalizedCredentials": [key.hex() for key in marginal]})
    known = {
        address: accounts[credential]
        for address, credential in credentials.items()
        if credential in accounts and address[0] & 1 == setting.network
    }
    missing = {address: tx.withdrawals[address] for address in credentials if address not in known}
    if missing:
        yield refusal(3141, {"incompleteWithdrawals": shown_withdrawals(missing)})
    due = {address: account.rewards for address, account in known.items()}
    wrong = {address: rewards for address, rewards in due.items() if rewards != tx.withdrawals[address]}
    if wrong:
        yield refusal(3141, {"incompleteWithdrawals": shown_withdrawals(wrong)})


def _certificates(setting: Setting) -> Iterator[Refusal]:
    """One after the other, each on the accounts that those before it left, withdrawals taken.

    A certificate that offends is passed over. What comes of several is in the order in which Ogmios is told: the rule
    calls itself for all but the last certificate, and each call turns the order of what it found around.
    """
    accounts = dict(setting.accounts)
    for address in setting.withdrawals:
        credential = stake_credential(address)
        if credential in accounts:
            accounts[credential] = Account(accounts[credential].deposit, 0, accounts[credential].vote)
    found: list[Refusal] = []
    for certificate in setting.tx.certificates:
        offences = list(_offences(setting, accounts, certificate))
        found = offences[::-1] + found[::-1]
        if not offences and not isinstance(certificate, UnknownCertificate):
            credential, account = registered(accounts, certificate, setting.parameters.key_deposit)
            accounts.pop(credential, None)
            if account is not None:
                accounts[credential] = account
    yield from found


def _offences(setting: Setting, accounts: Mapping[Credential, Account], certificate: Certificate) -> Iterator[Refusal]:
    match certificate:
        case Registration(credential, deposit):
            if deposit not in (None, setting.parameters.key_deposit):
                yield refusal(3139)  # what Ogmios makes of a wrong deposit or refund since protocol 11
            if credential in accounts:
                yield refusal(3145, shown_credential("knownCredential", credential))
        case Deregistration(credential, refund):
            account = accounts.get(credential)
            if account is None:
                yield refusal(3146, shown_credential("unknownCredential", credential))
                return
            if refund not in (None, account.deposit):
                yield refusal(3139)
            if account.rewards:
                yield refusal(3147, {"nonEmptyRewardAccountBalance": shown_lovelace(account.rewards)})
        case VoteDelegation(credential, drep):
            if (representative := drep_credential(drep)) is not None:
                # None can be registered here; Ogmios tells of an unknown one as of an unknown stake credential.
                yield refusal(3146, shown_credential("unknownCredential", representative))
            if credential not in accounts:
                yield refusal(3146, shown_credential("unknownCredential", credential))
