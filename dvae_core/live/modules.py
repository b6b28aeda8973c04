"""From ES modules to the one string that a host wants: every module becomes a function that returns what it exports."""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
IMPORT = re.compile(
    r'^import (?:\{(?P<names>[^}]*)\}|(?P<default>\w+)) from "(?P<path>[^"]+)"(?: with \{[^}]*\})?;$', re.M
)
# Comments on separate lines: types and reasons. They are a third of the text.
COMMENT = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/[ \t]*|//[^\n]*)\n", re.M | re.S)
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|class|function) (\w+))", re.M)


def bundle(entry: str, folder: Path = HERE) -> str:
    """Return an ES module as one string that imports nothing.

    Understood are the forms that this folder uses: named imports, a default import of JSON, exported declarations, and
    a default import of "x.js?text", which is the module x.js with all that it imports as text, for a Web Worker.
    Comments on separate lines are left out.

    Args:
        entry: The text of the module.
        folder: Where its relative imports start.

    Raises:
        ValueError: If modules import each other in a circle, or use another form of import or export.
    """
    names: dict[Path, str] = {}  # of the modules that are done; empty while one is being read
    done: list[str] = []

    def linked(text: str, folder: Path) -> str:
        def constant(found: re.Match[str]) -> str:
            if found["path"].endswith("?text"):
                return f"const {found['default']} = {_text(folder / found['path'].removesuffix('?text'))};"
            wanted = found["default"] or f"{{{found['names'].replace(' as ', ': ')}}}"
            return f"const {wanted} = {value_of((folder / found['path']).resolve())};"

        return IMPORT.sub(constant, COMMENT.sub("", text))

    def value_of(path: Path) -> str:
        if path not in names:
            names[path] = ""
            text = path.read_text(encoding="utf-8")
            value = text.strip() if path.suffix == ".json" else _function(linked(text, path.parent), path.name)
            names[path] = f"module{len(done)}"
            done.append(f"const {names[path]} = {value};")
        if not names[path]:
            raise ValueError(f"{path.name} is imported in a circle; move what both sides need into a third module.")
        return names[path]

    body = linked(entry, folder)
    return "\n".join([*done, body])


def style(name: str) -> str:
    """Return the style that all components share, then the component's own."""
    return "\n".join((HERE / part).read_text(encoding="utf-8") for part in ("base.css", f"{name}.css"))


def _text(path: Path) -> str:
    return json.dumps(bundle(path.read_text(encoding="utf-8"), path.parent))


def _function(text: str, name: str) -> str:
    exports = ", ".join(EXPORT.findall(text))
    body = EXPORT.sub("", text)
    if other := re.search(r"^(?:import|export)\b.*", body, re.M):
        raise ValueError(f"{name} has {other[0]!r}; use named imports and exported declarations.")
    return f"(() => {{\n{body}\nreturn {{ {exports} }};\n}})()"
