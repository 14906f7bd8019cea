"""`kzfeed init` and `kzfeed config check`."""

import re
import subprocess
from pathlib import Path

import pytest

from kzfeed.config.load import load
from kzfeed.config.settings import Settings
from kzfeed.config.template import template
from tests.fork_server import ROOT, clean_environment, fork_server
from tests.terminal import at_terminal

SOURCE = '[[sources]]\nname = "voa"\nurl = "https://e.example/feed"\n'
CONTACT = '[database]\nurl = "sqlite:////nowhere/kzfeed.db"\n[http]\ncontact = "a@e.example"\n'


def kzfeed(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return fork_server().run(arguments, folder, clean_environment(**variables))


def check(folder: Path, text: str, **variables: str) -> tuple[int, list[str]]:
    """The exit status, and the lines, with `FILE` for the configuration."""
    file = folder / "kzfeed.toml"
    file.write_text(text, "utf-8")
    done = kzfeed(folder, "config", "check", **variables)
    assert done.stderr == ""
    return done.returncode, done.stdout.replace(str(file), "FILE").splitlines()


# --- init ------------------------------------------------------------------------------------------------------------


def test_the_written_file_has_every_default(tmp_path: Path) -> None:
    done = kzfeed(tmp_path, "init")

    assert done.returncode == 0, done.stderr
    written = load(tmp_path / "kzfeed.toml", environ={})
    defaults = Settings().model_dump(exclude={"sources", "database"})
    assert written.model_dump(exclude={"sources", "database"}) == defaults
    assert written.database.url == f"sqlite:///{tmp_path}/kzfeed.db"


def test_the_written_file_explains_every_setting() -> None:
    text = template("sqlite:///kzfeed.db")

    for section in set(Settings.model_fields) - {"sources", "hosts"}:
        part = re.split(r"^\[", text.partition(f"\n[{section}]\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
        for key in type(getattr(Settings(), section)).model_fields:
            assert re.search(rf"^(# )?{key} = ", part, re.MULTILINE), f"{section}.{key}"


def test_the_file_for_services_says_the_same() -> None:
    explained = template("").partition("\n[http]\n")[2].partition("\n#\n# [[sources]]")[0]

    assert explained
    assert explained in (ROOT / "deploy" / "kzfeed.toml").read_text("utf-8")


def test_a_file_that_exists_is_never_changed(tmp_path: Path) -> None:
    (tmp_path / "kzfeed.toml").write_text("mine")

    done = kzfeed(tmp_path, "init")

    assert (done.returncode, (tmp_path / "kzfeed.toml").read_text()) == (2, "mine")
    assert "kzfeed.toml is there already" in done.stderr


def test_what_comes_next_can_be_typed_as_printed(tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()

    said = at_terminal(["init", "a folder/mine.toml"], tmp_path, clean_environment(TERM="xterm", NO_COLOR="1"))

    assert "kzfeed --config 'a folder/mine.toml' config check" in said
    assert max(map(len, said.splitlines())) <= 80
    assert kzfeed(tmp_path, "--config", "a folder/mine.toml", "config", "check").returncode == 0


def test_the_file_is_written_where_the_other_commands_look_for_it(tmp_path: Path) -> None:
    said = kzfeed(tmp_path, "init", KZFEED_CONFIG="variable.toml").stdout
    assert "kzfeed config check" in said

    said = kzfeed(tmp_path, "init", "--config", "option.toml").stdout
    assert f"kzfeed --config {tmp_path}/option.toml config check" in said

    assert {each.name for each in tmp_path.iterdir()} == {"variable.toml", "option.toml"}


# --- config check ----------------------------------------------------------------------------------------------------


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    status, lines = check(
        tmp_path,
        '[http]\ntimout = "3s"\n\n'
        + SOURCE
        + 'bearer = { file = "nowhere" }\ntls_ca = "no.pem"\n[[sources]]\nname = "bbc"\nurl = "https://E.EXAMPLE/feed"\n'
        + 'cron = "0 0 30 2 *"\nevry = "1h"\n',
    )

    assert status == 2
    assert lines[0] == "mistake: FILE, line 2: http.timout = …: expected a known key (did you mean timeout?)"
    assert any(each.startswith("mistake: FILE, line 9: sources.bbc.cron = '0 0 30 2 *': expected ") for each in lines)
    assert any("sources.bbc.evry" in each and "did you mean every?" in each for each in lines)
    assert any("line 9: sources.bbc.url" in each and "sources[1] has this one (FILE, line 4)" in each for each in lines)
    assert any(each.startswith("mistake: FILE, line 4: sources.voa.bearer = …: expected a secret") for each in lines)
    assert any("sources.voa.tls_ca" in each and "certificates in PEM (No such file" in each for each in lines)
    assert lines[-1] == "6 mistakes: kzfeed does not start with this configuration"


def test_secrets_that_are_missing_are_mistakes(tmp_path: Path) -> None:
    status, lines = check(tmp_path, CONTACT + SOURCE + 'bearer = { file = "secret" }\ntls_ca = "no.pem"\n')

    assert (status, lines[-1][:10]) == (2, "2 mistakes")
    assert lines[0].startswith("mistake: FILE, line 5: sources.voa.bearer = …: expected a secret in the file ")


def test_warnings_are_counted_and_leave_the_exit_status_at_0(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    (tmp_path / "secret").chmod(0o644)

    status, lines = check(
        tmp_path,
        '[database]\nurl = "sqlite:///kzfeed.db"\n[http]\nmin_interval = "20m"\n'
        + SOURCE
        + 'every = "5m"\nbearer = { file = "secret" }\n',
    )

    assert status == 0
    assert [line.partition(": expected")[0] for line in lines] == [
        "warning: FILE: http.contact = ''",
        "warning: FILE, line 2: database.url = 'sqlite:///kzfeed.db'",
        "warning: FILE, line 5: sources.voa.every = '5m'",
        "warning: FILE, line 5: sources.voa.bearer = …",
        "FILE: 1 source, no mistakes, 4 warnings",
    ]
    assert f"chmod 640 {tmp_path}/secret" in lines[3]


def test_a_fleet_without_postgresql_and_a_token_that_everybody_reads_are_warnings(tmp_path: Path) -> None:
    file = tmp_path / "kzfeed.toml"
    file.touch()
    file.chmod(0o644)

    status, lines = check(tmp_path, CONTACT + '[fleet]\nservers = ["nats://n.example"]\ntoken = "s3cret"\n' + SOURCE)

    assert status == 0
    assert [line.partition(" = ")[0].partition(": fleet")[2] for line in lines[:2]] == [".servers", ".token"]
    assert "expected database.url with PostgreSQL" in lines[0]
    assert f"chmod 640 {file}" in lines[1].replace("FILE", str(file))
    assert "s3cret" not in "".join(lines)


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False)])
def test_a_password_in_a_file_that_everybody_reads_is_a_warning(tmp_path: Path, mode: int, warned: bool) -> None:
    file = tmp_path / "kzfeed.toml"
    file.touch()
    file.chmod(mode)

    status, lines = check(tmp_path, CONTACT + SOURCE.replace("://", "://name:word@"))

    assert (status, len(lines)) == (0, 2 if warned else 1)
    assert "word" not in "".join(lines)


def test_a_good_configuration_is_said_to_be_good_and_nothing_is_made(tmp_path: Path) -> None:
    assert check(tmp_path, CONTACT + SOURCE) == (0, ["FILE: 1 source, no mistakes, no warnings"])
    assert [each.name for each in tmp_path.iterdir()] == ["kzfeed.toml"]


def test_a_variable_is_named_as_the_place_of_its_value(tmp_path: Path) -> None:
    status, lines = check(tmp_path, CONTACT + SOURCE, KZFEED_DATABASE_URL="sqlite:///here.db")

    assert status == 0
    assert lines[0].startswith("warning: environment variable KZFEED_DATABASE_URL: database.url = 'sqlite:///here.db'")


def test_an_option_is_named_as_the_place_of_its_value(tmp_path: Path) -> None:
    (tmp_path / "kzfeed.toml").write_text(CONTACT + SOURCE)

    done = kzfeed(
        tmp_path, "config", "check", "--database", "sqlite:///here.db", KZFEED_DATABASE_URL="sqlite:///there.db"
    )

    assert done.stdout.startswith("warning: --database: database.url = 'sqlite:///here.db'")
