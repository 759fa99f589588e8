"""Writing a page that readers may be looking at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["write_page"]


def write_page(html: str, path: Path) -> Path:
    """Write beside ``path`` and rename, so that readers see the old page or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(html)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
