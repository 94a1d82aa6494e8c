"""After three crashes in a row: one message at a time, and the one that crashes again is rejected.

A bug of ours ends the process, which is started again and meets the same messages. That would go on
for ever, and hold up everything behind them. How often it happened is kept in the database.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from broker.envelopes import Delivery
from broker.errors import YieldlineError
from service.pipeline import Pipeline, Understood
from service.store.batches import Committed

log = structlog.get_logger()

CRASHES_MAX: Final = 3
_MESSAGES_UNTIL_FORGOTTEN: Final = 1_000


class Caution:
    """The pipeline, as it is trusted: batches in good times, single messages after crashes."""

    def __init__(self, pipeline: Pipeline, batch_count_max: int) -> None:
        self._pipeline = pipeline
        self._batch_count_max = batch_count_max
        self.crashes = 0
        """Starts in a row that ended in a bug."""
        self._left = _MESSAGES_UNTIL_FORGOTTEN

    @property
    def is_careful(self) -> bool:
        """Whether messages come one at a time."""
        return self.crashes >= CRASHES_MAX

    @property
    def batch_count_max(self) -> int:
        """How many messages a batch may have now."""
        return 1 if self.is_careful else self._batch_count_max

    def understand(self, deliveries: Sequence[Delivery]) -> Understood:
        """Decode and judge; a message alone that brings a bug out becomes a rejection.

        Raises:
            Exception: It is not alone, or we are not careful: the bug ends the process.
        """
        try:
            return self._pipeline.understand(deliveries)
        except Exception as error:
            if not self._may_refuse(deliveries):
                raise
            return self._refused(deliveries, error)

    def commit(self, batch: Understood) -> Committed:
        """Store it, in the writer's thread; likewise.

        Raises:
            StoreUnavailable: The database is away; nothing is stored, call again with the same.
            Exception: As for `understand`, or the rejection cannot be stored either.
        """
        try:
            committed = self._pipeline.commit(batch)
        except YieldlineError:
            raise
        except Exception as error:
            if not self._may_refuse(batch.deliveries):
                raise
            committed = self._pipeline.commit(self._refused(batch.deliveries, error))
        if self.crashes:
            self._left -= len(batch.deliveries)
            if self._left <= 0:
                self.crashes, self._left = 0, _MESSAGES_UNTIL_FORGOTTEN
        return committed

    def _may_refuse(self, deliveries: Sequence[Delivery]) -> bool:
        return self.is_careful and len(deliveries) == 1

    def _refused(self, deliveries: Sequence[Delivery], error: Exception) -> Understood:
        (delivery,) = deliveries
        log.error(
            "message_refused",
            topic=delivery.topic,
            size=len(delivery.payload),
            reason="it ended the service again and again",
            exc_info=error,
        )
        return self._pipeline.refuse(delivery, error)
