"""STDF that is damaged, cut, too large or not STDF: what is lost is said, and the rest is read."""

import struct

import pytest

from edge_agent.formats import Parsed, Skipped, Unparsed
from tests.support.stdf_records import HEAD, PART, PTR, W, one_run, parse, refusal, runs, told


def sized(length: int, record: bytes) -> bytes:
    """A record that says another length than it has."""
    return struct.pack("<H", length) + record[2:]


FIRST, THIRD = W.pir() + PTR + W.prr(b"1"), W.pir() + PTR + W.prr(b"3")


@pytest.mark.parametrize("length", [0, 3, 8, 12, 15, 17, 40, 60, 500, 65_535])
def test_a_damaged_length_costs_its_part_only(length: int) -> None:
    second = W.pir() + PTR + sized(length, PTR) + PTR + W.prr(b"2")
    first, damaged, third = told(HEAD + FIRST + second + THIRD)
    assert isinstance(first, Parsed)
    assert isinstance(damaged, Unparsed)
    assert damaged.byte_start == len(HEAD + FIRST)
    assert damaged.byte_end == len(HEAD + FIRST + second)
    assert isinstance(third, Parsed)
    assert third.runs[0].barcode == "L7.S2.3"


@pytest.mark.parametrize("length", [0, 7, 900, 65_535])
def test_a_damaged_length_of_a_record_that_carries_nothing_is_found_too(length: int) -> None:
    second = W.pir() + PTR + sized(length, W.dtr(b"some text")) + W.prr(b"2")
    first, damaged, third = told(HEAD + FIRST + second + THIRD)
    assert isinstance(first, Parsed)
    assert isinstance(damaged, Unparsed)
    assert damaged.byte_end == len(HEAD + FIRST + second)
    assert isinstance(third, Parsed)


def test_damage_between_parts_costs_no_part() -> None:
    between = sized(80, W.dtr(b"some text"))
    found = parse(HEAD + FIRST + W.dtr(b"fine") + between + THIRD)
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped, Unparsed, Parsed]
    assert found[3].byte_end - found[3].byte_start == len(between)


def test_what_is_complete_before_damage_is_a_run() -> None:
    both = W.pir(1) + W.pir(2) + PTR + W.ptr(1, 2.0, site=2) + W.prr(b"2", site=2)
    first, damaged, third = told(HEAD + both + sized(60, PTR) + W.prr(b"1") + THIRD)
    assert isinstance(first, Parsed)
    assert [run.barcode for run in first.runs] == ["L7.S2.2"]
    assert [(hole.byte_start, hole.byte_end) for hole in first.holes] == [
        (len(HEAD), len(HEAD) + len(W.pir())),
        (len(HEAD) + 2 * len(W.pir()), len(HEAD) + 2 * len(W.pir()) + len(PTR)),
    ]
    assert first.byte_end == len(HEAD + both)
    assert isinstance(damaged, Unparsed)
    assert isinstance(third, Parsed)


def test_half_a_part_is_unparsed() -> None:
    assert "cut off" in refusal(HEAD + W.pir() + PTR[:-2])
    assert "PRR" in refusal(HEAD + W.pir() + PTR)


def test_a_part_that_lost_its_end_is_unparsed_and_the_next_is_read() -> None:
    damaged, whole = told(HEAD + W.pir() + PTR + PART)
    assert isinstance(damaged, Unparsed)
    assert "PRR" in damaged.reason
    assert isinstance(whole, Parsed)
    other_file, whole = told(HEAD + W.pir() + PTR + HEAD + PART)
    assert isinstance(other_file, Unparsed)
    assert isinstance(whole, Parsed)


def test_a_part_that_lost_its_end_among_others_is_a_hole() -> None:
    both = W.pir(1) + W.pir(2) + PTR + W.pir(1) + PTR + W.prr(b"2", site=2) + W.prr(b"1")
    (item,) = told(HEAD + both)
    assert isinstance(item, Parsed)
    assert [run.barcode for run in item.runs] == ["L7.S2.2", "L7.S2.1"]
    assert len(item.runs[1].measurements) == 1
    assert len(item.holes) == 2


def test_a_record_of_no_open_site_is_a_hole_or_unparsed() -> None:
    stray = W.ptr(1, 1.5, site=2)
    (item,) = told(HEAD + W.pir() + stray + W.prr(b"9", site=3) + W.prr(b"1"))
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert hole.byte_end - hole.byte_start == len(stray) + len(W.prr(b"9"))
    damaged, whole = told(HEAD + stray + PART)
    assert isinstance(damaged, Unparsed)
    assert "PIR" in damaged.reason
    assert isinstance(whole, Parsed)
    damaged, whole = told(HEAD + W.prr(b"0") + PART)
    assert isinstance(damaged, Unparsed)


def test_of_overlapping_parts_one_without_id_is_a_hole() -> None:
    both = W.pir(1) + W.pir(2) + PTR + W.ptr(1, 2.0, site=2) + W.prr(b"") + W.prr(b"2", site=2)
    (item,) = told(HEAD + both)
    assert isinstance(item, Parsed)
    assert [run.barcode for run in item.runs] == ["L7.S2.2"]
    assert {hole.reason for hole in item.holes} == {"a part without part id (PRR)"}
    lost = sum(hole.byte_end - hole.byte_start for hole in item.holes)
    assert lost == len(W.pir() + PTR + W.prr(b""))


def test_records_we_do_not_know_are_passed_by_their_length() -> None:
    foreign = (
        W.record((77, 3), b"something") + W.record((180, 1), b"image") + W.record((0, 30), b"")
    )
    inside = W.pir() + PTR + W.record((99, 99), b"other") + W.prr(b"1")
    assert len(runs(HEAD + foreign + inside + W.record((77, 3), b"last"))) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (W.mir() + PART, "no FAR"),
        (b"\x1f\x8b\x08compressed", "no FAR"),
        (W.far(version=3) + W.mir() + PART, "version 3"),
        (b"\x02\x00\x00\x0a\x00\x04" + W.mir() + PART, "order of bytes"),
        (b"\x02\x00\x00\x0a", "cut off"),
    ],
)
def test_what_is_no_stdf_v4_is_unparsed(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


def test_reading_goes_on_at_the_next_file() -> None:
    damaged, whole = told(b"litter" + HEAD + PART)
    assert isinstance(damaged, Unparsed)
    assert damaged.byte_end == len("litter")
    assert isinstance(whole, Parsed)


def test_records_around_parts_are_skipped() -> None:
    found = parse(HEAD + W.dtr(b"hello") + PART + W.mrr())
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped]
    assert parse(b"") == []


def test_a_part_above_the_bound_is_unparsed() -> None:
    assert "max_unit_bytes" in refusal(HEAD + W.pir() + PTR * 100 + W.prr(), max_unit_bytes=1024)


@pytest.mark.parametrize(
    ("bound", "held"),
    [(2**20, 1_000), (4_096, 71)],  # 71 of 29 bytes are more than half of it
)
def test_parts_do_not_wait_for_ever_for_one_beside_them_that_lost_its_end(
    bound: int, held: int
) -> None:
    other = W.pir(2) + W.prr(b"7", site=2)
    found = parse(HEAD + W.pir() + other * (held + 1), max_unit_bytes=bound)
    _, first, second = found
    assert isinstance(first, Parsed)
    assert len(first.built) == held
    assert [hole.reason for hole in first.holes] == ["a part without its PRR record"]
    assert isinstance(second, Parsed)
    assert not second.holes


def test_a_large_touchdown_is_waited_for() -> None:
    begins = b"".join(W.pir(site) for site in range(100))
    ends = b"".join(W.prr(b"7", site=site) for site in range(100))
    _, found = parse(HEAD + begins + ends, max_unit_bytes=4_096)
    assert isinstance(found, Parsed)
    assert (len(found.built), found.holes) == (100, ())


def test_a_run_that_is_too_large_goes_without_attributes_or_is_unparsed() -> None:
    bad = W.ptr(1, 1.5, b"Vcc", flags=0x01)
    run = one_run(HEAD + W.pir() + bad * 35 + W.prr(), payload_bytes_max=4096)
    assert [each.attributes for each in run.measurements] == [None] * 35
    assert "limit of 4096" in refusal(HEAD + W.pir() + bad * 60 + W.prr(), payload_bytes_max=4096)


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert len(one_run(HEAD + W.pir() + PTR * 5000 + W.prr()).measurements) == 5000
    assert "5001" in refusal(HEAD + W.pir() + PTR * 5001 + W.prr())
