"""What stands in deploy/: the unit, the image, compose and the sample configuration say what they should."""

import configparser
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from kzfeed.config.load import load
from kzfeed.config.settings import Settings

PROJECT = Path(__file__).parent.parent
DEPLOY = PROJECT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
POSTGRES_ONLY = {"kzfeed-postgres", "postgres"}


# --- systemd ---------------------------------------------------------------------------------------------------------


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # systemd's keys tell case apart
    parser.read(DEPLOY / "kzfeed.service", encoding="utf-8")
    return parser


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("Service", "Type", "notify"),
        ("Service", "NotifyAccess", "main"),
        ("Service", "TimeoutStartSec", "infinity"),
        ("Service", "WatchdogSec", "3min"),
        ("Service", "User", "kzfeed"),
        ("Service", "Group", "kzfeed"),
        ("Service", "ExecStart", "/opt/kzfeed/bin/kzfeed run --config /etc/kzfeed/kzfeed.toml"),
        ("Service", "ExecReload", "/bin/kill -HUP $MAINPID"),
        ("Service", "StateDirectory", "kzfeed"),
        ("Service", "ConfigurationDirectory", "kzfeed"),
        ("Service", "WorkingDirectory", "/var/lib/kzfeed"),
        ("Service", "Restart", "on-failure"),
        ("Service", "RestartPreventExitStatus", "2"),
        ("Service", "KillSignal", "SIGTERM"),
        ("Service", "TimeoutStopSec", "10s"),
        ("Service", "NoNewPrivileges", "yes"),
        ("Unit", "Wants", "network-online.target"),
        ("Install", "WantedBy", "multi-user.target"),
    ],
)
def test_the_unit_says(section: str, key: str, value: str) -> None:
    assert unit()[section][key] == value


def test_the_unit_starts_after_the_network() -> None:
    assert "network-online.target" in unit()["Unit"]["After"].split()


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if not verifier:
        pytest.skip("systemd-analyze is not installed")
    binary = shutil.which("true")
    assert binary
    copy = tmp_path / "kzfeed.service"
    # The program need not be installed where this test runs.
    copy.write_text((DEPLOY / "kzfeed.service").read_text(encoding="utf-8").replace("/opt/kzfeed/bin/kzfeed", binary))
    done = subprocess.run([verifier, "verify", copy], capture_output=True, text=True, timeout=60)
    # It loads the units that this one names as well, and may find fault with those.
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "kzfeed" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.slow
def test_systemd_rates_the_exposure_of_the_service_as_low() -> None:
    analyzer = shutil.which("systemd-analyze")
    if not analyzer:
        pytest.skip("systemd-analyze is not installed")
    command = [analyzer, "security", "--offline=true", "--threshold=15", "--no-pager", str(DEPLOY / "kzfeed.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the image -------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), comments left out and continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(word.upper(), " ".join(rest.split())) for word, rest in pairs]


def final_stage() -> dict[str, str]:
    """The last of each instruction since the last FROM."""
    stage: dict[str, str] = {}
    for word, rest in instructions():
        stage = {} if word == "FROM" else {**stage, word: rest}
    return stage


def test_the_image_does_not_run_as_root() -> None:
    """By number, so that an orchestrator can see it without the image's user list."""
    user, group = map(int, final_stage()["USER"].split(":"))
    assert user > 0
    assert group > 0


def test_signals_reach_kzfeed_in_the_image() -> None:
    stage = final_stage()
    assert json.loads(stage["ENTRYPOINT"]) == ["kzfeed"]
    assert json.loads(stage["CMD"]) == ["run"]
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_the_image_keeps_its_database_on_the_volume() -> None:
    stage = final_stage()
    assert stage["VOLUME"] == stage["WORKDIR"] == "/data"
    assert "KZFEED_DATABASE_URL=sqlite:////data/kzfeed.db" in stage["ENV"].split()


def test_the_build_context_holds_what_the_image_copies() -> None:
    ignore = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copies = [rest for word, rest in instructions() if word == "COPY" and not rest.startswith("--from=")]
    copied = {source for rest in copies for source in rest.split()[:-1]}
    assert copied == allowed
    assert all((PROJECT / source).exists() for source in copied)


# --- compose ---------------------------------------------------------------------------------------------------------


def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, timeout=60).returncode:
        pytest.skip("docker compose is not installed")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "POSTGRES_"))}
    command = [docker, "compose", "-f", str(COMPOSE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.parametrize(("profile", "services"), [("", {"kzfeed"}), ("postgres", {"kzfeed", *POSTGRES_ONLY})])
def test_compose_accepts_its_file_without_any_variable(profile: str, services: set[str]) -> None:
    chosen = ["--profile", profile] if profile else []
    done = compose(*chosen, "config", "--services")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == services


def test_the_compose_file_stops_kzfeed_within_ten_seconds() -> None:
    """Read as text: the suite does without a YAML parser."""
    text = COMPOSE.read_text(encoding="utf-8")
    services = {
        match[1]: match[2] for match in re.finditer(r"^  ([\w-]+):\n((?:    .*\n|\n)+)", text, flags=re.MULTILINE)
    }
    assert set(services) == {"kzfeed", *POSTGRES_ONLY}
    for name in ("kzfeed", "kzfeed-postgres"):
        assert "    stop_grace_period: 10s\n" in services[name]
        assert "    restart: unless-stopped\n" in services[name]
    assert [name for name, body in services.items() if "    profiles: [postgres]\n" in body] == sorted(POSTGRES_ONLY)


# --- the sample configuration ----------------------------------------------------------------------------------------


def sample() -> Settings:
    return load(DEPLOY / "kzfeed.toml", environ={})


def test_the_sample_names_every_setting_at_its_default() -> None:
    document = tomllib.loads((DEPLOY / "kzfeed.toml").read_text(encoding="utf-8"))
    defaults, settings = Settings().model_dump(), sample().model_dump()
    # The only difference: the service's database has a place of its own.
    assert settings.pop("database") == {"url": "sqlite:////var/lib/kzfeed/kzfeed.db"}
    assert document.pop("database").keys() == defaults.pop("database").keys()
    assert settings == defaults
    assert document.keys() == defaults.keys()
    for section in document.keys() - {"sources"}:
        # TOML has no word for None: what is unset stands there as a comment.
        assert document[section].keys() == {key for key, value in defaults[section].items() if value is not None}


def test_the_sample_database_lies_in_the_state_directory_of_the_unit() -> None:
    assert sample().database.url == f"sqlite:///{unit()['Service']['WorkingDirectory']}/kzfeed.db"


def test_the_environment_of_the_image_wins_over_a_mounted_sample() -> None:
    variable = next(word for word in final_stage()["ENV"].split() if word.startswith("KZFEED_DATABASE_URL="))
    environ = {"KZFEED_DATABASE_URL": variable.partition("=")[2]}
    assert load(DEPLOY / "kzfeed.toml", environ=environ).database.url == "sqlite:////data/kzfeed.db"
