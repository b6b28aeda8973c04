"""The data that the Conditions page shows. No torch."""

import json
from pathlib import Path
from typing import Any


def kinds_of_u(folder: Path) -> list[dict[str, Any]]:
    """Return one record per population so far (see `kinds_of_u.train_all`), oldest first; none before the first."""
    try:
        return list(json.loads((folder / "analysis" / "study.json").read_text(encoding="utf-8")).values())
    except FileNotFoundError:
        return []
