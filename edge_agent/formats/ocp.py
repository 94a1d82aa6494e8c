"""Open Compute diagnostics (OCP Test and Validation): one JSON artifact a line. Pure: no I/O.

A run goes from `testRunStart` to `testRunEnd`; what stands before it, such as `schemaVersion` and
first log lines, carries nothing. What the artifacts of a run mean is in `ocp_run`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from edge_agent.formats.items import JSON, Item, Options
from edge_agent.formats.line_units import LineParser
from edge_agent.formats.lines import Line
from edge_agent.formats.ocp_run import START, Artifact, RunDraft, read_artifact

_END: Final = "testRunEnd"
_VERSION: Final = "schemaVersion"
_OUTSIDE: Final = frozenset({_VERSION, "log", "error", "file", "tag"})


class Ocp(LineParser):
    """The parser of `ocp`: artifacts in, runs out."""

    _LITTER = "outside of any run: no testRunStart before it"

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        super().__init__(options, file, offset, state)
        expected = state.get("sequence")
        self._sequence = expected if isinstance(expected, int) else None  # of the next artifact
        self._draft: RunDraft | None = None

    def _read(self, line: Line, content: str) -> Iterator[Item]:
        artifact = _understood(content)
        if artifact.kind in {START, _VERSION}:
            yield from self._close()  # also a run whose program died: it has begun anew
        if artifact.kind == START:
            self._draft = RunDraft(self._options, self._file, line.byte_start, self._sequence)
        is_outside = self._draft is None and not artifact.step_id and artifact.kind in _OUTSIDE
        if is_outside:
            yield from self._close()
        if artifact.sequence is not None:
            self._sequence = artifact.sequence + 1
        if is_outside:
            yield self._skip(f"{artifact.kind} before a run", line)
        elif self._draft is None:
            yield from self._set_aside(line, content, self._reason(line, artifact))
        else:
            self._draft.artifact = artifact
            self._draft.add(line, content)
            if artifact.kind == _END:
                yield from self._close()

    def _reason(self, line: Line, artifact: Artifact) -> str:
        if line.is_cut:
            return f"a line above max_unit_bytes ({self._options.max_unit_bytes})"
        return artifact.fault or self._LITTER

    def _context(self) -> dict[str, JSON]:
        return {} if self._sequence is None else {"sequence": self._sequence}


def _understood(content: str) -> Artifact:
    try:
        return read_artifact(content)
    except ValueError as error:
        return Artifact(fault=str(error))
