"""The examples in the library's docstrings run and print what they say."""

import doctest
import importlib
import re

import pytest

from tests.helpers import ROOT

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "dvae_core").rglob("*.py")
    if re.search(r">>> (?!.*\+SKIP)", path.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    done = doctest.testmod(importlib.import_module(module))
    assert done.attempted > 0
    assert done.failed == 0  # what was printed instead is in the captured output
