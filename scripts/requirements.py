"""Write requirements*.txt from the dependency groups of pyproject.toml, and constraints.txt from uv.lock.

    uv lock
    .venv/bin/python scripts/requirements.py

A group that includes another becomes a file that includes the other's file. constraints.txt has the version of every
package in the lock; the Makefile passes it to pip with -c. Run both after changing a group.
"""

import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "run": "requirements.txt",
    "cluster": "requirements-cluster.txt",
    "docs": "requirements-docs.txt",
    "dev": "requirements-dev.txt",
}
UNPINNED = {"certifi"}  # root certificates: the newest are the safest
HEAD = "# Written by scripts/requirements.py; change the dependency groups of pyproject.toml instead.\n"


def groups() -> dict[str, list]:
    """Return the dependency groups of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]


def requirements(group: list) -> str:
    """Return a group as the text of its requirements file."""
    lines = [item if isinstance(item, str) else f"-r {FILES[item['include-group']]}" for item in group]
    return HEAD + "".join(f"{line}\n" for line in lines)


def locked() -> list[str]:
    """Return every package of uv.lock with its version; one with several versions has each Python's as a marker."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    known = [package for package in packages if "registry" in package["source"] and package["name"] not in UNPINNED]
    times = Counter(package["name"] for package in known)
    lines = []
    for package in known:
        line = f"{package['name']}=={package['version']}"
        if times[package["name"]] > 1:
            line += f" ; {' or '.join(f'({marker})' for marker in package['resolution-markers'])}"
        lines.append(line)
    return lines


def constraints() -> str:
    """Return the text of constraints.txt."""
    return HEAD + "".join(f"{line}\n" for line in locked())


def main() -> None:
    """Write all files."""
    known = groups()
    for name, file in FILES.items():
        (ROOT / file).write_text(requirements(known[name]), encoding="utf-8")
    (ROOT / "constraints.txt").write_text(constraints(), encoding="utf-8")


if __name__ == "__main__":
    main()
