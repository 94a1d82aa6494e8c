"""Keysight i3070 logs: hand-written pieces for the laws, and realistic boards in any number."""

import random
from collections.abc import Iterator

from edge_agent.formats import Options

OPTIONS = Options(max_unit_bytes=1024)
BATCH = b"{@BATCH|prod|A|12|1||btest|200818031916|op|ctrl|prog|rev1|panel|B"
BTEST = b"{@BTEST|SN1|01|200818045942|000039|0|all||n|n|200818050021||3|PNL7"
BLOCK = (
    b"{@BLOCK|1%r17|00\n"
    b"{@A-RES|0|+1.368866E+03{@LIM3|+1.000000E+03|+1.100000E+03|+9.000000E+02}}\n}"
)
STUMP = (
    b"{@BLOCK|1%c5|01\n{@A-CAP|1|+1.234000E-08{@LIM3|+1.000000E-08|+1.100000E-08|-6.650000E+0\n}\n"
)
PIECES = [
    BATCH + b"\n",
    BATCH + b"\r\n",
    BATCH,
    BTEST + b"\n",
    BTEST,
    b"{@BTEST|SN2|00|200818045942\n",
    b"{@BTEST|SN3|13|200818045942\n",
    b"{@BTEST||00|200818045942\n",
    b"{@BTEST|SN5|00|209918045942\n",
    BATCH + b"\n" + BTEST + b"\n" + BLOCK + b"\n}\n}\n",
    BLOCK + b"\n",
    BLOCK,
    BLOCK.replace(b"\n", b"\r\n"),
    STUMP,
    STUMP.replace(b"\n", b"\x04\n"),
    b"{@BLOCK|1%q2|07\n",
    b"{@A-MEA|0|+2.970000E+00|FET_OFF{@LIM2|+9.999999E+99|+1.500000E+00}}\n",
    b"{@A-MEA|1|+1.000000E+00|in~5|{|}|~{@LIM2|+1.0E+00|+0.0E+00}}",
    b"{@A-DIO|0|nonsense{@LIM2|x|+0.000000E+00}}\n",
    b"{@A-JUM|11|+3.478301E+00{@LIM2|+8.000000E+00|+0.000000E+00\n",
    b"{@TS|0|2|0|0|1%shorts{@TS-S|1|0|node1{@TS-D\\2|node2|+1.0E+00|node3|+2.0E+00}}}\n",
    b"{@D-T|1|0|12|3|1%u1\n{@DPIN|u1\\2|n1|5|n2|6}\n}\n",
    b"{@PF|pins|0|0\n}\n",
    b"{@RPT|HAS {FAILED} here}\n",
    b"{@RPT|short",
    b"\n{@RPT|no brace\n",
    b"{@RPT~16|a }{@BTEST|\xc3\xa9 \xb5}}",
    b"{@FOO~900|not all there\n{@BLOCK|x|00}",
    b"{@FOO|x{@BAR\\3|a|b}}",
    b"{@LI\n",
    b"{",
    b"{@",
    b"~",
    b"}",
    b"}}",
    b"\n}\n",
    b"}}" + BATCH + b"\n",
    b"\n",
    b" \t",
    b"\x04",
    b"\xef\xbb\xbf",
    b"nonsense {x} \x00\xff\n",
    b"{@BATCH",
    b"{@BTEST|" + b"x" * 1500 + b"\n",
]
GOOD = BATCH + b"\n" + BTEST + b"\n" + BLOCK + b"\n}\n}\n"
TOO_LARGE = BATCH + b"\n" + BTEST + b"\n" + (BLOCK + b"\n") * 100 + b"}\n}\n"
SAMPLES = []
_KINDS = (*[("RES", "r")] * 10, *[("CAP", "c")] * 8, ("JUM", "fb"), ("DIO", "d"), ("DIGITAL", "u"))


def board_log(board_count: int, tests_per_board: int, seed: int = 1) -> Iterator[bytes]:
    """Yield a log as a tester writes it, board by board: most pass, some fail and say why."""
    chance = random.Random(seed)
    for number in range(board_count):
        yield "\n".join(_board(chance, number, tests_per_board)).encode()


def _board(chance: random.Random, number: int, test_count: int) -> Iterator[str]:
    fails = chance.random() < 0.1
    position = number % 4 + 1
    clock = f"26{1 + number // 500 % 12:02}{1 + number // 40 % 28:02}"
    yield (
        "{@BATCH|501-6338-02|50|12|1||btest|260101060000|op 7|solmb3t1|501-6338-02|RevA||"
        f"\n{{@BTEST|5016338{number:06}|{fails:02}|{clock}105353|000042|0|all||n|n|{clock}105435"
        f"||{position}|PNL{number // 4:06}"
    )
    yield f"{{@PF|{position}%pins|0|0\n}}\n{{@TS|0|0|0|0|{position}%shorts\n}}"
    failing = chance.randrange(test_count) if fails else -1
    for index in range(test_count):
        yield from _test(chance, f"{position}%", index, fails=index == failing)
    yield "}\n}\n"


def _test(chance: random.Random, prefix: str, index: int, *, fails: bool) -> Iterator[str]:
    kind, name = _KINDS[index % len(_KINDS)]
    if kind == "DIGITAL":
        yield f"{{@D-T|{fails:d}|0|0|0|{prefix}u{index}\n}}"
        return
    nominal = 10.0 ** chance.randint(-9, 6)
    value = nominal * (chance.uniform(0.96, 1.04) if not fails else 2)
    limits = f"{nominal * 1.1:+.6E}|{nominal * 0.9:+.6E}"
    lim = f"LIM3|{nominal:+.6E}|{limits}" if kind in {"RES", "CAP"} else f"LIM2|{limits}"
    yield (
        f"{{@BLOCK|{prefix}{name}{index}|{fails:02}\n{{@A-{kind}|{fails:d}|{value:+.6E}{{@{lim}}}}}\n}}"
    )
    if fails:
        yield f"{{@RPT|{prefix}{name}{index} HAS FAILED}}\n{{@RPT|Measured: {value:.4E}}}"
