"""The requirement files and the constraints say what the dependency groups of pyproject.toml say."""

import re
import runpy
import tomllib

import pytest

from tests.helpers import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "requirements.py"))
GROUPS = SCRIPT["groups"]()


@pytest.mark.parametrize(("group", "file"), SCRIPT["FILES"].items())
def test_each_group_is_its_requirements_file(group, file):
    assert (ROOT / file).read_text(encoding="utf-8") == SCRIPT["requirements"](GROUPS[group])


def test_every_group_has_a_file():
    assert set(GROUPS) == set(SCRIPT["FILES"])


def test_constraints_hold_every_version_of_the_groups_and_name_no_place_to_get_them_from():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]
    markers = r"( ; \((python_full_version|sys_platform)[^;]*\))?"  # only where Pythons need different versions
    assert all(re.fullmatch(rf"[a-z0-9-]+==[0-9][\w.]*{markers}", line) for line in lines)
    pinned = {
        re.sub(r"\[.*\]|;.*", "", item).lower() for group in GROUPS.values() for item in group if isinstance(item, str)
    }
    assert pinned <= set(lines)


def test_constraints_are_those_of_the_lock_and_the_lock_is_of_these_groups():
    assert (ROOT / "constraints.txt").read_text(encoding="utf-8") == SCRIPT["constraints"]()
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    (project,) = (package for package in lock["package"] if "registry" not in package["source"])
    for group, wanted in project["metadata"]["requires-dev"].items():
        pinned = {item["name"] + item["specifier"] for item in wanted}
        ours = {re.sub(r"\[.*\]|;.*", "", item).lower() for item in _with_included(group)}
        assert pinned == ours, f"run `uv lock`: the group {group} has changed"


def _with_included(group: str) -> list[str]:
    parts = GROUPS[group]
    return [
        item for part in parts for item in ([part] if isinstance(part, str) else _with_included(part["include-group"]))
    ]


def test_the_package_asks_for_what_the_group_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    names = {re.split(r"[\[=<>;]", item)[0] for item in wanted}
    groups = [item for name in ("run", "cluster", "dev") for item in GROUPS[name] if isinstance(item, str)]
    peers = (ROOT / "requirements-peers.txt").read_text(encoding="utf-8").splitlines()  # pynapple and pynwb
    assert names <= {re.sub(r"\[.*", "", item.partition("==")[0]) for item in [*groups, *peers]}
    assert names >= {item.partition("==")[0] for item in GROUPS["run"]}


def test_installing_beside_a_torch_changes_no_torch():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert "torch>=2.6" in dependencies  # no upper bound and no exact version: those are in constraints.txt


def test_the_version_is_the_same_everywhere():
    import dvae_core

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert dvae_core.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
