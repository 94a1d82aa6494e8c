"""A cluster of real VerneMQ nodes on the loopback interface, configured as the guide has it.

Only where `VERNEMQ_RELEASE` names a release of it: the folder with bin, lib and share that
`make rel` of its sources leaves. Nodes share all of it but what they write.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.ports import free_port, listens
from tests.support.processes import Process
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually_sync

RELEASE = os.environ.get("VERNEMQ_RELEASE")
GUIDE = Path(__file__).parents[2] / "docs/deploy/vernemq.conf"
_OTHERWISE_HERE = re.compile(
    r"(nodename|distributed_cookie|listener|erlang|allow_anonymous|vmq_(passwd|acl))\b"
)


class VerneMQ:
    """One node, started at once; its sessions and queues survive `kill`.

    Clients take `port`: a proxy that lets nobody in before the node is ready. VerneMQ itself takes
    them before it has read who may do what, and denies everything for a second.

    Args:
        folder: For its configuration and what it keeps.
        name: What stands before the @ of its node name.
        names_port: Where nodes ask for each other's ports, see `Cluster`.
    """

    def __init__(self, folder: Path, name: str, names_port: int) -> None:
        assert RELEASE, "VERNEMQ_RELEASE is not set"
        self.name, self.folder, self._own_port = f"{name}@127.0.0.1", folder, free_port()
        self._way = TcpProxy(self._own_port)
        self._way.cut()
        self.port = self._way.port
        self._environment = {
            "ERL_EPMD_PORT": str(names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(folder),
        }
        for part in Path(RELEASE).iterdir():
            if part.name not in {"bin", "etc", "data", "log"}:
                (folder / part.name).symlink_to(part)
        shutil.copytree(Path(RELEASE) / "bin", folder / "bin")
        for each in ("etc/conf.d", "data/broker", "data/msgstore", "log/sasl"):
            (folder / each).mkdir(parents=True)
        (folder / "etc/vernemq.conf").write_text(self._configuration(), "utf-8")
        (folder / "etc/vmq.acl").write_text("topic #\n", "utf-8")
        self.process = self._started()

    def _configuration(self) -> str:
        """Return the guide's, with names and addresses of this machine and nobody kept out."""
        lines = GUIDE.read_text("utf-8").splitlines()
        kept = [each for each in lines if each[:1].isalpha() and not _OTHERWISE_HERE.match(each)]
        own = {
            "nodename": self.name,
            "distributed_cookie": "tests",
            "listener.vmq.clustering": f"127.0.0.1:{free_port()}",
            "listener.tcp.default": f"127.0.0.1:{self._own_port}",
            "listener.http.default": f"127.0.0.1:{free_port()}",
            "erlang.distribution.interface": "127.0.0.1",
            "allow_anonymous": "on",
        }
        return "\n".join([*kept, *(f"{name} = {value}" for name, value in own.items())]) + "\n"

    def _started(self) -> Process:
        command = self.folder / "bin/vernemq"
        return Process(
            [command, "console", "-noshell", "-noinput"],
            environment=self._environment,
            directory=self.folder,
        )

    def wait_until_ready(self) -> None:
        """Wait until it does what clients ask, and let them in."""

        def ready() -> bool:
            assert self.process.exit_code is None, "it ended"
            return listens(self._own_port) and "vmq_acl" in self.admin("plugin", "show")

        eventually_sync(ready, 60, saw=lambda: self.process.output)
        self._way.restore()

    def kill(self) -> None:
        """End it as a crash would: nothing is written any more."""
        self.process.kill()
        self._way.cut()

    def start(self) -> None:
        """Start it again and wait until it is ready."""
        self.process = self._started()
        self.wait_until_ready()

    def close(self) -> None:
        """End it in good order."""
        self._way.close()
        self.process.stop()

    def admin(self, *words: str) -> str:
        """Return what `vmq-admin` says."""
        return subprocess.run(
            [self.folder / "bin/vmq-admin", *words],
            env={**os.environ, **self._environment},
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        ).stdout


class Cluster:
    """So many nodes that have joined.

    Args:
        folder: For all that they write.
        count: How many.
    """

    def __init__(self, folder: Path, count: int) -> None:
        assert RELEASE, "VERNEMQ_RELEASE is not set"
        names_port = free_port()
        epmd = next(Path(RELEASE).glob("erts-*/bin/epmd"))
        # Of our own: the one that nodes start themselves stays when they have gone.
        self._names = Process([epmd, "-address", "127.0.0.1", "-port", str(names_port)])
        eventually_sync(lambda: listens(names_port), saw=lambda: self._names.output)
        self.nodes: list[VerneMQ] = []
        for number in range(count):
            (own := folder / f"node-{number}").mkdir()
            self.nodes.append(VerneMQ(own, f"node{number}", names_port))
        for each in self.nodes:
            each.wait_until_ready()
        for each in self.nodes[1:]:
            each.admin("cluster", "join", f"discovery-node={self.nodes[0].name}")
        eventually_sync(lambda: self.is_whole, 60, saw=self._shown)

    def _shown(self) -> str:
        return "\n".join(each.admin("cluster", "show") for each in self.nodes)

    @property
    def is_whole(self) -> bool:
        """Whether each node sees each other run."""
        return self._shown().count("true") == len(self.nodes) ** 2

    def close(self) -> None:
        """End all of it."""
        for each in self.nodes:
            each.close()
        self._names.stop()
