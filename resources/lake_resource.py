"""The lake as a Dagster resource. The only module of the lake that imports dagster."""

from __future__ import annotations

import os
import threading

import dagster as dg
from pydantic import Field

from resources.lake import Lake, LakeSettings
from resources.profile import LakeProfile

__all__ = ["LakeResource"]

# Lakes of this process. The process id keeps a forked child from using its parent's connection.
_open: dict[tuple[int, LakeSettings], Lake] = {}
_opening = threading.Lock()


class LakeResource(dg.ConfigurableResource):
    """Where the lake is; :meth:`open` gives the one connection to it that this process shares."""

    catalog: str = Field(
        description="sqlite:PATH, or postgres:CONNECTION STRING with the password in PGPASSWORD or ~/.pgpass."
    )
    data_path: str = Field(description="Folder or object-store URL of the Parquet files.")
    memory_limit: str = Field(
        default="1GB", description="Memory that DuckDB may use before it spills to disk."
    )

    @classmethod
    def from_profile(cls, profile: LakeProfile) -> LakeResource:
        """The resource for the lake of a profile."""
        return cls(catalog=profile.catalog, data_path=profile.data_path, memory_limit=profile.memory_limit)

    def open(self) -> Lake:
        """The lake, opened on the first call in this process and shared by all threads after that.

        Raises:
            LakeError: it cannot be opened; the next call tries again.
        """
        settings = LakeSettings(self.catalog, self.data_path, self.memory_limit)
        key = (os.getpid(), settings)
        with _opening:
            if key not in _open:
                _open[key] = Lake(settings)
            return _open[key]
