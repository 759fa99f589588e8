"""Lakes on a SQLite catalog and, where there is a server, on a PostgreSQL one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.lake import Lake, LakeSettings
from tests.support.postgres_server import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer | None]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def any_settings(request: pytest.FixtureRequest, tmp_path: Path) -> LakeSettings:
    """Where an empty lake can be made; the test runs once per kind of catalog."""
    if request.param == "sqlite":
        return LakeSettings(f"sqlite:{tmp_path}/lake/catalog.sqlite", f"{tmp_path}/lake/data")
    server = request.getfixturevalue("postgres")
    if server is None:
        pytest.skip("no PostgreSQL server: set SAFETY_TEST_POSTGRES, or install postgresql")
    database = server.new_database(f"lake_{uuid.uuid4().hex[:12]}")
    return LakeSettings(f"postgres:{database}", f"{tmp_path}/lake/data")


@pytest.fixture
def any_lake(any_settings: LakeSettings) -> Iterator[Lake]:
    """An empty lake; the test runs once per kind of catalog."""
    opened = Lake(any_settings)
    yield opened
    opened.close()
