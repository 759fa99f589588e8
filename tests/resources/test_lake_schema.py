"""Tables and views of a lake follow the project's SQL as far as no row has to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources import lake_schema, statements
from resources.errors import LakeError
from resources.lake import Lake, LakeSettings

Edit = Callable[[str, str], None]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Writes a file of a copy of ``sql``, which is then what the project asks for."""
    copy = tmp_path / "sql"
    shutil.copytree(statements.SQL_ROOT, copy)
    monkeypatch.setattr(statements, "SQL_ROOT", copy)

    def forget() -> None:
        for cached in (statements.statement, statements.names, lake_schema._wanted_columns):
            cached.cache_clear()

    def write(path: str, text: str) -> None:
        (copy / path).write_text(text)
        forget()

    write("tables/pets.sql", "CREATE TABLE pets (shard VARCHAR NOT NULL, name VARCHAR);")
    yield write
    forget()


def columns(settings: LakeSettings, view: str) -> list[str]:
    lake = Lake(settings)
    names = lake.schema(view).names
    lake.close()
    return names


def test_opening_again_changes_nothing(any_settings: LakeSettings):
    snapshots = []
    for _ in range(2):
        lake = Lake(any_settings)
        snapshots.append(lake.rows("last_snapshot"))
        lake.close()
    assert snapshots[0] == snapshots[1]


def test_a_new_column_that_may_be_null_is_added(any_settings: LakeSettings, edit: Edit):
    assert columns(any_settings, "pets") == ["shard", "name"]
    kind = "STRUCT(town VARCHAR, years INTEGER[])"
    edit("tables/pets.sql", f"CREATE TABLE pets (shard VARCHAR NOT NULL, home {kind}, name VARCHAR);")
    assert columns(any_settings, "pets") == ["shard", "name", "home"]


CHANGED = [
    ("shard VARCHAR NOT NULL, name BIGINT", "name"),
    ("shard VARCHAR NOT NULL, name VARCHAR NOT NULL", "name"),
    ("shard VARCHAR NOT NULL, name VARCHAR, age BIGINT NOT NULL", "age"),
    ("shard VARCHAR NOT NULL", "name"),
]


def test_any_other_change_of_a_table_is_refused(tmp_path: Path, edit: Edit):
    settings = LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/data")
    Lake(settings).close()
    for text, what in CHANGED:
        edit("tables/pets.sql", f"CREATE TABLE pets ({text});")
        with pytest.raises(LakeError, match=rf"another version of the project.*pets \({what}\)"):
            Lake(settings)
    edit("tables/pets.sql", "CREATE TABLE pets (shard VARCHAR NOT NULL, name VARCHAR);")
    assert columns(settings, "pets") == ["shard", "name"]


def test_a_view_follows_its_file(any_settings: LakeSettings, edit: Edit):
    edit("views/named_pets.sql", "CREATE VIEW named_pets AS SELECT name FROM lake.pets;")
    assert columns(any_settings, "named_pets") == ["name"]
    edit("views/named_pets.sql", "CREATE VIEW named_pets AS SELECT shard, name FROM lake.pets;")
    assert columns(any_settings, "named_pets") == ["shard", "name"]


def test_a_view_may_need_one_that_comes_after_it(tmp_path: Path, edit: Edit):
    settings = LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/data")
    edit("views/a_first.sql", "CREATE VIEW a_first AS SELECT * FROM lake.b_second;")
    edit("views/b_second.sql", "CREATE VIEW b_second AS SELECT name FROM lake.pets;")
    assert columns(settings, "a_first") == ["name"]


def test_a_view_of_nothing_is_named(tmp_path: Path, edit: Edit):
    edit("views/broken.sql", "CREATE VIEW broken AS SELECT * FROM lake.no_such_table;")
    with pytest.raises(LakeError, match="no_such_table"):
        Lake(LakeSettings(f"sqlite:{tmp_path}/catalog.sqlite", f"{tmp_path}/data"))
