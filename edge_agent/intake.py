"""One look at one file: recognise it, feed its new bytes to a parser, keep what comes out.

Of the file a chunk, the parser's unit and one batch are in memory, whatever its size.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import structlog

from edge_agent.batch import Batch, Refusal
from edge_agent.config import SourceSettings
from edge_agent.filebook import KnownFile, Place
from edge_agent.formats import (
    JSON,
    Item,
    Options,
    Parsed,
    Parser,
    Skipped,
    Unparsed,
    as_utf8,
    context_of,
    forwards_lines,
    is_whole_line,
    leans_on_head,
    open_parser,
)
from edge_agent.looks import Ending
from edge_agent.payload import (
    first_record_hash,
    head_hash,
    in_context,
    line_payload,
    message_id,
    run_payload,
)
from edge_agent.recognise import recognise
from edge_agent.spool import Spool
from edge_agent.tail import CHUNK_BYTES, HEAD_BYTES, Changed, LogFile, Mark

BATCH_RECORDS_MAX: Final = 200
BATCH_BYTES_MAX: Final = 8_388_608
BATCH_S: Final = 0.1
LOOK_BYTES_MAX: Final = 67_108_864
REFUSED_CONTENT_BYTES_MAX: Final = 1_048_576
_LAST_LINE_BYTES: Final = 256
"""Of a last line, what shows whether it is whole."""
_COUNTED_BYTES_MAX: Final = 16_777_216
"""Up to here the newlines of a quiet file are counted; to read a longer one at each pause costs."""

log = structlog.get_logger()

Keep = Callable[[Batch, Place, KnownFile], int]
"""Commits a batch and returns the file's id."""


class Live(NamedTuple):
    """A parser in the middle of a unit: the next look goes on feeding it."""

    parser: Parser
    fed: Mark
    """Up to where it was fed, known by head and tail alone; the unit began before."""
    file_id: int


class Looked(NamedTuple):
    """What a look came to."""

    known: KnownFile
    live: Live | None
    """A parser that waits for the rest of its unit; None: that is read again from its start."""
    has_rest: bool
    """Bytes at the file's end are not dealt with."""
    is_whole: bool
    """False: there is more to read already."""


class Intake:
    """One look. Make it with the file open, call `read` once.

    Args:
        source: Whose file, in which format.
        options: How to read the format.
        spool: Where it is remembered.
        place: Where the file stands.
        file: Open.
    """

    def __init__(
        self, source: SourceSettings, options: Options, spool: Spool, place: Place, file: LogFile
    ) -> None:
        self._source, self._options = source, options
        self._spool, self._place, self._file = spool, place, file
        self.known = KnownFile(0, Mark.nothing())
        """What is remembered of the file, also by a look that failed later; id 0: nothing yet."""
        self.replaced: tuple[int, ...] = ()
        """Ids of files that stood here before."""
        self._chunk_start, self._chunk = 0, b""
        self._batch_began = 0.0

    def read(
        self, live: Live | None, keep: Keep, ending: Ending, expected: int | None = None
    ) -> Looked | None:
        """Read from where the last look ended to the end of the file, or 64 MiB of a long one.

        Args:
            live: What the last look returned.
            keep: Called with each batch.
            ending: What the end of the file means for its last record.
            expected: Id of the only file that this may be.

        Returns:
            None where it is another file than expected.

        Raises:
            OSError: The file cannot be read, or was changed meanwhile.
            SpoolFull: There is no room for a batch; what was kept before it is kept.
        """
        self._first = self._file.read(0, HEAD_BYTES)
        recognised = recognise(self._spool, self._place, self._file, expected)
        if recognised is None:
            return None
        self._keep = keep
        self.known, self.replaced = recognised
        self._batch = self._spool.batch(self._place.machine_id)
        self._end, self._state = self.known.mark.offset, self.known.state
        self._first_record = self.known.first_record
        parser, fed = self._parser(live)
        fed, is_whole = self._feed(parser, fed, ending)
        is_tried = False
        if is_whole and ending is Ending.FINAL:
            self._take_all(parser.finish(), parser)
        elif is_whole and fed > self._end and self._is_last_whole(parser, fed, ending):
            self._take_last(parser)
            is_tried = True
        self._commit()
        has_rest = fed > self._end
        left = self._left(parser, fed) if has_rest else None
        return Looked(self.known, None if is_tried else left, has_rest, is_whole)

    def _left(self, parser: Parser, fed: int) -> Live:
        if not self.known.id:  # it may be renamed before its first record is complete
            file_id = self._spool.place(self._place, self.known, is_anew=False)
            self.known = self.known.at(self._place)._replace(id=file_id)
        # Without a checksum of all bytes, for which a long unit would be read anew at every look.
        fed_mark = self._file.mark(fed, Mark(fed, b"", b""))
        return Live(parser, fed_mark, self.known.id)

    def _feed(self, parser: Parser, start: int, ending: Ending) -> tuple[int, bool]:
        """Feed what is new; return up to where, and whether that is all."""
        fed = start
        began = self._end
        for at, chunk in self._file.chunks(start):
            is_past_a_unit = self._end > began or fed - began > self._options.max_unit_bytes
            is_long = fed - start >= LOOK_BYTES_MAX and ending is not Ending.FINAL
            if is_long and is_past_a_unit:  # else the next look may have to begin there again
                return fed, False
            self._chunk_start, self._chunk = at, chunk
            fed = at + len(chunk)
            self._take_all(parser.feed(chunk), parser)
        return fed, True

    def _parser(self, live: Live | None) -> tuple[Parser, int]:
        is_alive = live and self.known.id and live.file_id == self.known.id
        if live and is_alive and self._file.is_at(live.fed, whole=False):
            return live.parser, live.fed.offset
        source, path = self._source, self._place.path
        return open_parser(source.format, self._options, path, self._end, self._state), self._end

    def _is_last_whole(self, parser: Parser, fed: int, ending: Ending) -> bool:
        """Tell whether a file is quiet for long enough to take its end for that of a unit.

        A writer that fills blocks of its own stops in the middle of a line for as long as the next
        unit takes; of `103.7` its file says `10`.
        """
        if ending is not Ending.QUIET or self._options.waits_for_next:
            return ending is Ending.SILENT
        tail = self._file.read(max(0, fed - _LAST_LINE_BYTES), fed)
        line = as_utf8(tail, parser.state()).rpartition(b"\n")[2]
        return is_whole_line(self._source.format, line, self._ends(fed))

    def _ends(self, fed: int) -> Iterator[int]:
        """Yield where a file ends, and where it does without the CR that Windows put in.

        Source: Microsoft's C runtime makes LF two bytes when it writes what its buffer has held.
        """
        yield fed
        if fed <= _COUNTED_BYTES_MAX:
            yield fed - sum(piece.count(b"\n") for piece in self._pieces(fed))

    def _take_last(self, parser: Parser) -> None:
        """Take the rest of a quiet file if `finish` understands it, without deciding otherwise.

        The parser is spent then: one beside it would hold all of the unit a second time.
        """
        found = [(item, parser.state()) for item in parser.finish()]
        if not any(isinstance(item, Unparsed) for item, _ in found):
            for item, state in found:
                self._take(item, state)

    def _take_all(self, items: Iterator[Item], parser: Parser) -> None:
        for item in items:
            self._take(item, parser.state())

    def _take(self, item: Item, state: dict[str, JSON]) -> None:
        if not self._batch.read_count:
            self._batch_began = time.monotonic()
        if not isinstance(item, Skipped):
            if self._first_record is None:
                head = self._head_hash(item.byte_start)
                self._first_record = first_record_hash(as_utf8(self._raw(item), state), head)
            if isinstance(item, Parsed):
                self._add_parsed(item, as_utf8(self._raw(item), state))
            else:
                self._refuse(item)
        self._end, self._state = item.byte_end, state
        if self._is_batch_full():
            self._commit()

    def _is_batch_full(self) -> bool:
        batch = self._batch
        return batch.read_count > 0 and (
            batch.read_count >= BATCH_RECORDS_MAX
            or batch.payload_bytes + batch.refused_bytes >= BATCH_BYTES_MAX
            or time.monotonic() - self._batch_began >= BATCH_S
        )

    def _add_parsed(self, item: Parsed, raw: bytes) -> None:
        context = context_of(self._source.format, self._state)
        first = in_context(self._first_record or b"", context)
        ids = [message_id(first, item.byte_start, raw, index) for index in range(len(item.built))]
        if forwards_lines(self._source.format):
            try:
                payload = line_payload(raw, item.runs, ids, self._batch.numbering)
            except ValueError as error:  # it was understood a moment ago
                raise Changed from error
            size, size_max = len(payload.body), self._options.payload_bytes_max
            if size > size_max:
                reason = f"a message of {size} bytes, above the limit of {size_max}"
                self._refuse(Unparsed(reason, item.byte_start, item.byte_end))
                return
            self._batch.add(payload)
        else:
            for built, identity in zip(item.built, ids, strict=True):
                self._batch.add(run_payload(built, identity, self._batch.numbering))
        self._batch.read_count += 1 if forwards_lines(self._source.format) else len(item.built)
        for hole in item.holes:
            self._refuse(hole)

    def _refuse(self, piece: Unparsed) -> None:
        self._batch.refuse(
            Refusal(piece.byte_start, piece.byte_end, piece.reason, self._raw(piece))
        )

    def _raw(self, item: Parsed | Unparsed) -> bytes:
        """Return an item's bytes; of a long one that was not understood only the first."""
        start, end = item.byte_start, item.byte_end
        if isinstance(item, Unparsed):
            end = min(end, start + REFUSED_CONTENT_BYTES_MAX)
        chunk_end = self._chunk_start + len(self._chunk)
        if self._chunk_start <= start and end <= chunk_end:
            return self._chunk[start - self._chunk_start : end - self._chunk_start]
        return self._exactly(start, end)

    def _head_hash(self, end: int) -> bytes:
        """Return what stands for the bytes before the first record, where its format needs them.

        They were skipped and are not kept: after a restart they are in the file still.
        """
        if not end or not leans_on_head(self._source.format):
            return b""
        return head_hash(self._pieces(end))

    def _pieces(self, end: int) -> Iterator[bytes]:
        for start in range(0, end, CHUNK_BYTES):
            yield self._exactly(start, min(end, start + CHUNK_BYTES))

    def _exactly(self, start: int, end: int) -> bytes:
        raw = self._file.read(start, end)
        if len(raw) < end - start:
            raise Changed
        return raw

    def _commit(self) -> None:
        batch, before = self._batch, self.known
        if not batch.read_count and self._end == before.mark.offset:
            return
        mark = self._file.mark(self._end, before.mark)
        if self._file.read(0, len(self._first)) != self._first:
            raise Changed  # truncated and written again: the mark would be of another file
        known = before._replace(mark=mark, first_record=self._first_record, state=self._state)
        file_id = self._keep(batch, self._place, known)
        self.known = known.at(self._place)._replace(id=file_id)
        self._file.keep_from(self._end)
        if batch.refusals:
            log.warning(
                "records_refused",
                machine_id=batch.machine_id,
                file=self._place.path,
                count=len(batch.refusals),
                byte_start=batch.refusals[0].byte_start,
                reason=batch.refusals[0].reason,
            )
        self._batch = self._spool.batch(batch.machine_id)
