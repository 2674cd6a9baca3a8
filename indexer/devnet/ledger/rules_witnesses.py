"""Who has to sign, and what the signatures and the auxiliary data have to be (Conway's rule UTXOW, its first half)."""

from collections.abc import Iterator
from hashlib import blake2b

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from indexer.devnet.ledger.addresses import stake_credential
from indexer.devnet.ledger.credentials import bootstrap_hash, key_hash, spender
from indexer.devnet.ledger.evaluator import is_program
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Setting, author_of


def signatures(setting: Setting) -> Iterator[Refusal]:
    """Whoever has to sign did, and every signature is right, asked for or not."""
    signed = setting.signers | {bootstrap_hash(witness) for witness in setting.tx.witnesses.bootstraps}
    missing = sorted(required_keys(setting) - signed)
    if missing:
        yield refusal(3101, {"missingSignatories": [key.hex() for key in missing]})
    wrong = list(invalid_keys(setting))
    if wrong:
        yield refusal(3100, {"invalidSignatories": [key.hex() for key in wrong]})


def required_keys(setting: Setting) -> set[bytes]:
    """Hashes of the keys that have to sign (Conway: `getConwayWitsVKeyNeeded`)."""
    outputs = (*setting.spent.values(), *setting.staked.values())
    owners = {spender(output.address) for output in outputs}
    accounts = {stake_credential(address) for address in setting.tx.withdrawals}
    authors = {author for certificate in setting.tx.certificates if (author := author_of(certificate)) is not None}
    keys = {credential.hash for credential in owners | accounts | authors if not credential.is_script}
    return keys | set(setting.tx.required_signers)


def invalid_keys(setting: Setting) -> Iterator[bytes]:
    """Keys (32 bytes) whose signature over the transaction's id does not verify, by libsodium's rules."""
    witnesses = setting.tx.witnesses
    keys = [(key_hash(witness.key), witness.key, witness.signature) for witness in witnesses.keys]
    bootstraps = [(bootstrap_hash(witness), witness.key, witness.signature) for witness in witnesses.bootstraps]
    for _, key, signature in (*sorted(keys), *sorted(bootstraps)):
        if not verifies(key, signature, setting.tx.id):
            yield key


def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature (64 bytes) of a message by a key (32 bytes) is right."""
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def auxiliary_data(setting: Setting) -> Iterator[Refusal]:
    """Body and auxiliary data name each other, and scripts in it are scripts."""
    tx, provided = setting.tx, setting.tx.auxiliary_data_hash
    if tx.auxiliary_data is None:
        if provided is not None:
            yield refusal(3106, {"metadata": {"hash": provided.hex()}})
        return
    computed = blake2b(tx.auxiliary_data, digest_size=32).digest()
    if provided is None:
        yield refusal(3105, {"metadata": {"hash": computed.hex()}})
        return
    if not all(map(is_program, tx.auxiliary_scripts)):
        yield refusal(3108)
    if provided != computed:
        yield refusal(3107, {"provided": {"hash": provided.hex()}, "computed": {"hash": computed.hex()}})
