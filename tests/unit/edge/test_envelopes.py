"""Transactions and signatures in files."""

import json
from pathlib import Path

import pytest

from indexer.edge.builder.signing import Witness
from indexer.edge.envelopes import (
    SIGNED,
    UNSIGNED,
    EnvelopeUnusable,
    read_transaction,
    read_witness,
    write_transaction,
)
from indexer.errors import FileUnusable

KEY, SIGNATURE = bytes(range(32)), bytes(range(64))


def enveloped(path: Path, kind: object, content: object) -> Path:
    path.write_text(json.dumps({"type": kind, "description": "", "cborHex": content}))
    return path


@pytest.mark.parametrize("kind", [SIGNED, UNSIGNED])
def test_a_transaction_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    """In a folder that need not exist; nothing else is left there."""
    path = tmp_path / "new" / "tx.json"
    write_transaction(path, b"\x84\xa0", kind, "for somebody")
    assert read_transaction(path) == b"\x84\xa0"
    assert json.loads(path.read_text()) == {"type": kind, "description": "for somebody", "cborHex": "84a0"}
    assert list(path.parent.iterdir()) == [path]


def test_a_transaction_that_cannot_be_written_is_an_error_of_the_file(tmp_path: Path) -> None:
    """A file stands where a folder should."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnusable, match="cannot write"):
        write_transaction(tmp_path / "file" / "tx.json", b"", SIGNED, "")


def test_what_other_tools_call_a_transaction_is_one_too(tmp_path: Path) -> None:
    """cardano-cli's names differ by version and era."""
    for kind in ("Tx ConwayEra", "Witnessed Tx BabbageEra", "Unwitnessed Tx ConwayEra"):
        assert read_transaction(enveloped(tmp_path / "tx", kind, "84A0")) == b"\x84\xa0"


def test_a_signature_is_read_as_cardano_cli_writes_it(tmp_path: Path) -> None:
    """Kind 0, then key and signature."""
    content = f"8200825820{KEY.hex()}5840{SIGNATURE.hex()}"
    assert read_witness(enveloped(tmp_path / "w", "TxWitness ConwayEra", content)) == Witness(KEY, SIGNATURE)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("Tx ConwayEra", f"8200825820{KEY.hex()}5840{SIGNATURE.hex()}"),
        ("TxWitness ConwayEra", f"8202825820{KEY.hex()}5840{SIGNATURE.hex()}"),  # Byron's
        ("TxWitness ConwayEra", f"8200825820{KEY.hex()}5840{SIGNATURE.hex()}00"),
        ("TxWitness ConwayEra", "82"),
        ("TxWitness ConwayEra", "no hex"),
        (1, "82"),
    ],
)
def test_what_is_no_signature_by_a_key_is_refused(tmp_path: Path, kind: object, content: object) -> None:
    """Of another type, of another form, cut short."""
    with pytest.raises(EnvelopeUnusable):
        read_witness(enveloped(tmp_path / "w", kind, content))


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    """Whoever gives a signing key by mistake."""
    path = enveloped(tmp_path / "k", "PaymentSigningKeyShelley_ed25519", f"5820{KEY.hex()}")
    for read in (read_transaction, read_witness):
        with pytest.raises(EnvelopeUnusable) as found:
            read(path)
        assert KEY.hex() not in str(found.value)


def test_a_file_that_is_missing_too_large_or_no_json_is_refused(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(FileUnusable):
        read_transaction(tmp_path / "none")
    path = tmp_path / "large"
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(EnvelopeUnusable, match="larger"):
        read_transaction(path)
    path.write_bytes(b"\xff")
    with pytest.raises(EnvelopeUnusable, match="JSON"):
        read_transaction(path)
