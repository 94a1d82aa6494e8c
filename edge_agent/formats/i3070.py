"""Keysight i3070 board testers (ICT): `{@BATCH`, `{@BTEST`, `{@BLOCK` and tests. Pure: no I/O.

A board is complete at the brace that closes its BTEST, wherever in a line it stands; where that
brace is lost, at the next BATCH or BTEST. Of a board only its steps and texts are held.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.i3070_board import Board, Record
from edge_agent.formats.i3070_heads import MARKED_OUT, batch_words, run_fields, status_code
from edge_agent.formats.i3070_records import (
    MARK_BYTES,
    Piece,
    ends_line,
    find_mark,
    is_mark,
    may_become_mark,
    next_piece,
)
from edge_agent.formats.i3070_steps import Ending
from edge_agent.formats.items import JSON, Item, Options, Parsed, Skipped, Unparsed
from edge_agent.formats.runs import BuiltRun, build_run

_OUTSIDE: Final = "outside of any board: no {@BATCH or {@BTEST before it"
_BLANKS: Final = " \t\r\n\f\v\x04"
_BOM: Final = "\xef\xbb\xbf"
_MARGIN_BYTES: Final = 64
"""A board this far above the bound may still end; beyond, the next start mark is searched."""
_CUT_COLUMN: Final = 80
_match_blanks = re.compile(rf"(?:[ \t\r\f\v\x04}}]|{_BOM}){{0,4096}}\n?").match


class I3070:
    """The parser of `i3070`: records in, boards out."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        self._options = options
        self._file = text.base_name(file)
        self._text = ""  # what is not read yet, one character a byte
        self._at = 0  # where in it reading stands
        self._base = offset  # where in the file it begins
        self._board: Board | None = None
        self._lost: str | None = None  # why everything up to the next start mark is passed over
        self._start = offset  # of the board, or of what is passed over
        self._line, self._begins_line = offset, False  # of a board: where its last line begins
        batch = state.get("batch")
        self._batch: Mapping[str, Any] | None = batch if isinstance(batch, dict) else None
        self._state: dict[str, JSON] = dict(state)

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes; an item for every board and what stands between that they end."""
        self._text = self._text[self._at :] + data.decode("latin-1")
        self._base += self._at
        self._at = 0
        return self._items()

    def finish(self) -> Iterator[Item]:
        """Yield what is left; half a board is Unparsed."""
        yield from self._items()
        if self._board is not None:
            self._lost = "a board without its end: no brace closes its BTEST"
        elif self._lost is None:
            blanks = _match_blanks(self._text, self._at)
            if blanks and blanks.end() > self._at:
                yield self._said(self._skip(blanks.end()))
            self._lost, self._start = _OUTSIDE, self._base + self._at
        if self._start < self._base + len(self._text):
            yield self._said(self._give_up(len(self._text)))

    def state(self) -> dict[str, JSON]:
        """Return what the BATCH says that is open after the last item."""
        return dict(self._state)

    def _items(self) -> Iterator[Item]:
        while (item := self._next()) is not None:
            yield self._said(item)

    def _said(self, item: Item) -> Item:
        """Return the item about to be yielded, with the state as it is after it."""
        self._state = {} if self._batch is None else {"batch": dict(self._batch)}
        return item

    def _next(self) -> Item | None:
        """Return the next item; None where more bytes are needed."""
        if self._lost is not None:
            return self._pass_over()
        return self._read_outside() if self._board is None else self._read_board(self._board)

    def _read_outside(self) -> Item | None:
        """Skip a line's blanks and braces; at anything else begin a board, or pass it over."""
        blanks = _match_blanks(self._text, self._at)
        end = blanks.end() if blanks else self._at
        rest = self._text[end : end + MARK_BYTES]
        if end > self._at and (self._text[end - 1] == "\n" or not _BOM.startswith(rest)):
            return self._skip(end)
        if _BOM.startswith(rest) or may_become_mark(rest):
            return None
        self._start = self._line = self._base + self._at
        if not is_mark(self._text, self._at):
            self._lost = _OUTSIDE
            return self._pass_over()
        self._begins_line = False
        self._board = Board(self._options, is_in_batch=self._batch is not None)
        return self._read_board(self._board)

    def _skip(self, end: int) -> Skipped:
        is_brace = "}" in self._text[self._at : end]
        if is_brace:
            self._batch = None
        start, self._at = self._base + self._at, end
        return Skipped("end of a batch" if is_brace else "blank line", start, self._base + end)

    def _pass_over(self) -> Item | None:
        mark = find_mark(self._text, self._at)
        if mark:
            return self._give_up(mark.start())
        self._at = max(self._at, len(self._text) - MARK_BYTES + 1)
        return None

    def _give_up(self, end: int) -> Unparsed:
        item = Unparsed(self._lost or "", self._start, self._base + end)
        self._board = self._lost = None
        self._at = end
        return item

    def _read_board(self, board: Board) -> Item | None:
        """Read up to the end of the board in hand."""
        limit = self._start + self._options.max_unit_bytes + _MARGIN_BYTES - self._base
        while True:
            if board.head is not None:
                self._move(board.add_plain(self._text, self._at, limit))
            if is_mark(self._text, self._at) and self._is_next_board(board):
                return self._close(board)
            bound = max(
                min(limit, self._at + self._options.payload_bytes_max), self._at + MARK_BYTES
            )
            piece = next_piece(self._text, self._at, begins_line=self._begins_line)
            if (piece.need if piece else len(self._text)) > bound:
                return self._lose(bound < limit)
            if piece is None:
                return None
            self._take(board, piece)
            if piece.kind == "close" and board.is_over:
                return self._close(board)

    def _is_next_board(self, board: Board) -> bool:
        """Tell whether the BATCH or BTEST that stands here is no part of the board."""
        is_batch = self._text.startswith("{@BATCH", self._at)
        return board.head is not None or (is_batch and self._base + self._at > self._start)

    def _take(self, board: Board, piece: Piece) -> None:
        start, end = self._at, piece.end
        if piece.kind == "record":
            record = Record(
                piece.type,
                piece.fields,
                self._text[start + 1 : end],
                self._base + start,
                self._base + end,
                Ending.NONE if piece.is_closed else self._ending(end),
            )
            board.open(record)
            if piece.type == "BATCH":
                self._batch = batch_words(piece.fields, self._options.encoding)
        elif piece.kind == "other":
            is_cut = self._text[start:end].rstrip() == "{" and ends_line(self._text, end)
            board.add_text(self._base + start, self._base + end, is_cut=is_cut)
        if piece.kind == "close" or piece.is_closed:
            board.close()
        self._move(end)

    def _ending(self, end: int) -> Ending:
        if not ends_line(self._text, end):
            return Ending.NONE
        columns = self._base + end - (self._text[end - 1] == "\r") - self._line
        return Ending.CUT if columns == _CUT_COLUMN else Ending.LINE

    def _move(self, end: int) -> None:
        """Go on in the board, and keep where its last line begins."""
        begin = self._text.rfind("\n", self._at, end) + 1
        if begin:
            self._line, self._begins_line = self._base + begin, True
        if self._begins_line:
            self._begins_line = not self._text[begin or self._at : end].strip(_BLANKS)
        self._at = end

    def _lose(self, is_record: bool) -> Item | None:  # noqa: FBT001
        """Give up a board that is too large: pass over everything up to the next start mark."""
        size_max, record_max = self._options.max_unit_bytes, self._options.payload_bytes_max
        self._board = None
        self._lost = (
            f"a record of more than {record_max} bytes, which no message holds"
            if is_record
            else f"a board above max_unit_bytes ({size_max})"
        )
        self._at += 1  # it may stand at a start mark, its own
        return self._pass_over()

    def _close(self, board: Board) -> Item:
        """Return the board that ends here as one item."""
        start, end = self._start, self._base + self._at
        batch, self._board = self._batch or {}, None
        board.end()
        if not board.is_in_batch:
            self._batch = None
        if board.head is not None and status_code(board.head) == MARKED_OUT:
            return Skipped("a board that is marked out", start, end)
        try:
            run = self._run(board, batch, end)
        except ValueError as error:
            return Unparsed(f"{error}", start, end)
        return Parsed((run,), start, end, tuple(board.holes))

    def _run(self, board: Board, batch: Mapping[str, str], end: int) -> BuiltRun:
        size, size_max = end - self._start, self._options.max_unit_bytes
        if size > size_max:
            raise ValueError(f"a board of {size} bytes, above max_unit_bytes ({size_max})")
        if board.head is None:
            raise ValueError("a BATCH without a board")
        fields = {
            **run_fields(board.head, batch, self._options),
            "attributes": {"status_code": status_code(board.head), **board.texts()},
            "measurements": board.measurements(),
            "source": {"file": self._file, "byte_start": self._start, "byte_end": end},
        }
        return build_run(fields, self._options.payload_bytes_max, board.unproven)
