"""What is sent: flat results, runs of a board tester, and the rulebook that judges them. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import orjson

MACHINES = 50
STEPS = 700
"""Measurements of one board, as an in-circuit tester makes them."""
_TEMPLATE = "factory/v1/line-1/{}/test"
_START = datetime.now(UTC) - timedelta(hours=1)

Message = tuple[str, bytes]


def flat_results(root: str = _TEMPLATE) -> Iterator[Message]:
    """Yield flat measurements without end: 50 machines, two in three pass, every unit is new."""
    number = 0
    while True:
        machine_id = f"MACH-{number % MACHINES:02}"
        body = {
            "barcode": f"SN-{number:08}",
            "machine_id": machine_id,
            "product_id": "PROD-A",
            "test_step": "voltage_test",
            "measured_value": 70 + number % 300 / 10,
            "timestamp": (_START + timedelta(milliseconds=number)).isoformat(),
            "message_id": f"voltage-{number}",
        }
        yield root.format(machine_id), orjson.dumps(body)
        number += 1


def board_runs() -> Iterator[Message]:
    """Yield runs of 700 measurements without end, from four testers."""
    number = 0
    while True:
        measurements = [
            {
                "test_step": f"r{step}",
                "measured_value": 1_000 + step + number % 7 / 10,
                "unit": "Ohm",
                "low": 900 + step,
                "high": 1_100 + step,
                "reported_outcome": "PASS",
            }
            for step in range(STEPS)
        ]
        body = {
            "barcode": f"B{number:08}",
            "product_id": "PCB-7",
            "procedure": "ICT",
            "started_at": (_START + timedelta(seconds=number)).isoformat(),
            "message_id": f"board-{number}",
            "measurements": measurements,
        }
        yield _TEMPLATE.format(f"ICT-{number % 4}"), orjson.dumps(body)
        number += 1


def take(messages: Iterator[Message], count: int) -> Sequence[Message]:
    """Return the next `count`."""
    return list(islice(messages, count))


def rulebook() -> str:
    """Return 500 rules, in TOML: most for other steps and products, and some are globs."""
    selectors = [f'test_step = "step-{number}"' for number in range(300)]
    selectors += [f'test_step = "group-{number:03}-*"' for number in range(100)]
    selectors += [f'test_step = "voltage_test"\nproduct = "PROD-{n}"' for n in range(98)]
    selectors += ['test_step = "voltage_test"\nproduct = "PROD-A"', 'test_step = "volt*"']
    return "\n".join(
        f'[[rule]]\nid = "rule-{number}"\n{each}\ncomparator = "GE"\nlow = 80.0\n'
        for number, each in enumerate(selectors)
    )
