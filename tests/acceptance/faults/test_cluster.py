"""A cluster of VerneMQ as `docs/deploy/vernemq.conf` has it: fit for a plant, and a node dies.

Needs a release of it, see `tests/support/vernemq.py`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.keeper import Keeper, assert_all_once, message
from tests.support.processes import PYTHON, Process
from tests.support.services import Service
from tests.support.vernemq import RELEASE, Cluster

StartService = Callable[..., Service]
StartKeeper = Callable[..., Keeper]
ROOT = Path(__file__).parents[3]
_COUNT = 3_000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(RELEASE is None, reason="VERNEMQ_RELEASE names no release of VerneMQ"),
]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes, just started."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), 2)
    yield made
    made.close()


def test_two_nodes_just_started_are_fit_for_a_plant(cluster: Cluster) -> None:
    """On the first try: a trial waits until nodes have told each other who listens where."""
    first, second = cluster.nodes
    said = Process(
        [PYTHON, "-m", "broker.qualify", "--second", f"127.0.0.1:{second.port}"],
        environment={"YIELDLINE_BROKER__PORT": str(first.port)},
        directory=ROOT,
    )
    assert said.wait(120) == 0, said.output
    assert "NO;" not in said.output


@pytest.mark.postgres
def test_a_cluster_whose_nodes_die_one_after_the_other_loses_and_doubles_nothing(
    cluster: Cluster,
    start_service: StartService,
    start_keeper: StartKeeper,
    postgres_url: str,
) -> None:
    """A service at each node, the sender at the first: its own node dies last."""
    for each in cluster.nodes:
        start_service(each.port, postgres_url).wait_until("connected")
    first = cluster.nodes[0]
    keeper = start_keeper(first.port, per_second=300)
    for part, node in enumerate(reversed(cluster.nodes)):
        keeper.give(*(message(number) for number in range(part * _COUNT, (part + 1) * _COUNT)))
        keeper.wait_for_receipts(60, count=part * _COUNT + _COUNT // 3)
        node.kill()
        if node is not first:  # the other node and its service do all of it
            keeper.wait_for_receipts(60)
        node.start()
    keeper.wait_for_receipts(60)
    assert_all_once(postgres_url, keeper.sent)
