"""The writer's outbox: answers wait there until they are published, and no longer."""

from collections import Counter

from broker.envelopes import Outgoing
from service.store.batches import Saved
from tests.support.stored import Stored, one, run_message, second_writer, too_large


def answer_each(saved: Saved) -> list[Outgoing]:
    runs = [Outgoing("t/result", run.judged.run.message_id.encode()) for run in saved.runs]
    return runs + [Outgoing("t/rejected", each.refused.payload) for each in saved.rejections]


def test_answers_stay_in_the_outbox_until_they_are_published(stored: Stored) -> None:
    stored.writer = second_writer(stored, answer_each)
    first, second = stored.save(run_message("A")), stored.save(run_message("B"), b"{")
    waiting = list(stored.writer.unpublished())
    assert [messages for _, messages in waiting] == [first.answers, second.answers]
    assert [messages[0].payload for _, messages in waiting] == [b"A-FCT-0", b"B-FCT-0"]
    stored.writer.published(first.outbox_ids)
    assert [messages for _, messages in stored.writer.unpublished()] == [second.answers]
    stored.writer.tidy()
    assert one(stored, "SELECT count(*) FROM outbox") == 1
    stored.writer.published(second.outbox_ids)
    stored.save(run_message("C"))
    assert one(stored, "SELECT count(*) FROM outbox") == 1, "the second went with the third"


def test_a_new_writer_of_the_same_number_finds_what_was_not_confirmed(stored: Stored) -> None:
    dying = second_writer(stored, answer_each)
    stored.writer = dying
    committed = stored.save(run_message("A"))
    dying._drop()  # as a killed process would: nothing tidied
    heir = second_writer(stored)
    assert heir.open() == 0
    ((outbox_id, messages),) = heir.unpublished()
    assert messages == committed.answers
    heir.published([outbox_id])
    heir.close()
    assert one(stored, "SELECT count(*) FROM outbox") == 0


def test_a_batch_stored_in_parts_leaves_nothing_in_the_outbox(stored: Stored) -> None:
    stored.writer = second_writer(stored, answer_each)
    committed = stored.save(*(run_message(f"U{number}") for number in range(9)), too_large("BAD"))
    assert len(committed.answers) == 10
    waiting = [each for _, messages in stored.writer.unpublished() for each in messages]
    assert Counter(waiting) == Counter(committed.answers)
    stored.writer.published(committed.outbox_ids)
    stored.writer.tidy()
    assert one(stored, "SELECT count(*) FROM outbox") == 0


def test_a_duplicate_leaves_nothing_in_the_outbox(stored: Stored) -> None:
    stored.writer = second_writer(stored, answer_each)
    stored.save(run_message("A"))
    again = stored.save(run_message("A"))
    assert (again.answers, again.outbox_ids) == ([], ())
