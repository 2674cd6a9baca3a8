"""The faucet's payments: ordinary transactions, made and signed here."""

from hashlib import blake2b

from nacl.signing import SigningKey

from indexer.chain.block import OutputReference
from indexer.devnet import cbor


def payment(
    source: OutputReference,
    held: int,
    key: SigningKey,
    own_address: bytes,
    payee: tuple[bytes, int],
    fees: tuple[int, int],
) -> bytes:
    """A transaction that pays somebody (address, lovelace) out of one output of `held` lovelace, as CBOR.

    Output 0 is the payment, output 1 the change. `fees` are lovelace for each byte, and for the whole. Whether the
    change is enough to stand is for the ledger to say.
    """
    fee = 0
    while True:
        raw = _signed(source, [payee, (own_address, held - payee[1] - fee)], fee, key)
        needed = fees[0] * (len(raw) - 1) + fees[1]  # the flag of validity is not charged for
        if fee >= needed:
            return raw
        fee = needed


def _signed(source: OutputReference, outputs: list[tuple[bytes, int]], fee: int, key: SigningKey) -> bytes:
    spent = cbor.array((cbor.byte_string(source.transaction_id), cbor.integer(source.index)))
    body = cbor.mapping(
        {
            cbor.integer(0): cbor.as_set([spent]),
            cbor.integer(1): cbor.array(_output(address, lovelace) for address, lovelace in outputs),
            cbor.integer(2): cbor.integer(fee),
        }
    )
    signature = key.sign(blake2b(body, digest_size=32).digest()).signature
    witness = cbor.array((cbor.byte_string(bytes(key.verify_key)), cbor.byte_string(signature)))
    witnesses = cbor.mapping({cbor.integer(0): cbor.as_set([witness])})
    return cbor.array((body, witnesses, cbor.TRUE, cbor.NULL))


def _output(address: bytes, lovelace: int) -> bytes:
    return cbor.mapping({cbor.integer(0): cbor.byte_string(address), cbor.integer(1): cbor.integer(lovelace)})
