"""A question to the database that many ask and nobody waits for too long."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable

import pytest

from broker.errors import StoreUnavailable
from ui.asking import SharedQuestion


class Hanging:
    """A question that is answered when we say so."""

    def __init__(self) -> None:
        self.asked_count = 0
        self.may_answer = threading.Event()

    def __call__(self) -> int:
        self.asked_count += 1
        assert self.may_answer.wait(30)
        return self.asked_count


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.asking.WAIT_S", 0.05)


async def refused(question: SharedQuestion[int], blocking: Callable[[], int]) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        await question.ask(blocking)
    return str(caught.value)


async def test_a_question_that_hangs_is_asked_once_and_told_to_all() -> None:
    question: SharedQuestion[int] = SharedQuestion()
    hanging = Hanging()
    said = await asyncio.gather(*(refused(question, hanging) for _ in range(3)))
    said += [await refused(question, hanging)]
    assert set(said) == {"the database has not answered for 0 s. Is it overloaded?"}
    assert hanging.asked_count == 1
    hanging.may_answer.set()


async def test_who_asks_again_gets_the_answer_that_the_first_one_did_not_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question: SharedQuestion[int] = SharedQuestion()
    hanging = Hanging()
    await refused(question, hanging)
    monkeypatch.setattr("ui.asking.WAIT_S", 30)
    again = asyncio.create_task(question.ask(hanging))
    await asyncio.sleep(0)
    hanging.may_answer.set()
    assert await again == 1
    assert await question.ask(hanging) == 2, "what was answered is asked anew"


async def test_trouble_is_told_to_whoever_asked_and_not_kept() -> None:
    question: SharedQuestion[int] = SharedQuestion()

    def away() -> int:
        raise StoreUnavailable("the database is away.")

    assert await refused(question, away) == "the database is away."
    assert await question.ask(lambda: 7) == 7


async def test_trouble_that_comes_after_all_gave_up_is_not_logged_as_a_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    question: SharedQuestion[int] = SharedQuestion()
    may_fail, others = threading.Event(), asyncio.all_tasks()

    def late() -> int:
        assert may_fail.wait(30)
        raise StoreUnavailable("the database is away.")

    await refused(question, late)
    (asked,) = asyncio.all_tasks() - others
    may_fail.set()
    await asyncio.wait({asked})
    del asked, question
    gc.collect()
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_questions_that_hang_leave_the_threads_of_others_alone() -> None:
    hanging = Hanging()
    try:
        questions = [SharedQuestion[int]() for _ in range(40)]
        await asyncio.gather(*(refused(question, hanging) for question in questions))
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), timeout=5) == 7
    finally:
        hanging.may_answer.set()
