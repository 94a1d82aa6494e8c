"""A broker as the plant's guide sets it up: mosquitto.conf, the ACL, the guide's commands.

Runs the configuration's 2.0 form, made as its own first lines say, with the paths of this machine.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

from broker.authority import PROGRAMS
from tests.support.mosquitto import EXECUTABLE
from tests.support.ports import free_port, listens
from tests.support.processes import Process
from tests.support.waiting import eventually_sync

ROOT = Path(__file__).parents[2]
ACL = ROOT / "docs/deploy/mosquitto.acl"
MACHINE = "FCT-12"
OTHER = "ICT-3"


class Plant:
    """One broker, in a folder of its own, with certificates for two machines and our programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.by_certificate, self.by_password = free_port(), free_port()
        self.by_machine_password, self.by_program_certificate = free_port(), free_port()
        self._shell(_setup())
        for name in (MACHINE, OTHER, *PROGRAMS):
            self.certify(name)
        for name in (MACHINE, OTHER):
            self.let_in(name, "word")
        (folder / "mosquitto.conf").write_text(self._configuration(), "utf-8")
        self.process = Process([EXECUTABLE or "", "-c", folder / "mosquitto.conf"])

        def ready() -> bool:
            assert self.process.exit_code is None, "it ended"
            return all(map(listens, self.ports))

        eventually_sync(ready, saw=lambda: self.process.output)

    @property
    def ports(self) -> tuple[int, ...]:
        """Of machines, of our programs, and of the latter's variant with certificates."""
        machines = (self.by_certificate, self.by_machine_password)
        return (*machines, self.by_password, self.by_program_certificate)

    def certify(self, name: str) -> None:
        """Make a certificate for a common name, as the guide says."""
        self._shell(_machine(), MACHINE_ID=name)

    def let_in(self, name: str, word: str) -> None:
        """Give a login a password, as the guide says; the broker knows it after `reload`."""
        file = self.secrets / "mosquitto_passwd"
        subprocess.run(
            ["mosquitto_passwd", "-b", file, name, word], check=True, capture_output=True
        )

    def reload(self) -> None:
        """Let the broker read passwords, ACL and certificates again (SIGHUP)."""
        self.process.send(signal.SIGHUP)

    def _shell(self, script: str, **variables: str) -> None:
        environment = {**os.environ, **variables}
        ended = subprocess.run(
            ["sh", "-c", script],
            check=False,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr

    def _configuration(self) -> str:
        text = (ROOT / "mosquitto.conf").read_text("utf-8")
        command = re.search(r"^#   (sed .+)$", text, re.MULTILINE)
        assert command
        text = subprocess.run(
            ["sh", "-c", command[1]], input=text, text=True, capture_output=True, check=True
        ).stdout
        assert "plugin" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
        (self.folder / "data").mkdir()
        (self.folder / "mosquitto.acl").write_text(ACL.read_text("utf-8"), "utf-8")
        by_password = text[text.index("listener 8884") : text.index("# No listener")]
        programs = re.sub(r"^#cert ", "", by_password, flags=re.MULTILINE)
        text += programs.replace("listener 8884", "listener 8886")
        moved = {
            "/mosquitto/data/": f"{self.folder}/data/",
            "/mosquitto/config/mosquitto.acl": f"{self.folder}/mosquitto.acl",
            "/run/secrets/": f"{self.secrets}/",
            "listener 8883": f"listener {self.by_certificate} 127.0.0.1",
            "listener 8884": f"listener {self.by_password} 127.0.0.1",
            "listener 8885": f"listener {self.by_machine_password} 127.0.0.1",
            "listener 8886": f"listener {self.by_program_certificate} 127.0.0.1",
        }
        for old, new in moved.items():
            assert old in text
            text = text.replace(old, new)
        return f"user root\n{text}" if os.getuid() == 0 else text

    def certificate(self, name: str) -> list[str]:
        """Flags of a client that shows a machine's certificate."""
        files = ["--cert", f"{self.secrets}/{name}.crt", "--key", f"{self.secrets}/{name}.key"]
        return ["-p", str(self.by_certificate), "--cafile", f"{self.secrets}/ca.crt", *files]

    def password(self, name: str, word: str | None = None) -> list[str]:
        """Flags of a client that logs in; our own programs by the word the guide made."""
        word = word or self.password_of(name)
        ca = ["--cafile", f"{self.secrets}/ca.crt"]
        port = self.by_password if name in PROGRAMS else self.by_machine_password
        return ["-p", str(port), *ca, "-u", name, "-P", word]

    def password_of(self, name: str) -> str:
        """Return the password that the guide made for one of our own programs."""
        return self.password_file(name).read_text("utf-8").strip()

    def password_file(self, name: str) -> Path:
        """Return the file that holds it."""
        return self.secrets / f"{name.removeprefix('yieldline-')}_password"


def _setup() -> str:
    return _blocks_that_run()[0]


def _machine() -> str:
    return _blocks_that_run()[1]


def _blocks_that_run() -> list[str]:
    """The guide's shell blocks marked as run by the tests."""
    text = (ROOT / "docs/deploy/README.md").read_text("utf-8")
    blocks = re.findall(r"<!-- The tests run this block. -->\n```sh\n(.+?)```", text, re.DOTALL)
    assert len(blocks) == 2
    return blocks
