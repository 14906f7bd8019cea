"""deploy/install.md, followed as printed in a folder that stands for the machine.

The commands of the page run in order, with `/etc`, `/opt` and `/var` below a folder of the test. Only what would change
this machine is replaced: users, packages and systemd, whose calls are recorded.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fork_server import clean_environment, fork_server

PROJECT = Path(__file__).parent.parent
PAGE = (PROJECT / "deploy" / "install.md").read_text("utf-8")

RECORDED = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
"""
PROGRAMS = {
    **dict.fromkeys(("apt-get", "chown", "systemctl", "useradd", "userdel"), RECORDED),
    "install": """#!/bin/bash
kept=()
for each in "$@"; do case $each in --owner=kzfeed|--group=kzfeed) ;; *) kept+=("$each") ;; esac; done
exec /usr/bin/install "${kept[@]}"
""",
    # A virtual environment takes long, and pip needs a network.
    "python3": """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 1
mkdir "$3" "$3/bin" && cp "$PROGRAMS/kzfeed" "$PROGRAMS/pip" "$3/bin"
""",
    "pip": RECORDED,
    # The test runs kzfeed itself, which takes a tenth of the time.
    "kzfeed": "#!/bin/sh\nexit 1\n",
}


def commands(section: str) -> list[str]:
    """The commands of a section of the page, those of several lines joined."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return "".join(blocks).replace("\\\n", " ").splitlines()


class Machine:
    """A folder that stands for a machine, and whoever types the commands of the page there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls"
        programs = root / "programs"
        for folder in (
            programs,
            *(root / name for name in ("etc/systemd/system", "opt", "var/lib/kzfeed", "var/backups")),
        ):
            folder.mkdir(parents=True)
        for name, text in PROGRAMS.items():
            (programs / name).write_text(text, "utf-8")
            (programs / name).chmod(0o755)
        self.environment: Mapping[str, str] = clean_environment(
            CALLS=str(self.calls),
            PROGRAMS=str(programs),
            PATH=f"{programs}:{os.environ['PATH']}",
            KZFEED_DATABASE_URL=f"sqlite:///{root}/var/lib/kzfeed/kzfeed.db",
        )

    def type(self, command: str) -> str:
        """Run a command of the page; its output. No daemon runs, as `status` says with its exit status."""
        moved = re.sub(r"(?<![\w./:])/(?=(?:etc|opt|var)/)", f"{self.root}/", command)
        words = shlex.split(moved.removeprefix("runuser -u kzfeed -- "))
        if words[0] == f"{self.root}/opt/kzfeed/bin/kzfeed":
            assert Path(words[0]).is_file()
            done = fork_server().run(words[1:], PROJECT, self.environment)
        else:
            done = subprocess.run(
                ["/bin/bash", "-c", moved], cwd=PROJECT, env=self.environment, capture_output=True, text=True
            )
        assert done.returncode == (1 if command.endswith(" status") else 0), f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def follow(self, section: str) -> str:
        """Run the commands of a section of the page; what they print."""
        found = commands(section)
        assert found
        return "".join(map(self.type, found))

    def mode(self, path: str) -> int:
        return (self.root / path).stat().st_mode & 0o777


@pytest.mark.slow
def test_the_page_installs_backs_up_upgrades_rolls_back_restores_and_uninstalls(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    database, backups = tmp_path / "var/lib/kzfeed/kzfeed.db", tmp_path / "var/backups/kzfeed"
    kzfeed = "/opt/kzfeed/bin/kzfeed --config /etc/kzfeed/kzfeed.toml"

    machine.follow("Install")
    assert (machine.mode("etc/kzfeed/kzfeed.toml"), machine.mode("var/backups/kzfeed")) == (0o640, 0o750)
    assert (tmp_path / "etc/systemd/system/kzfeed.service").is_file()

    machine.type(f"{kzfeed} backfill seeds")
    machine.follow("Who may read what")
    assert (backups / "kzfeed.db").is_file()

    machine.follow("Upgrade")
    assert (tmp_path / "opt/kzfeed.previous/bin/kzfeed").is_file()
    assert (backups / "before-upgrade.db").is_file()

    assert "8 articles: 0 new" in machine.follow("Roll back")
    assert not (tmp_path / "opt/kzfeed.previous").exists()
    assert (tmp_path / "var/lib/kzfeed/newer/kzfeed.db").is_file()

    database.write_bytes(b"damaged")
    assert "no damage" in machine.follow("Restore a backup")
    assert machine.mode("var/lib/kzfeed/kzfeed.db") == 0o640

    machine.follow("Uninstall")
    assert database.is_file()
    assert list((tmp_path / "opt").iterdir()) == list((tmp_path / "etc/systemd/system").iterdir()) == []

    called = machine.calls.read_text("utf-8").splitlines()
    verbs = {"daemon-reload", "enable --now kzfeed", "disable --now kzfeed", "start kzfeed", "stop kzfeed"}
    assert {call.removeprefix("systemctl ") for call in called if call.startswith("systemctl ")} == {
        *verbs,
        "status --no-pager kzfeed",
    }


def test_the_page_gives_the_service_the_url_of_its_database_as_a_credential(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "etc/kzfeed").mkdir()
    own: list[str] = []
    others: list[str] = []
    for command in commands("PostgreSQL, and other secrets"):
        (others if "/opt/kzfeed/bin/kzfeed" in command else own).append(command)
    for command in own:
        machine.type(command)
    assert [each.startswith("KZFEED_DATABASE_URL_FILE=/etc/kzfeed/database-url /opt") for each in others] == [True] * 2
    assert (tmp_path / "etc/kzfeed/database-url").read_text("utf-8").startswith("postgresql://")
    assert machine.mode("etc/kzfeed/database-url") == 0o600
    assert (tmp_path / "etc/systemd/system/kzfeed.service.d/database.conf").read_text("utf-8").splitlines()[1:] == [
        "LoadCredential=database-url:/etc/kzfeed/database-url",
        "Environment=KZFEED_DATABASE_URL_FILE=%d/database-url",
    ]


def test_every_command_of_the_page_is_complete() -> None:
    """No command needs a folder on the PATH that a fresh Debian has not."""
    found = [command for section in re.findall(r"^## (.+)$", PAGE, re.MULTILINE) for command in commands(section)]
    for command in found:
        program = command.removeprefix("runuser -u kzfeed -- ").split("=")[0].split()[0]
        assert program.startswith("/opt/kzfeed/bin/") or program in {
            *PROGRAMS.keys() - {"kzfeed", "pip"},
            *("echo", "mv", "printf", "rm"),
            "KZFEED_DATABASE_URL_FILE",
        }, command
