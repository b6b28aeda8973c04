"""A page in one file: its text, the components on it, their decoders, and the script and styles that they need.

Every text is escaped here, so titles, names and notes cannot become HTML. A content security policy in the file forbids
any network request, and any script but its own.
"""

import base64
import hashlib
import html
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.export.plan import Plan, decode
from dvae_core.live import modules
from dvae_core.live.decoder import pack
from dvae_core.runs import files

HALF_IS_ENOUGH = 1e-3  # of the range of x: a quarter of the 256 levels of a screen
PAPER = "@media print { .dv button, .dv .hint { display: none; } }"


@dataclass(frozen=True)
class Live:
    """A component on the page.

    Attributes:
        component: Its module in dvae_core/live, without ".js".
        data: What it takes, as `ExplorerState.data` and the others return it.
        variants: A name, and the data that differ from `data`: radio buttons choose among them.
        label: What the radio buttons choose.
    """

    component: str
    data: Mapping[str, Any]
    variants: Sequence[tuple[str, Mapping[str, Any]]] = ()
    label: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure that does not move, as `figures.svg.chart` writes it (which escapes its texts)."""

    markup: str


@dataclass(frozen=True)
class Rows:
    """A table of texts: its caption, the names of the columns, and the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Facts:
    """Names with their values, and a long text that can be opened below them."""

    pairs: Sequence[tuple[str, str]]
    more: tuple[str, str] | None = None


Part = str | Live | Chart | Rows | Facts


@dataclass(frozen=True)
class Section:
    """A heading and its contents. With a question, an answer must be chosen before the parts appear.

    Attributes:
        title: The heading, "" for none; with a question, it is revealed with the parts.
        parts: Paragraphs (**bold** is understood), components, charts and tables, in order.
        chapter: A line above the heading.
        question: Asked first; "" for none.
        options: The answers to choose from.
    """

    title: str
    parts: Sequence[Part]
    chapter: str = ""
    question: str = ""
    options: Sequence[str] = ()


@dataclass(frozen=True)
class Decoder:
    """A decoder of the file: its bytes, and how far they change what it draws.

    Attributes:
        plan: Of the decoder; the components refer to it by its id.
        packed: Safetensors.
        dtype: "float16" or "float32".
        difference: Largest change of E[x|z] against the run's float32 weights, as a share of the range of x; measured.
    """

    plan: Plan
    packed: bytes
    dtype: str
    difference: float


@dataclass(frozen=True)
class Handout:
    """A page in one file.

    Attributes:
        title: Of the page.
        lead: Paragraphs under the title.
        sections: What follows.
        decoders: The decoders that the sections' components need.
        notes: What the command line and the button report about the file.
        is_wide: Whether it takes the whole width of the window: one screen, rather than a text to read.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    decoders: Sequence[Decoder] = ()
    notes: Sequence[str] = field(default=())
    is_wide: bool = False

    def html(self) -> str:
        """Return the file's text."""
        live: list[Live] = []
        body = "".join(_section(section, live) for section in self.sections)
        content = {
            "decoders": [base64.b64encode(each.packed).decode("ascii") for each in self.decoders],
            "styles": {name: f"{modules.style(name)}\n{PAPER}" for name in sorted({part.component for part in live})},
            "parts": [
                {
                    "id": f"part-{i}",
                    "component": part.component,
                    "label": part.label,
                    "data": part.data,
                    "variants": [{"label": name, "data": data} for name, data in part.variants],
                }
                for i, part in enumerate(live)
            ],
        }
        script = _script(sorted({part.component for part in live}))
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        policy = (
            f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
            "worker-src blob:"
        )
        data = json.dumps(files.plain(content), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        style = (modules.HERE / "page.css").read_text(encoding="utf-8")
        lead = "".join(f"<p>{_text(line)}</p>" for line in self.lead)
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,"><title>{html.escape(self.title)}</title><style>{style}</style></head>\n'
            f"<body{' class=wide' if self.is_wide else ''}><header><h1>{html.escape(self.title)}</h1>{lead}"
            "<noscript><p>The figures on this page need JavaScript.</p></noscript></header>"
            f"<main>{body}</main>\n"
            f'<script type="application/json" id="content">{data}</script>\n'
            f'<script type="module">{script}</script></body></html>\n'
        )

    def write(self, path: Path) -> int:
        """Write the file atomically, and return its size in bytes."""
        data = self.html().encode()
        files.write_atomically(path, data)
        return len(data)


def _script(components: Sequence[str]) -> str:
    """Return the script of a page with these components."""
    imports = "".join(f'import {{ mount as {name} }} from "./{name}.js";\n' for name in components)
    entry = f'{imports}import {{ start }} from "./page.js";\nstart({{ {", ".join(components)} }});\n'
    return modules.bundle(entry).replace("</script", "<\\/script")


def decoder(plan: Plan, z: Sequence[np.ndarray]) -> Decoder:
    """Return a decoder for the file: in float16 if that does not change its pictures, otherwise in float32.

    Args:
        plan: The decoder.
        z: For each member, the latents [k, d_z] at which the two are compared.
    """
    # "Enough" is decided by what is drawn, not by the weights: an overflow or a steep net shows in the pictures.
    with np.errstate(over="ignore", invalid="ignore"):
        halves = {name: tensor.astype("<f2").astype("<f4") for name, tensor in plan.tensors.items()}
        half = Plan(plan.tree, halves)
        whole = [decode(plan, m, rows) for m, rows in enumerate(z)]
        worst = max(float(np.abs(decode(half, m, rows) - whole[m]).max()) for m, rows in enumerate(z))
        span = max(float(x.max()) for x in whole) - min(float(x.min()) for x in whole)
    difference = worst / span if span > 0 else worst
    if difference < HALF_IS_ENOUGH:  # False for NaN
        return Decoder(plan, pack(plan.tree, plan.tensors, dtype="<f2"), "float16", difference)
    return Decoder(plan, pack(plan.tree, plan.tensors), "float32", 0.0)


def _section(section: Section, live: list[Live]) -> str:
    heading = f"<h2>{html.escape(section.title)}</h2>" if section.title else ""
    chapter = f'<p class="chapter">{html.escape(section.chapter)}</p>' if section.chapter else ""
    groups = itertools.groupby(section.parts, key=lambda part: isinstance(part, Chart))  # charts go side by side
    texts = ("".join(_part(part, live) for part in group) for _, group in groups)
    parts = "".join(f'<div class="charts">{text}</div>' if text.startswith("<figure") else text for text in texts)
    if not section.question:
        return f"<section>{chapter}{heading}{parts}</section>\n"
    options = "".join(
        f'<button type="button" aria-pressed="false">{html.escape(option)}</button>' for option in section.options
    )
    return (
        f'<section data-question>{chapter}<p class="question">{html.escape(section.question)}</p>'
        f'<div class="options" role="group" aria-label="Answers">{options}</div>'
        f'<div class="reveal" aria-live="polite">{heading}{parts}</div></section>\n'
    )


def _part(part: Part, live: list[Live]) -> str:
    if isinstance(part, str):
        return f"<p>{_text(part)}</p>"
    if isinstance(part, Live):
        live.append(part)
        return f'<div class="part" id="part-{len(live) - 1}"></div>'
    if isinstance(part, Chart):
        return part.markup
    if isinstance(part, Rows):
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in part.head)
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in part.rows)
        name = html.escape(part.caption)
        table = f"<table><tr>{head}</tr>{rows}</table>"
        above = f'<p class="quiet">{name}</p>' if name else ""
        return f'<div class="table" tabindex="0">{above}{table}</div>'
    pairs = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in part.pairs)
    more = ""
    if part.more is not None:
        name, text = part.more
        more = f'<details><summary>{html.escape(name)}</summary><pre tabindex="0">{html.escape(text)}</pre></details>'
    return f'<dl class="facts">{pairs}</dl>{more}'


def _text(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text))
