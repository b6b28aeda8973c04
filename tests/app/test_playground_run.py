"""A run that was trained in the browser opens on every page."""

import pytest

from dvae_core import cli
from tests.helpers import check, page_text
from tests.unit.test_playground_saves_a_run import saved_by

PAGES = ("recover", "agree", "conditions", "rotate", "traverse", "runs", "train", "study")


@pytest.mark.slow  # a page at a time; that the folder is a whole run is tested by default
@pytest.mark.parametrize("page", PAGES)
def test_a_run_from_the_playground_opens(page, node_path, no_runs, tmp_path, visit):
    file = tmp_path / "saved.safetensors"
    saved_by(node_path, file)
    assert cli.main(["import-run", str(file), "--out", str(no_runs / "mine"), "--title", "From my phone"]) == 0
    at = check(visit(page, run="mine"))
    if page == "recover":
        assert "best bound of 3 members" in page_text(at)
