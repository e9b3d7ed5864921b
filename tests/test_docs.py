"""Documentation that goes out of date fails here."""

import re
from pathlib import Path

from dissco_platform.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[1]


def test_every_setting_is_documented() -> None:
    text = (REPOSITORY / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"`(DISSCO_[A-Z_]+)`", text))
    assert documented == {f"DISSCO_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        assert field.description and field.description in text, name


def test_links_between_documents_lead_somewhere() -> None:
    for page in [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").glob("*.md"),
        *(REPOSITORY / "examples").glob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http", "mailto")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_of_the_readme_exists() -> None:
    from typer.main import get_command

    from dissco_platform.cli.main import app

    command = get_command(app)
    text = (REPOSITORY / "README.md").read_text()
    for words in re.findall(r"^dissco ([a-z -]+?)(?= [a-z0-9./]*[-.0-9A-Z]| --|\s*#|$)", text, re.MULTILINE):
        group = command
        for word in words.split()[:2]:
            commands = getattr(group, "commands", None)
            if commands is None:
                break
            assert word in commands, f"dissco {words}"
            group = commands[word]


def test_the_makefile_has_the_targets_of_the_readme() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in ("help", "setup", "demo", "test", "ui", "check", "bench"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
