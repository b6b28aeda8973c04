"""Write requirements*.txt from the dependency groups of pyproject.toml, and constraints.txt from what is installed.

    .venv/bin/python scripts/requirements.py

A group that includes another becomes a file that includes the other's file. constraints.txt has the version of every
package that the groups need in turn, as installed beside this interpreter; the Makefile passes it to pip with -c. Run
this after changing a group and installing the new packages.
"""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

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


def installed(wanted: list[str]) -> dict[str, str]:
    """Return the installed version of every package that these requirements need in turn, by name."""
    versions: dict[str, str] = {}
    pending = [(Requirement(line), "") for line in wanted]
    seen = set()
    while pending:
        requirement, extra = pending.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        key = (name, frozenset(requirement.extras))
        if key in seen or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        seen.add(key)
        distribution = metadata.distribution(requirement.name)
        versions[name] = distribution.version.partition("+")[0]  # without the build's own mark, as in 2.13.0+cpu
        for line in distribution.requires or ():
            pending += [(Requirement(line), extra) for extra in ("", *requirement.extras)]
    return versions


def main() -> None:
    """Write all files."""
    known = groups()
    for name, file in FILES.items():
        (ROOT / file).write_text(requirements(known[name]), encoding="utf-8")
    versions = installed([item for group in known.values() for item in group if isinstance(item, str)])
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items()) if name not in UNPINNED]
    (ROOT / "constraints.txt").write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
