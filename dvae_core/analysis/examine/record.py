"""The findings from all rows of a data set, computed once for data too large for a page. No torch."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dvae_core.analysis.records import ArrayRecord, TreeRecord
from dvae_core.axes import Codes
from dvae_core.config import Config
from dvae_core.data.care import Findings
from dvae_core.data.held_out import PARTS, Overview
from dvae_core.recipes import kind_of


@dataclass(frozen=True)
class Examined(TreeRecord):
    """The findings from all rows.

    Attributes:
        findings: The counts of `care.findings` as plain values.
        split: The record of the split, see `held_out.record`.
        components: Principal components of x above chance.
        n: Number of rows.
        configs: Settings that suit the data as JSON, by `recipes.kind_of`; {} in files of earlier versions.
        labels: Rows of each label of u; [] if u is numbers or absent.
    """

    findings: dict[str, Any]
    split: dict[str, Any]
    components: int
    n: int
    configs: dict[str, str] = field(default_factory=dict)
    labels: list[int] = field(default_factory=list)

    def config(self, model: str, goal: str | None) -> Config | None:
        """Return the settings that suit all rows, for one member; None if there are none for this model."""
        text = self.configs.get(kind_of(model, goal))
        return None if text is None else Config.from_json(text)

    @property
    def codes(self) -> Codes | None:
        """The codes of u in the order of labels, to count them; None if u is not labels."""
        return np.repeat(np.arange(len(self.labels)), self.labels) if self.labels else None

    def as_findings(self) -> Findings:
        """Return the findings as the page reads them."""
        lists = {key: tuple(self.findings[key]) for key in ("outlier_columns", "constant")}
        everything: Any = {**self.findings, **lists}
        return Findings(**everything)


@dataclass(frozen=True)
class ExaminedOverview(ArrayRecord):
    """`held_out.overview` as arrays; `stretches` has rows of (part as an index into `PARTS`, first row, end)."""

    x: np.ndarray  # [bins d]
    rows: np.ndarray  # [bins + 1]
    columns: np.ndarray  # [d]
    stretches: np.ndarray  # [k 3]
    u: np.ndarray | None = None  # [bins]

    @classmethod
    def of(cls, seen: Overview) -> "ExaminedOverview":
        """Return an overview as arrays."""
        spans = [(PARTS.index(part), *span) for part, found in seen.stretches.items() for span in found]
        return cls(seen.x.astype(np.float32), seen.rows, seen.columns, np.array(spans, np.int64).reshape(-1, 3), seen.u)

    def as_overview(self) -> Overview:
        """Return the overview that `of` was given."""
        stretches: dict[str, list[tuple[int, int]]] = {}
        for part, start, stop in self.stretches.tolist():
            stretches.setdefault(PARTS[part], []).append((start, stop))
        return Overview(self.x.astype(float), self.u, self.rows, self.columns, stretches)
