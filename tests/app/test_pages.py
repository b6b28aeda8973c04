"""Every page opens alone and through the router, with no run and with any run, and names what is wrong."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dvae_core import runs
from dvae_core.analysis.tables import shipped_study
from dvae_core.work import jobs
from tests.app.conftest import KINDS
from tests.headlines import HEADLINES
from tests.helpers import figures, page_text

ROOT = Path(__file__).parents[2]
SHOW_NO_RUN = ("start", "playground", "data", "bend", "study")


def check(at: AppTest, page: str) -> None:
    assert not at.exception, [e.message for e in at.exception]
    assert at.subheader[0].value == HEADLINES[page]


@pytest.mark.slow  # through the router without runs, and alone with runs, are default tests
@pytest.mark.parametrize("page", HEADLINES)
def test_a_page_run_alone_works_without_any_run(page, no_runs):
    check(AppTest.from_file(str(ROOT / f"pages/{page}.py"), default_timeout=60).run(), page)


@pytest.mark.parametrize("page", HEADLINES)
def test_a_page_run_alone_works_with_runs(page, store):
    check(AppTest.from_file(str(ROOT / f"pages/{page}.py"), default_timeout=60).run(), page)


@pytest.mark.parametrize("page", HEADLINES)
def test_a_page_through_the_router_works_without_any_run(page, no_runs, visit):
    check(visit(page), page)


def every_run() -> Iterator:
    """Pairs of a page and a kind of run; slow where the page shows no run, or shows a VAE as it shows an iVAE."""
    for page, kind in itertools.product(HEADLINES, KINDS):
        quick = kind == "ivae" or (kind != "vae" and page not in SHOW_NO_RUN)
        yield pytest.param(page, kind, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(("page", "kind"), list(every_run()))
def test_a_page_works_with_any_run(page, kind, store, visit):
    at = visit(page, run=kind)
    check(at, page)
    if (page, kind) != ("rotate", "one-latent"):  # that one says in a sentence that one latent cannot be rotated
        assert not at.error, [e.value for e in at.error]


def test_pages_that_need_a_run_point_to_training(no_runs, visit):
    for page in ("traverse", "rotate", "recover", "agree"):
        assert "Nothing is trained yet" in page_text(visit(page))


def test_one_latent_cannot_be_rotated_and_the_page_says_so(store, visit):
    assert "at least two latents" in visit("rotate", run="one-latent").error[0].value


def test_recover_says_when_the_truth_is_unknown(store, visit):
    assert "true factors of this data are unknown" in page_text(visit("recover", run="unknown-truth"))


def test_recover_draws_the_talks_figure_with_both_models(store, visit):
    at = visit("recover", run="ivae")
    panels = json.loads(at.get("bidi_component")[0].proto.json)[0]["panels"]
    assert [p["title"].partition(":")[0] for p in panels[2:]] == ["(c) iVAE, from x", "(d) VAE, from x"]
    assert all(p["points"] for p in panels)


def test_rotate_draws_the_curve_where_it_is_computed_and_offers_it_elsewhere(store, visit):
    at = visit("rotate", run="vae", member="0", angle="45")
    assert [f["data"][1]["name"] for f in figures(at)] == ["log p(x)"]
    at = visit("rotate", run="vae", member="1")
    assert not figures(at)
    assert any(b.label.startswith("Compute log p(x)") for b in at.button)


def test_a_link_to_a_run_that_is_gone_says_so_and_shows_another(store, visit):
    at = visit("traverse", run="no-such-run")
    check(at, "traverse")
    assert "no run called" in at.warning[0].value


def test_choices_are_written_into_the_link_and_read_from_it(store, visit):
    at = visit("traverse", run="vae", member="1", range="data")
    assert {box.label: box.value for box in at.selectbox if box.label in ("Run", "Member", "Range")} == {
        "Run": "vae", "Member": 1, "Range": "data",
    }  # fmt: skip
    at.selectbox(key="choice.member").select(0).run()
    assert at.query_params["member"] == "0"
    at.switch_page("pages/recover.py").run()
    assert at.selectbox(key="choice.run").value == "vae"  # the choice goes along


@pytest.mark.parametrize(
    "nonsense", [{"member": "99"}, {"angle": "NaN"}, {"angle": "x"}, {"plane": "7-9"}, {"to": "nowhere"}]
)
def test_nonsense_in_a_link_falls_back_to_the_default(nonsense, store, visit):
    at = visit(**{"page": "rotate", "run": "vae"} | nonsense) if "to" not in nonsense else visit("nowhere")
    assert not at.exception


@pytest.mark.slow
def test_a_damaged_run_is_named_and_does_not_hide_the_others(store, visit):
    (store / "vae" / "config.json").write_text("{ not json")
    for page in HEADLINES:
        at = visit(page)
        check(at, page)
    at = visit("runs", run="vae")
    assert "not valid JSON" in page_text(at)


def test_a_run_without_weights_yet_is_left_out_of_the_menu(store, visit):
    (store / "vae" / "weights.safetensors").unlink()
    at = visit("traverse", run="vae")
    check(at, "traverse")
    assert "vae" not in [option for option in at.selectbox(key="choice.run").options if option == "Run vae"]


def test_runs_can_be_renamed_and_deleted_after_confirmation(store, visit):
    at = visit("runs", run="vae")
    at.text_input(key="title.vae").set_value("My favourite").run()
    at.button(key="save.vae").click().run()
    check(at, "runs")
    assert runs.find("vae").title == "My favourite"
    assert (store / "vae").is_dir()
    at.button(key="delete.vae").click().run()
    check(at, "runs")
    assert not (store / "vae").exists()
    assert at.query_params.get("run") != "vae"


# --- training ---------------------------------------------------------------------------------------------------------


def test_start_makes_a_run_and_starts_its_worker(no_runs, visit, monkeypatch):
    started = []
    monkeypatch.setattr(jobs, "start", started.append)
    at = visit("train", data="sources,segments=3,per_segment=80", model="vae")
    at.number_input[0].set_value(2).run()
    next(b for b in at.button if b.label == "Start training").click().run()
    check(at, "train")
    (run,) = started
    assert (run.config.model_name, run.config.members, run.config.data.segments) == ("VAE", 2, 3)
    assert at.query_params["run"] == run.id


def test_a_second_session_can_keep_the_prior_of_a_run_of_the_same_u(store, visit):
    import numpy as np

    rng = np.random.default_rng(1)
    np.savez(store / "data" / "later.npz", x=rng.normal(size=(90, 4)), u=rng.normal(size=(90, 2)))
    at = visit("train", data="file,path=later.npz,rate_hz=10", model="ivae")
    box = next(b for b in at.selectbox if b.label == "Prior p(z|u) of")
    assert box.options[1:] == ["That of Run unknown-truth"]  # the only run whose u has these two columns
    box.set_value("unknown-truth").run()
    check(at, "train")
    labels = {w.label for w in (*at.selectbox, *at.number_input)}
    assert not {"Trained for", "Prior p(z|u)", "Latents"} & labels, labels
    shown = " ".join(block.value for block in at.code)
    assert '"start": "mirrored"' in shown
    assert f'"shared": "{store / "unknown-truth"}"' in shown


def test_the_form_refuses_an_ivae_without_u_with_a_message(store, visit):
    import numpy as np

    from dvae_core.data.dataset import Dataset
    from dvae_core.data.saved import save

    save(
        Dataset(name="plain", x=np.random.default_rng(0).normal(size=(50, 3)).astype("f4")),
        store / "data" / "plain.npz",
    )
    at = visit("train", data="file,path=plain.npz", model="ivae")
    check(at, "train")
    assert "needs an auxiliary variable" in at.warning[0].value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("new", "Nothing"),
        ("queued", "Waiting"),
        ("warming", "Loading"),
        ("running", "Step"),
        ("stopped", "Stopped"),
        ("failed", "Boom"),
        ("lost", "Gone"),
        ("finished", "steps in"),
    ],
)
def test_every_state_of_a_run_is_displayed(state, word, store, visit):
    run = runs.find("vae")
    message = {"failed": "Boom.", "lost": "Gone.", "warming": "Loading torch"}.get(state, "")
    run.set_status(state=state, pid=None, message=message, steps=100, step=40, seconds=3.0)
    at = visit("train", run="vae")
    check(at, "train")
    progress = " ".join(bar.proto.text for bar in at.get("progress"))
    assert word in page_text(at) + progress
    labels = [b.label for b in at.button]
    assert ("Stop" in labels) == (state in ("warming", "running"))
    assert ("Resume" in labels) == (state in ("stopped", "lost"))
    assert ("Retry" in labels) == (state == "failed")
    assert ("Start" in labels) == (state == "new")


@pytest.mark.parametrize("name", ["config.json", "status.json"])
def test_a_broken_run_is_displayed_too(name, store, visit):
    (store / "vae" / name).write_text("{ not json")
    at = visit("train", run="vae")
    check(at, "train")
    assert "Unreadable" in page_text(at)
    assert f"{name} of run vae is damaged" in page_text(at)


# --- data -------------------------------------------------------------------------------------------------------------


def test_a_dial_changes_the_data_and_the_link(no_runs, visit):
    at = visit("data", data="sources,segments=3,per_segment=80")
    assert at.number_input(key="data.sources.segments").value == 3
    at.number_input(key="data.sources.segments").set_value(4).run()
    check(at, "data")
    assert at.query_params["data"] == "sources,segments=4,per_segment=80"
    assert "4 labels" in [m.value for m in at.metric]


def test_a_csv_can_be_uploaded_chosen_and_trained_on(no_runs, visit):
    rows = "\n".join(f"{i % 7},{(i * 3) % 11},{(i * i) % 13},{'ab'[i % 2]}" for i in range(60))
    at = visit("data", source="file")
    at.get("file_uploader")[0].upload("../../evil name.csv", f"one,two,three,kind\n{rows}\n".encode(), "text/csv").run()
    check(at, "data")
    at.pills[1].select("kind").run()
    check(at, "data")
    assert "2 labels" in [m.value for m in at.metric]
    text = at.query_params["data"]
    assert text.startswith("file,path=uploads/evil-name-")
    assert sorted(p.parent for p in no_runs.rglob("*.csv")) == [no_runs / "data" / "uploads"]
    at.switch_page("pages/train.py").run()
    check(at, "train")
    assert at.selectbox(key="choice.data").value == text


@pytest.mark.parametrize(
    ("name", "contents", "word"),
    [
        ("page.csv", b"<!DOCTYPE html><html></html>", "web page"),
        ("empty.csv", b"", "empty"),
        ("broken.npz", b"PK\x03\x04 and then nothing", "npz"),
        ("text.csv", b"a,b\nhello,world\nso,on\n", "numbers"),
        ("gaps.csv", b"a,b\n1,2\n3,\n5,6\n", "b"),
    ],
)
def test_a_bad_file_is_one_sentence(name, contents, word, no_runs, visit):
    at = visit("data", source="file")
    at.get("file_uploader")[0].upload(name, contents, "application/octet-stream").run()
    check(at, "data")
    assert word in at.error[0].value
    assert "\n" not in at.error[0].value


@pytest.mark.parametrize(
    "kind", ["sprites,n=60,side=16", "faces,n=60,side=16,u=age", "neurons,tuning=place,per_segment=60"]
)
def test_data_drawn_here_is_shown(kind, no_runs, visit):
    at = visit("data", data=kind, source=kind.split(",")[0])
    check(at, "data")
    assert {m.label for m in at.metric} == {"Examples", "Dimensions of x", "u", "True factors"}
    for view in ("shape", "tuning", "hard"):
        at = visit("data", data=kind, source=kind.split(",")[0], view=view)
        check(at, "data")
    assert "Compute" in [b.label for b in at.button]


def test_a_split_in_the_link_reaches_the_training_form(no_runs, visit):
    text = "sources,segments=7,split=blocks"
    at = visit("data", data=text)
    check(at, "data")
    assert at.query_params["data"] == text
    at = visit("train", data=text)
    check(at, "train")
    assert next(s for s in at.selectbox if s.label == "Split").value == "blocks"


def test_gaps_and_outliers_are_cured_by_a_click_and_the_cure_is_in_the_link(no_runs, visit):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(80, 3)).round(3)
    table[5, 1] = 1e6
    text = "a,b,c\n" + "\n".join(",".join(map(str, row)) for row in table) + "\n,1,2\n"
    at = visit("data", source="file")
    at.get("file_uploader")[0].upload("gaps.csv", text.encode(), "text/csv").run()
    assert "1 values are missing" in at.warning[0].value
    next(c for c in at.segmented_control if c.label == "Drop").set_value("drop rows").run()
    check(at, "data")
    next(t for t in at.toggle if t.label.startswith("Clip")).set_value(True).run()
    check(at, "data")
    assert at.metric[0].value == "80"
    assert at.query_params["data"].endswith("missing=drop rows,clip=10.0")


def test_a_cure_for_missing_values_takes_the_place_of_the_warning(no_runs, visit, monkeypatch, tmp_path):
    monkeypatch.setenv("DVAE_DATA_ROOT", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    rows = np.random.default_rng(0).normal(size=(60, 3)).round(3).tolist()
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "mine" / "gaps.csv").write_text("\n".join(["a,b,c", ",0.5,1.0", *lines]))
    at = visit("data", source="file", data="file,path=root/gaps.csv")
    assert "1 values are missing" in page_text(at)
    assert "No missing values" not in page_text(at)
    (choice,) = [c for c in at.get("button_group") if c.label == "Drop"]
    choice.set_value("drop rows").run()
    text = page_text(at)
    assert "1 rows with a missing or infinite value are left out" in text
    assert "1 values are missing" not in text
    assert "What is left has no missing values" in text


def test_only_paths_inside_the_data_folder_can_be_named(no_runs, visit, monkeypatch, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "root" / "mine.csv").write_text("a,b\n1,2\n3,5\n4,4\n")
    ways = next(c for c in visit("data", source="file").segmented_control if c.label == "From")
    assert "Folder" not in ways.options
    monkeypatch.setenv("DVAE_DATA_ROOT", str(tmp_path / "root"))
    at = visit("data", source="file", from_where="folder")
    at.text_input(key="files.path").set_value("../secret.csv").run()
    assert "outside the data folder" in at.error[0].value
    at.text_input(key="files.path").set_value("mine.csv").run()
    check(at, "data")
    assert at.query_params["data"] == "file,path=root/mine.csv"
    at = visit("data", source="file", data="file,path=root/../secret.csv")
    assert "outside the data folder" in at.warning[0].value


# --- the server ------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # an import contract says the same of every import that is written down
def test_no_page_brings_torch_into_the_server(store):
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
manifests = manifest_scanner.scan_component_manifests()
manifest_scanner.scan_component_manifests = lambda: manifests  # read once, as in conftest.py
at = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=60).run()
for page in {list(HEADLINES)!r}:
    at.query_params["run"] = "vae"
    at.switch_page(f"pages/{{page}}.py").run()
    assert not at.exception, page
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# --- work and the store -----------------------------------------------------------------------------------------------


def test_the_queue_shows_what_waits_and_a_run_can_leave_it(store, visit):
    import os
    import socket

    for at, name in enumerate(("vae", "ivae")):
        runs.find(name).set_status(state="queued", pid=os.getpid(), host=socket.gethostname(), queued_at=float(at))
    at = visit("runs", run="digits")
    check(at, "runs")
    assert [b.label for b in at.button if b.label == "Leave the queue"] == ["Leave the queue"] * 2
    at.button(key="stop.vae").click().run()
    check(at, "runs")
    assert (store / "vae" / "STOP").exists()  # its server, wherever it is, takes it out


def test_a_run_goes_out_as_a_zip_and_comes_in_under_a_new_name(store, visit):
    from dvae_core.runs import archive

    data = archive.pack(runs.find("vae"))
    at = visit("runs")
    at.get("file_uploader")[0].upload("../../evil.zip", data, "application/zip").run()
    at.button(key="import.go").click().run()
    check(at, "runs")
    come = runs.find(at.query_params["run"])
    assert (come.title, come.status().state) == ("Run vae", "finished")
    assert come.path.parent == store
    at.get("file_uploader")[0].upload("x.zip", data[:100], "application/zip").run()
    at.button(key="import.go").click().run()
    assert "not a zip file of a run" in page_text(at)


def test_a_damaged_status_can_be_repaired_from_the_page(store, visit):
    (store / "vae" / "status.json").write_text('{"state": "finishee"}')
    at = visit("runs", run="vae")
    check(at, "runs")
    assert "status.json of run vae is damaged" in page_text(at)
    next(b for b in at.button if b.label == "Repair").click().run()
    check(at, "runs")
    assert runs.find("vae").status().state == "finished"


def test_the_effective_beta_stands_beside_the_betas_of_a_fixed_noise(visit):
    assert "2σ²β = 0.08, 0.32, 1.3, 5.1" in page_text(visit("traverse", run="digits-beta-vae", mode="betas"))
    at = visit("traverse", run="digits-beta-vae", mode="sliders")
    assert "2σ²β" not in page_text(at)
    printed = [draw() for draw in at.session_state["canvases"].values()]  # its canvases for print, decoded in Python
    assert len(printed) == 3
    assert all(figure.data for figure in printed)


def test_agree_opens_with_a_comparison_that_exists(tmp_path, monkeypatch, visit):
    """Whichever shipped run a link names: no page of a shipped run opens with a button in the place of a picture."""
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path / "runs"))
    for run in ("talk-vae", "talk-ivae"):
        at = visit("agree", run=run)
        assert not at.exception
        assert not [b.label for b in at.button if b.label.startswith(("Compare the seeds", "Compare the two runs"))]


def test_the_study_page_opens_with_a_shipped_study(tmp_path, monkeypatch, visit):
    """Every model of the form's defaults is in it, scored, and no model of another study."""
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path / "runs"))
    at = visit("study")
    assert not at.exception
    table = shipped_study()
    assert f"came with the software**: {len(table)} models" in page_text(at)
    assert f"**{len(table)} models** in " in page_text(at)  # what Start would train
    assert table["mcc"].between(0, 1).all()
    assert len(at.get("plotly_chart")) >= 3


@pytest.mark.parametrize("run", ["digits-beta-vae", "talk-vae"])
def test_traverse_shows_one_draw_of_x_in_place_of_its_mean(run, visit):
    def rebuilt(at):
        assert not at.exception, [e.message for e in at.exception]
        parts = [part.proto for part in at.get("bidi_component")]
        sheets = [json.loads(part.json)[0] for part in parts if part.component_name == "dvae_sheet"]
        return next(row for sheet in sheets for row in sheet["rows"] if row["label"] == "reconstruction")

    mean = rebuilt(visit("traverse", run=run))
    draw = rebuilt(visit("traverse", run=run, given_z="draw"))
    assert (mean["x"], draw["z"]) == (None, None)  # the mean is decoded in the browser
    assert mean["z"]
    assert draw["x"]
