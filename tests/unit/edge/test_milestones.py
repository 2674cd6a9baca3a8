"""Local milestone data, one process at a time: what is merged, set aside, passed over, told as changed."""

import json
import os
import re
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from indexer import errors
from indexer.documents import MilestoneCompletionData, OracleSignature, parse
from indexer.edge import milestones
from indexer.edge.milestones import Key, QuorumNote, Scan, merge, path_of, scan
from tests.support.merging import KEY, NAME, NOW_MS, numbers, signature

SECOND = 1_000_000_000  # in nanoseconds
OTHER = Key(b"\xff" * 32, b"m2")


def path(data: Path, key: Key = KEY) -> Path:
    return data / "milestones" / key.distribution_id.hex() / f"{key.milestone_id.hex()}.json"


def write(data: Path, text: str | bytes, key: Key = KEY, *, age_ns: int = 10 * SECOND) -> Path:
    """A file as another program leaves it, last changed so long before `NOW_MS`."""
    file = path(data, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    changed = NOW_MS * 1_000_000 - age_ns
    os.utime(file, ns=(changed, changed))
    return file


def completion(*signatures: OracleSignature, key: Key = KEY, **more: object) -> str:
    """A file as another program writes it."""
    listed = [{"oracle": s.oracle.hex(), "signature": s.signature.hex(), "slot": s.slot} for s in signatures]
    ids = {"distribution_id": key.distribution_id.hex(), "milestone_id": key.milestone_id.decode()}
    return json.dumps(ids | {"oracle_signatures": listed} | more)


def held(data: Path, key: Key = KEY) -> MilestoneCompletionData:
    return parse(MilestoneCompletionData, path(data, key).read_bytes(), "it")


def files(data: Path) -> dict[str, bytes]:
    found = (file for file in sorted((data / "milestones").rglob("*")) if file.is_file())
    return {str(file.relative_to(data / "milestones")): file.read_bytes() for file in found}


def look(data: Path, before: Scan | None = None, now_ms: int = NOW_MS) -> Scan:
    return scan(data, before.stamps if before else {}, now_ms=now_ms)


# --- where


def test_a_file_is_named_by_hex_whatever_the_ids_hold(tmp_path: Path) -> None:
    """So no id can lead elsewhere."""
    assert path_of(tmp_path, KEY) == tmp_path / "milestones" / NAME
    sly = Key(b"../" * 10 + b"..", b"/../\0\n" + b"x" * 58)
    assert path_of(tmp_path, sly).relative_to(tmp_path / "milestones").parts == (
        "2e2e2f" * 10 + "2e2e",
        "2f2e2e2f000a" + "78" * 58 + ".json",
    )
    merge(tmp_path, sly, [signature(1)], now_ms=NOW_MS)
    assert look(tmp_path, now_ms=0).changed == (sly,)


@pytest.mark.parametrize("key", [Key(b"d" * 31, b"m"), Key(b"d" * 32, b""), Key(b"d" * 32, b"m" * 65)])
def test_ids_of_impossible_length_have_no_file(key: Key, tmp_path: Path) -> None:
    """Nor can anything be stored for them."""
    with pytest.raises(ValueError, match="32 bytes"):
        path_of(tmp_path, key)
    with pytest.raises(ValueError, match="32 bytes"):
        merge(tmp_path, key, [signature(1)], now_ms=NOW_MS)


# --- merging


def test_the_first_signature_makes_the_file(tmp_path: Path) -> None:
    """With all that was known, readable by its group, and nothing beside it but the lock."""
    before = os.umask(0o077)
    try:
        merged = merge(tmp_path / "a" / "b", KEY, [signature(1)], now_ms=NOW_MS, slot=7)
    finally:
        os.umask(before)
    assert merged == milestones.Merged((signature(1, 7),), (signature(1, 7),), None)
    file = path(tmp_path / "a" / "b")
    assert json.loads(file.read_text()) == {
        "distribution_id": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "milestone_id": "m1",
        "oracle_signatures": [{"oracle": "00" * 31 + "01", "signature": "00" * 63 + "01", "slot": 7}],
        "verification_timestamp": None,
        "quorum_status": None,
        "quorum_threshold": None,
        "total_oracles": None,
    }
    assert file.stat().st_mode & 0o777 == 0o640
    assert {entry.name for entry in file.parent.iterdir()} == {"6d31.json", ".lock"}


def test_what_is_new_is_added_and_told_and_nothing_is_taken_back(tmp_path: Path) -> None:
    """However little of it the caller knows."""
    merge(tmp_path, KEY, [signature(1, 5), signature(2, 6)], now_ms=NOW_MS)
    merged = merge(tmp_path, KEY, [signature(2, 6), signature(3, 7)], now_ms=NOW_MS)
    assert (numbers(merged.signatures), numbers(merged.added)) == ([1, 2, 3], [3])
    assert merge(tmp_path, KEY, [], now_ms=NOW_MS) == milestones.Merged(merged.signatures, ())
    assert held(tmp_path).oracle_signatures == merged.signatures


def test_the_earliest_slot_of_a_signature_stays(tmp_path: Path) -> None:
    """Whichever side knows it; only those that have none are given the one of now."""
    merge(tmp_path, KEY, [signature(1, 5), signature(2, 5), signature(3)], now_ms=NOW_MS)
    merged = merge(tmp_path, KEY, [signature(1, 9), signature(2, 3), signature(4)], now_ms=NOW_MS, slot=8)
    assert merged.signatures == (signature(2, 3), signature(1, 5), signature(3, 8), signature(4, 8))
    assert numbers(merged.added) == [4]
    assert held(tmp_path).oracle_signatures == merged.signatures


def test_where_nothing_changes_nothing_is_written(tmp_path: Path) -> None:
    """Nor is anything created for the sake of looking; so whoever watches the directory comes to rest."""
    assert merge(tmp_path, KEY, [], now_ms=NOW_MS) == milestones.Merged((), ())
    assert list(tmp_path.iterdir()) == []
    quorum = QuorumNote("pending", 2, 3)
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS, quorum=quorum)
    before = path(tmp_path).stat()
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS + 60_000, quorum=quorum)
    merge(tmp_path, KEY, [], now_ms=NOW_MS)
    after = path(tmp_path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_quorum_is_noted_with_the_time_at_which_it_changed(tmp_path: Path) -> None:
    """And kept by those who know nothing of it."""
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS, quorum=QuorumNote("pending", 2, 3))
    merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS + 60_000, quorum=QuorumNote("met", 2, 3))
    merge(tmp_path, KEY, [signature(3)], now_ms=NOW_MS + 120_000)
    file = json.loads(path(tmp_path).read_text())
    assert file.pop("oracle_signatures")[2]["oracle"] == "00" * 31 + "03"
    assert file == {
        "distribution_id": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "milestone_id": "m1",
        "verification_timestamp": "2023-11-14T22:14:20Z",
        "quorum_status": "met",
        "quorum_threshold": 2,
        "total_oracles": 3,
    }


def test_a_file_that_another_program_wrote_or_a_hand_edited_is_taken_in(tmp_path: Path) -> None:
    """Signatures listed twice become one, ids may be spelled in any way, and what is noted stays."""
    text = completion(signature(1, 4), signature(1, 2), signature(5), quorum_status="pending")
    write(tmp_path, text.replace('"m1"', '"0x6D31"').replace("1a1b1c1d1e1f", "1A1B1C1D1E1F"))
    merged = merge(tmp_path, KEY, [signature(2, 3)], now_ms=NOW_MS, slot=9)
    assert merged.signatures == (signature(1, 2), signature(2, 3), signature(5, 9))
    assert merged.added == (signature(2, 3),)
    assert held(tmp_path).quorum_status == "pending"


def test_more_signatures_than_a_file_takes_are_refused(tmp_path: Path) -> None:
    """What could not be read again is not written."""
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS)
    before = files(tmp_path)
    with pytest.raises(errors.MilestoneDataUnusable, match="would hold 5000 signatures"):
        merge(tmp_path, KEY, map(signature, range(5_000)), now_ms=NOW_MS)
    assert files(tmp_path) == before


# --- damaged files

WHOLE = completion(signature(1, 4))
DAMAGED: dict[str, tuple[str | bytes, str]] = {
    "half written": (WHOLE[:100], "6d31.json is not JSON: "),
    "empty": ("", "6d31.json is not JSON: Expecting value, line 1 column 1"),
    "zeros": (b"\0" * 4096, "6d31.json is not JSON: "),
    "not text": (b"\xff\xfe", "6d31.json is not UTF-8: byte 0"),
    "another schema": ('{"hello": 1}', "6d31.json: distribution_id is missing; milestone_id is missing; "),
    "a wrong signature": (WHOLE.replace('"oracle": "00', '"oracle": "0'), "6d31.json: oracle_signatures[0].oracle is "),
    "too large": (WHOLE + " " * (1 << 20), "6d31.json is larger than 1048576 bytes"),
    "another distribution": (
        completion(signature(9), key=Key(OTHER.distribution_id, b"m1")),
        f"6d31.json is about milestone m1 of distribution {'ff' * 32}, not about m1 of 000102",
    ),
    "another milestone": (
        completion(signature(9)).replace('"m1"', '"0x1b5b"'),
        "6d31.json is about milestone 0x1b5b of distribution 000102",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_or_foreign_file_is_set_aside_told_and_rebuilt_from_what_is_given(
    damage: str, tmp_path: Path
) -> None:
    """Its contents stay as they were, under a name with the time."""
    contents, reason = DAMAGED[damage]
    file = write(tmp_path, contents)
    raw = file.read_bytes()
    merged = merge(tmp_path, KEY, [signature(2, 5), signature(3, 6)], now_ms=NOW_MS)
    assert merged.set_aside is not None
    assert merged.set_aside.path == file.with_name("6d31.json.damaged-20231114T221320Z")
    assert merged.set_aside.reason.startswith(reason)
    assert merged.set_aside.path.read_bytes() == raw
    assert merged.added == merged.signatures == (signature(2, 5), signature(3, 6))
    assert held(tmp_path).oracle_signatures == merged.signatures
    assert merge(tmp_path, KEY, [], now_ms=NOW_MS).set_aside is None


def test_a_damaged_file_never_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    """Even in the same second; and with nothing to rebuild it from, there is no file."""
    for number in range(3):
        write(tmp_path, f"damage {number}")
        merge(tmp_path, KEY, [], now_ms=NOW_MS + number)
    assert sorted(entry.name for entry in path(tmp_path).parent.iterdir()) == [
        ".lock",
        "6d31.json.damaged-20231114T221320Z",
        "6d31.json.damaged-20231114T221320Z-2",
        "6d31.json.damaged-20231114T221320Z-3",
    ]
    assert [text.decode() for text in files(tmp_path).values()][1:] == ["damage 0", "damage 1", "damage 2"]


def test_a_half_file_that_changed_just_now_is_left_to_whoever_writes_it(tmp_path: Path) -> None:
    """For two seconds. Nothing is lost: the caller is told, and comes again."""
    write(tmp_path, WHOLE[:100], age_ns=2 * SECOND - 1)
    with pytest.raises(errors.MilestoneFileUnfinished, match=r"6d31\.json is not whole"):
        merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS)
    assert set(files(tmp_path)) == {NAME, f"{Path(NAME).parent}/.lock"}
    write(tmp_path, WHOLE, age_ns=0)
    assert numbers(merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS).signatures) == [1, 2]


@pytest.mark.parametrize("age_ns", [2 * SECOND, -2 * SECOND])
def test_a_half_file_that_has_not_changed_for_two_seconds_is_damaged(age_ns: int, tmp_path: Path) -> None:
    """Or that says it will change in the future, as after a clock was set back."""
    write(tmp_path, WHOLE[:100], age_ns=age_ns)
    assert merge(tmp_path, KEY, [], now_ms=NOW_MS).set_aside is not None


def test_a_whole_file_about_something_else_is_set_aside_at_once(tmp_path: Path) -> None:
    """Nobody is writing it any more."""
    write(tmp_path, completion(key=OTHER), age_ns=0)
    assert merge(tmp_path, KEY, [], now_ms=NOW_MS).set_aside is not None


@pytest.mark.parametrize("kind", ["link", "dangling link", "directory", "pipe", "socket"])
def test_what_is_no_plain_file_is_set_aside_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link is moved itself, and what it leads to is neither read nor written."""
    file = path(tmp_path)
    file.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(WHOLE)
    monkeypatch.chdir(file.parent)
    makers: dict[str, Callable[[], object]] = {
        "link": partial(file.symlink_to, elsewhere),
        "dangling link": partial(file.symlink_to, tmp_path / "nowhere"),
        "directory": file.mkdir,
        "pipe": partial(os.mkfifo, file),
        "socket": partial(_listen, file.name),
    }
    makers[kind]()
    merged = merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS)
    assert merged.set_aside is not None
    assert merged.set_aside.reason == "6d31.json is not a plain file"
    assert numbers(held(tmp_path).oracle_signatures) == [2]
    assert elsewhere.read_text() == WHOLE
    assert not (tmp_path / "nowhere").exists()


def _listen(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(name)


# --- what goes wrong around them


@pytest.mark.parametrize("place", ["milestones", "milestones/" + KEY.distribution_id.hex()])
def test_a_directory_that_is_none_is_an_error_with_a_hint(place: str, tmp_path: Path) -> None:
    """A file in its place; the message names what cannot be used."""
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("")
    with pytest.raises(errors.MilestoneDataUnusable, match=r"cannot use .*6d31\.json: .+") as caught:
        merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS)
    assert caught.value.hint
    assert look(tmp_path).changed == ()


def test_a_link_in_place_of_a_distributions_directory_is_not_followed(tmp_path: Path) -> None:
    """By neither side."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "6d31.json").write_text(WHOLE)
    (tmp_path / "milestones").mkdir()
    path(tmp_path).parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.MilestoneDataUnusable):
        merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS)
    assert look(tmp_path).changed == ()
    assert {entry.name for entry in (tmp_path / "elsewhere").iterdir()} == {"6d31.json"}


def test_a_file_that_another_program_changes_meanwhile_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller comes again, and has both."""
    write(tmp_path, WHOLE)
    disk = os.fsync

    def meanwhile(descriptor: int) -> None:
        write(tmp_path, completion(signature(1, 4), signature(8)))
        disk(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(errors.MilestoneFileUnfinished, match="was changed while we read it"):
        merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS)
    monkeypatch.undo()
    assert set(files(tmp_path)) == {NAME, f"{Path(NAME).parent}/.lock"}
    assert numbers(merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS).signatures) == [1, 2, 8]


def test_a_file_that_vanishes_meanwhile_is_looked_at_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed between two looks of one merge."""
    write(tmp_path, WHOLE)
    taken = milestones._status

    def gone(folder: int, name: str) -> os.stat_result | None:
        status = taken(folder, name)
        path(tmp_path).unlink()
        return status

    monkeypatch.setattr(milestones, "_status", gone)
    with pytest.raises(errors.MilestoneFileUnfinished, match="was removed while we looked at it"):
        merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS)


# --- scanning


def test_a_scan_tells_new_changed_and_removed_files_once(tmp_path: Path) -> None:
    """By time, size and inode; a merge of ours is a change too."""
    assert look(tmp_path) == Scan((), (), {}, ())
    write(tmp_path, WHOLE)
    write(tmp_path, completion(signature(1), key=OTHER), OTHER)
    first = look(tmp_path)
    assert (first.changed, first.gone) == ((KEY, OTHER), ())
    assert (look(tmp_path, first).changed, look(tmp_path, first).gone) == ((), ())

    write(tmp_path, WHOLE, age_ns=9 * SECOND)
    second = look(tmp_path, first)
    assert second.changed == (KEY,)
    write(tmp_path, WHOLE + " ", age_ns=9 * SECOND)
    third = look(tmp_path, second)
    assert third.changed == (KEY,)
    path(tmp_path).rename(tmp_path / "kept")
    write(tmp_path, WHOLE + " ", age_ns=9 * SECOND)
    fourth = look(tmp_path, third)
    assert fourth.changed == (KEY,)
    merge(tmp_path, OTHER, [signature(2)], now_ms=NOW_MS)
    path(tmp_path).unlink()
    fifth = look(tmp_path, fourth)
    assert (fifth.changed, fifth.gone) == ((OTHER,), (KEY,))
    assert look(tmp_path, fifth).gone == ()


def test_a_file_that_changed_just_now_is_told_again_until_it_rests(tmp_path: Path) -> None:
    """So a half file is come back to, and two changes within one tick of the clock are not taken for one."""
    write(tmp_path, WHOLE, age_ns=SECOND)
    first = look(tmp_path)
    assert (first.changed, dict(first.stamps)) == ((KEY,), {})
    second = look(tmp_path, first, NOW_MS + 1_000)
    assert second.changed == (KEY,)
    third = look(tmp_path, second, NOW_MS + 2_000)
    assert (third.changed, third.gone) == ((), ())


def test_a_scan_passes_over_whatever_is_not_ours(tmp_path: Path) -> None:
    """Other names, and ours on what is no plain file in a plain directory."""
    good = write(tmp_path, WHOLE)
    root = tmp_path / "milestones"
    for name in (
        "6d31.json.damaged-20231114T221320Z", ".lock", ".new", "m1.json", "6D32.json", "6d3.json", ".json", "6d31",
        "6d31.json~", "6d31.json\n", "\uff16d31.json", "\udcff.json", "00" * 65 + ".json",
    ):  # fmt: skip
        (good.parent / name).write_text(WHOLE)
    (good.parent / "6d32.json").symlink_to(good)
    (good.parent / "6d33.json").mkdir()
    os.mkfifo(good.parent / "6d34.json")
    (root / ("ab" * 32)).symlink_to(good.parent)
    (root / ("cd" * 32)).write_text("")
    for name in ("AB" * 32, "ab" * 31, "ab" * 33, "zz" * 32, ".git"):
        (root / name).mkdir()
        (root / name / "6d31.json").write_text(WHOLE)
    found = look(tmp_path)
    assert (found.changed, found.troubles) == ((KEY,), ())


def test_a_directory_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and what was known of its files stands."""
    write(tmp_path, WHOLE)
    write(tmp_path, WHOLE, OTHER)
    first = look(tmp_path)
    write(tmp_path, WHOLE, age_ns=9 * SECOND)
    _refuse(monkeypatch, path(tmp_path, OTHER).parent)
    second = look(tmp_path, first)
    assert (second.changed, second.gone) == ((KEY,), ())
    assert [(error.code, str(error)) for error in second.troubles] == [
        ("milestones.unusable", f"cannot use {path(tmp_path, OTHER).parent}: not for you")
    ]
    _refuse(monkeypatch, tmp_path / "milestones")
    with pytest.raises(errors.MilestoneDataUnusable, match="not for you"):
        look(tmp_path, second)


def _refuse(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    opened = os.scandir

    def scandir(place: str | Path) -> object:
        if Path(place) == directory:
            raise PermissionError(13, "not for you")
        return opened(place)

    monkeypatch.setattr(os, "scandir", scandir)


def test_every_message_names_a_path_that_hex_alone_makes(tmp_path: Path) -> None:
    """So it is fit for a log, whatever the ids hold."""
    sly = Key(b"\x1b" * 32, b"\x1b[2J")
    write(tmp_path, "{", sly, age_ns=0)
    with pytest.raises(errors.MilestoneFileUnfinished) as caught:
        merge(tmp_path, sly, [signature(1)], now_ms=NOW_MS)
    assert re.search(r"/milestones/(1b){32}/1b5b324a\.json is not whole", str(caught.value))
