"""The list of what a link can hold: complete, without leftovers, one meaning a name, and old names still read."""

import ast
import re
from pathlib import Path

import pytest

from pages.ui import links
from pages.ui import page as ui
from pages.ui.page import CHAPTERS

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]


def used() -> set[str]:
    """Names of query parameters in the code of the pages: written out, or the values of a name in a loop."""
    found: set[str] = set()
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call):
                words = [k.value for k in node.keywords if k.arg == "param"]
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                of_query = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "st.query_params"
                if node.args and ((name in ("remember", "number") and "ui" in ast.unparse(node.func)) or of_query):
                    words.append(node.args[0])
                found |= {w.value for w in words if isinstance(w, ast.Constant)}
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "st.query_params":
                found |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
    return found


def test_every_parameter_that_a_page_uses_is_listed():
    names = used()
    assert len(names) > 20
    assert names - links.BY_NAME.keys() == set()


def test_every_listed_parameter_is_used_by_a_page():
    text = "\n".join(f.read_text(encoding="utf-8") for f in FILES if f.name != "links.py")
    loops = {"x1": 'f"x{k + 1}"', "x2": 'f"x{k + 1}"'}
    unused = [name for name in links.BY_NAME if not re.search(re.escape(loops.get(name, f'"{name}"')), text)]
    assert unused == []


def test_a_name_means_one_thing():
    assert len(links.BY_NAME) == len(links.PARAMETERS)
    pages = {page.name for chapter in CHAPTERS.values() for page in chapter} | {"all"}
    for parameter in links.PARAMETERS:
        assert set(parameter.pages) <= pages, parameter.name
        assert parameter.kind in ("run", "data", "choice", "number", "text"), parameter.name
    old = [(parameter.old, page) for parameter in links.PARAMETERS if parameter.old for page in parameter.pages]
    assert len(old) == len(set(old)), "an old name must mean one thing on a page"
    assert not {parameter.old for parameter in links.PARAMETERS} & links.BY_NAME.keys()


def test_links_of_version_0_1_are_read(monkeypatch):
    query = {"view": "hard", "angle": "30"}
    monkeypatch.setattr(links.st, "query_params", query)
    assert links.value("data_view", "look") == "hard"
    query["data_view"] = "columns"
    assert links.value("data_view") == "columns", "the present name wins"
    assert (links.value("angle", "0"), links.value("member", "3")) == ("30", "3")
    with pytest.raises(KeyError):
        links.value("view")


def test_what_a_link_leaves_out_has_the_value_of_the_list(monkeypatch):
    monkeypatch.setattr(links.st, "query_params", {})
    assert all(links.value(parameter.name) == parameter.default for parameter in links.PARAMETERS)
    assert (links.value("layers"), links.value("layers", "2")) == ("3", "2")
    monkeypatch.setattr(links.st, "query_params", {"angle": "400"})
    assert (ui.number("angle", 0.0, 90.0), ui.number("angle", 0.0, 90.0, 30.0)) == (0.0, 30.0)
