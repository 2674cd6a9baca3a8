"""Signing keys in files: read in every form that people have them in, and never shown."""

import json
from pathlib import Path

import pytest

from indexer import errors
from indexer.edge.keys import Key, KeyExists, KeyUnusable, generate, read_key, verification_path, write_key

# RFC 8032, section 7.1, test 2.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def envelope(kind: str = "PaymentSigningKeyShelley_ed25519", content: str = f"5820{SECRET.hex()}") -> bytes:
    return json.dumps({"type": kind, "description": "", "cborHex": content}).encode()


def kept(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        SECRET.hex().encode(),
        f"  {SECRET.hex().upper()}\n".encode(),
        envelope(),
        envelope("StakeSigningKeyShelley_ed25519"),
    ],
)
def test_a_key_is_read_raw_in_hex_and_from_an_envelope(content: bytes, tmp_path: Path) -> None:
    """It signs as RFC 8032 says."""
    key = read_key(kept(tmp_path, content))
    assert (key.public.hex(), key.sign(b"\x72").hex()) == (PUBLIC, SIGNATURE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"{}",
        SECRET[:31],
        SECRET + b"\n",
        b"\xff" + SECRET,
        envelope("PaymentVerificationKeyShelley_ed25519"),
        envelope("PaymentExtendedSigningKeyShelley_ed25519_bip32"),
        envelope("\x1b[31mSigningKey"),
        envelope(content=SECRET.hex()),
        envelope(content=f"5821{SECRET.hex()}00"),
        json.dumps({"type": 1, "cborHex": f"5820{SECRET.hex()}"}).encode(),
    ],
)
def test_anything_else_is_refused_without_a_word_of_what_is_in_it(content: bytes, tmp_path: Path) -> None:
    """Also in what an error came from; and nothing that a terminal would obey."""
    with pytest.raises(KeyUnusable) as caught:
        read_key(kept(tmp_path, content))
    assert str(caught.value).isprintable()
    assert SECRET.hex()[:8] not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_that_others_can_read_or_write_is_refused(mode: int, tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(errors.FileUnusable) as caught:
        read_key(kept(tmp_path, SECRET, mode))
    assert "chmod 600" in caught.value.hint
    with pytest.raises(errors.FileUnusable, match="cannot read"):
        read_key(tmp_path / "none")


def test_a_representation_does_not_show_the_secret() -> None:
    """As a traceback or a log might have it."""
    assert repr(Key(SECRET)) == "Key()"


def test_a_new_key_is_read_back_and_is_another_each_time(tmp_path: Path) -> None:
    """The public half beside it, readable by all."""
    key, path = generate(), tmp_path / "keeper.skey"
    write_key(key, path, "Keeper")
    assert (read_key(path), verification_path(path)) == (key, tmp_path / "keeper.vkey")
    assert json.loads((tmp_path / "keeper.vkey").read_text())["cborHex"] == f"5820{key.public.hex()}"
    assert [file.stat().st_mode & 0o777 for file in (path, tmp_path / "keeper.vkey")] == [0o600, 0o644]
    assert generate() != key


def test_nothing_is_overwritten_and_nothing_half_is_left(tmp_path: Path) -> None:
    """Neither half, nor what a link leads to; a directory that is not there is an error of its own."""
    write_key(generate(), tmp_path / "a.skey", "A")
    before = (tmp_path / "a.skey").read_bytes()
    with pytest.raises(KeyExists):
        write_key(generate(), tmp_path / "a.skey", "A")
    assert (tmp_path / "a.skey").read_bytes() == before
    (tmp_path / "b.vkey").touch()
    (tmp_path / "c.skey").symlink_to(tmp_path / "elsewhere")
    for name in ("b.skey", "c.skey"):
        with pytest.raises(KeyExists):
            write_key(generate(), tmp_path / name, "B")
    with pytest.raises(errors.FileUnusable):
        write_key(generate(), tmp_path / "none" / "d.skey", "D")
    assert {file.name for file in tmp_path.iterdir()} == {"a.skey", "a.vkey", "b.vkey", "c.skey"}
