"""What the Conditions page shows. No torch."""

import json
from pathlib import Path
from typing import Any


def study_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a study so far (see `worlds.train_all`); none where it has not begun."""
    try:
        return list(json.loads((folder / "analysis" / "study.json").read_text(encoding="utf-8")).values())
    except FileNotFoundError:
        return []
