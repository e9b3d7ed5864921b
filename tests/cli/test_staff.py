"""`dissco staff` and `dissco registry grants`: who may act, told once, kept as a hash, ended at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dissco_platform.cli.main import app
from dissco_platform.enrolment import staff
from dissco_platform.errors import DisscoError
from dissco_platform.registry import open_registry


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DISSCO_HOME", str(tmp_path))

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        if isinstance(done.exception, DisscoError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


def test_a_token_is_told_once_and_kept_as_a_hash(run: Any, tmp_path: Path) -> None:
    token = json.loads(run("staff", "add", "anna", "--role", "officer", "--json"))["token"]
    assert token.encode() not in (tmp_path / "registry.sqlite").read_bytes()
    registry = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    with registry.read() as connection:
        person = staff.by_token(connection, token)
        assert person is not None and (person.name, person.role) == ("anna", "officer")
    again = run("staff", "add", "anna", "--role", "manager").strip().splitlines()[-1]
    with registry.read() as connection:
        assert staff.by_token(connection, token) is None and staff.by_token(connection, again) is not None
    (listed,) = json.loads(run("staff", "list", "--json"))
    assert (listed["role"], listed["revoked"]) == ("manager", None) and "token_hash" not in listed
    run("staff", "revoke", "anna")
    with registry.read() as connection:
        assert staff.by_token(connection, again) is None
    registry.close()


def test_mistakes_are_told_in_one_sentence(run: Any) -> None:
    for arguments, told in (
        (("staff", "add", "Anna!", "--role", "officer"), "cannot name a person"),
        (("staff", "add", "anna", "--role", "boss"), "'boss' is no role"),
        (("staff", "revoke", "nobody"), "There is no 'nobody'"),
        (("registry", "grants", "boss", "--login", "x"), "There is no role 'boss'"),
    ):
        with pytest.raises(DisscoError, match=told):
            run(*arguments)


def test_grants_are_printed_for_psql(run: Any) -> None:
    printed = run("registry", "grants", "desk", "--login", 'des"k')
    assert 'GRANT SELECT, INSERT ON audit TO "des""k";' in printed and "setting" not in printed
