"""One question to the database that many ask, and that nobody waits for too long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final, Generic, TypeVar

from broker.errors import StoreUnavailable, YieldlineError

Answer = TypeVar("Answer")

WAIT_S: Final = 5.0
"""A browser gives up after thirty, and who looks for trouble long before that."""


class SharedQuestion(Generic[Answer]):
    """A question that is under way once at most: who asks meanwhile waits for the same answer.

    So a database that hangs holds one thread, however many ask and however often; and of one that
    is slow, who asks again gets the answer that the first one did not wait for. The thread is its
    own: asyncio has six where there are two cores, and logins need one of them.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "shared question")
        self._asked: asyncio.Task[Answer | YieldlineError] | None = None
        self._asked_s = 0.0

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return the answer of `question`, which blocks, or of the one that is under way.

        Whoever asks shares the answer: it must not be changed.

        Raises:
            StoreUnavailable: There is none after `WAIT_S`. Also what `question` raises.
        """
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._answer(question), name="shared question")
            self._asked_s = monotonic()
        asked = self._asked
        answered, _ = await asyncio.wait({asked}, timeout=WAIT_S)
        if not answered:
            silent_s = monotonic() - self._asked_s
            raise StoreUnavailable(
                f"the database has not answered for {silent_s:.0f} s. Is it overloaded?"
            )
        answer = asked.result()
        if isinstance(answer, YieldlineError):
            raise answer
        return answer

    async def _answer(self, question: Callable[[], Answer]) -> Answer | YieldlineError:
        """Return trouble too: raised after nobody waits any more, asyncio would log it as a bug."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question)
        except YieldlineError as error:
            return error
