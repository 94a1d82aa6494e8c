"""One unit of a format that a plant describes itself, while it is read. Pure: no I/O."""

from collections.abc import Mapping
from typing import Any

from edge_agent.formats import text
from edge_agent.formats.described import (
    VERDICT,
    DescribedOptions,
    measurement_fields,
    run_fields,
)
from edge_agent.formats.line_units import UnitDraft
from edge_agent.formats.runs import no_measurement


class DescribedUnit(UnitDraft):
    """Takes text by field, so that a format only has to find it."""

    def __init__(self, options: DescribedOptions, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self._described = options
        self._has_bad_measurement = False

    def _take_measurement(self, found: Mapping[str, str], others: Mapping[str, str]) -> None:
        """Add one measurement; ValueError where it is none. Arguments as of `run_fields`."""
        try:
            row = measurement_fields(found, others, self._described)
        except ValueError:
            self._has_bad_measurement = True
            raise
        self._add_row(row)

    def _run(self, found: Mapping[str, str], others: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields of the Run; ValueError where it is none."""
        fields = run_fields(found, others, self._described)
        return {**fields, "measurements": self._measurements(found.get(VERDICT, ""))}

    def _measurements(self, status: str) -> list[dict[str, Any]]:
        if self._row_count or self._has_bad_measurement:
            return super()._measurements(status)
        return [no_measurement(text.clean(status))]  # what holes it has are other lines


def is_no_measurement(found: Mapping[str, str]) -> bool:
    """Tell whether text by field has neither step nor value: it speaks of the unit alone."""
    return not (found.get("test_step") or found.get("measured_value"))
