"""The books of a sender: they balance, or they say where they do not."""

import pytest

from ui.books import add_up, balance, balance_all

BOOK = {"machine_id": "M1", "received": 12, "stored": 8, "rejected": 1, "duplicates": 3}
AGENT = {"read": 12, "refused": 2, "spooled": 10, "receipted": 9, "version": "1"}


def test_books_that_balance_have_no_difference() -> None:
    found = balance(BOOK, AGENT)
    assert (found["difference"], found["hop"], found["waiting"]) == (0, None, 1)
    assert (found["read"], found["stored"]) == (12, 8)


def test_without_an_agent_only_the_services_own_sum_counts() -> None:
    found = balance(BOOK, None)
    assert (found["read"], found["waiting"], found["difference"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("book", "agent", "difference", "hop"),
    [
        ({"stored": 7}, {}, 1, "1 record is missing at the service."),
        ({}, {"read": 15}, 3, "3 records are missing between the log and the spool."),
        ({}, {"receipted": 14}, 2, "2 records are missing between the spool and the service."),
        ({"stored": 9}, {"read": 11}, 2, "1 record is missing at the service."),
    ],
)
def test_a_difference_says_where_it_is(
    book: dict[str, int], agent: dict[str, int], difference: int, hop: str
) -> None:
    found = balance(BOOK | book, AGENT | agent)
    assert found["difference"] == difference
    assert found["hop"].startswith(hop)


@pytest.mark.parametrize(
    "odd", [{}, {"read": "12"}, {"read": True, "refused": None}, {"spooled": 1.5}]
)
def test_an_agent_that_tells_no_numbers_does_no_harm(odd: dict[str, object]) -> None:
    assert balance(BOOK, odd)["difference"] == 0


def test_the_sums_hold_the_senders_own_half_and_say_of_how_many() -> None:
    plc = BOOK | {"machine_id": "M2", "stored": 7}
    sums = add_up(balance_all([BOOK, plc], {"M1": AGENT | {"read": 14}}))
    assert (sums["received"], sums["stored"], sums["duplicates"]) == (24, 15, 6)
    assert (sums["agents"], sums["read"], sums["refused"], sums["spooled"]) == (1, 14, 2, 10)
    assert sums["difference"] == 2 + 1  # between log and spool, and at the service
    assert add_up([])["difference"] == 0
