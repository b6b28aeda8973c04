"""The Data page: every folder of the shared data opened by a real browser, as a user does, with the stated shapes."""

import re

import pytest

from tests.shared_data import SHARED, TABLE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not beside this checkout"),
]

TITLES = {"x": "x: the data", "u": "u: the auxiliary variable"}


@pytest.fixture(scope="module")
def url(new_server):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVAE_DATA_ROOT", str(SHARED))
        return new_server()


def choose(visitor, name: str, value: str) -> None:
    """Click a variable, or type its name where there are many."""
    page, label = visitor.page, TITLES[name]
    page.get_by_text(label).last.wait_for()
    visitor.settle()
    many = page.get_by_role("combobox", name=label)
    if many.count():
        many.click()
        many.fill(value)
        page.get_by_role("option", name=value, exact=True).click()
        page.keyboard.press("Escape")
    else:
        page.get_by_test_id("stButtonGroup").filter(has_text=label).get_by_text(value, exact=True).click()
    visitor.settle()


@pytest.mark.parametrize("stated", TABLE, ids=lambda stated: stated.where.replace("/", "-"))
def test_a_folder_opens_with_the_shapes_its_readme_states(url, visitor, stated):
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 1300})
    visitor.open(f"{url}/data?source=file&from_where=folder", "Data")
    path = page.get_by_role("textbox", name="File or folder")
    path.fill(stated.where)
    path.press("Enter")
    page.get_by_text("Roles of the variables").wait_for()
    visitor.settle()
    if "rows_are" in stated.how:
        page.get_by_test_id("stButtonGroup").get_by_text(stated.how["rows_are"], exact=True).click()
        visitor.settle()
    for name in ("x", "u"):
        if name in stated.how:
            choose(visitor, name, stated.how[name])
    if "bin_s" in stated.how:
        page.get_by_text("How it is read").click()
        width = page.get_by_role("spinbutton", name="Bin width").or_(page.get_by_role("textbox", name="Bin width"))
        width.fill(str(stated.how["bin_s"]))
        width.press("Enter")
        visitor.settle()
    visitor.drawn()
    page.get_by_text("Source", exact=True).scroll_into_view_if_needed()
    visitor.shot("data-" + re.sub(r"\W+", "-", stated.where))
    shown = visitor.metrics()
    assert shown["Examples"] == f"{stated.x[0]:,}"
    assert shown["Dimensions of x"] == (
        " × ".join(map(str, stated.pictures)) if stated.pictures else f"{stated.x[1]:,}"
    )  # fmt: skip
    if stated.u is None:
        assert shown["u"] == "none"
    else:
        assert (shown["u"].endswith(" labels")) == (len(stated.u) == 1)
    assert shown["True factors"] == ("unknown" if stated.z is None else str(stated.z[1]))
    page.get_by_text("About this data").click()
    page.get_by_text(re.compile(r"licence: ")).wait_for()
