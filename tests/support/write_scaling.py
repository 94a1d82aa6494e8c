"""Write the tables of docs/scaling.md: `python -m tests.support.write_scaling`.

A test fails when they are out of date; the words around them are written by hand.
"""

import re
from pathlib import Path
from typing import Final

from tests.support.scaling import MIXED, SIZES, STEADY, Load, first_to_break, form, need

PAGE: Final = Path(__file__).parents[2] / "docs/scaling.md"
_TABLES: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LOADS: Final = {load.name: load for load in (MIXED, STEADY)}
_HEAD: Final = (
    "size",
    "machines",
    "results/s",
    "measurements/s",
    "cores: service, database, broker, web",
    "services",
    "memory",
    "Mbit/s",
    "a year in SQLite, PostgreSQL",
    "used most, of its limit",
    "form",
)


def table(load: Load) -> str:
    """Return one load's table."""
    rows = [_HEAD, ("---",) * len(_HEAD)]
    for size in SIZES:
        found = need(size, load)
        first, cores = first_to_break(found), found.cores
        rows.append(
            (
                size.name,
                f"{size.machines:,}",
                number(found.results_a_s),
                number(found.measurements_a_s),
                ", ".join(map(number, (cores.service, cores.database, cores.broker, cores.web))),
                f"{found.processes}",
                f"{number(found.memory_gib)} GiB",
                number(found.wire_mbit_a_s),
                f"{gigabytes(found.sqlite_gb_a_year)}, {gigabytes(found.postgres_gb_a_year)}",
                f"{first.what}, {number(first.used)}",
                form(found),
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def number(value: float) -> str:
    """Return it with two significant digits, or whole."""
    if value < 0.005:
        return "< 0.01"
    if value >= 100:
        return f"{value:,.0f}"
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:.{digits}f}"


def gigabytes(value: float) -> str:
    """Return a size in GB or TB."""
    return f"{number(value / 1000)} TB" if value >= 1000 else f"{number(value)} GB"


def updated(text: str) -> str:
    """Return the page with its tables made anew."""
    return _TABLES.sub(lambda found: f"{found[1]}{table(_LOADS[found[2]])}{found[3]}", text)


def main() -> None:
    """Write the page."""
    PAGE.write_text(updated(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
