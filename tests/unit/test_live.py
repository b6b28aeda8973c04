"""What is sent to the browser: one script per component, one palette, and data that are checked before sending."""

import json
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest

from dvae_core import figures
from dvae_core.live import linked, modules, sheet
from dvae_core.live.explorer import Cloud, ExplorerState
from dvae_core.live.linked import Panel
from dvae_core.live.rotor import RotorState
from dvae_core.live.sheet import Cells

ROOT = Path(__file__).parents[2]
PLAN = {"id": "p", "members": 2, "d_z": 3, "d_x": 2, "x_shape": None, "likelihood": "gaussian", "ops": []}
LATENTS = [{"index": i, "label": f"z{i + 1}", "kl": 1.0, "dead": False} for i in range(3)]


def state(**more) -> ExplorerState:
    return ExplorerState(latents=LATENTS, **more)


# --- modules


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explorer", "rotor", "sheet", "linked", "playground", "store"])
def test_a_component_is_one_script_that_imports_nothing(name, node_path, tmp_path):
    script = modules.bundle(f'import {{ mount }} from "./{name}.js";\nexport default mount;\n')
    assert "\nimport " not in script
    path = tmp_path / f"{name}.mjs"
    path.write_text(f"{script}\nconsole.log(typeof mount);", encoding="utf-8")
    found = subprocess.run([node_path, str(path)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "function"


def test_every_module_keeps_its_own_names_and_runs_once(node_path, tmp_path):
    (tmp_path / "palette.json").write_text('{"red": 1}', encoding="utf-8")
    (tmp_path / "count.js").write_text("const own = [];\nexport const count = () => own.push(0);\n", encoding="utf-8")
    a = 'import { count } from "./count.js";\nconst own = "a";\ncount();\nexport function name() {\n  return own;\n}\n'
    (tmp_path / "a.js").write_text(a, encoding="utf-8")
    entry = (
        'import {\n  count as calls,\n} from "./count.js";\nimport { name } from "./a.js";\n'
        'import palette from "./palette.json" with { type: "json" };\n'
        "console.log(JSON.stringify([name(), calls(), palette.red]));\n"
    )
    path = tmp_path / "out.mjs"
    path.write_text(modules.bundle(entry, tmp_path), encoding="utf-8")
    found = subprocess.run([node_path, str(path)], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == ["a", 2, 1]


def test_a_module_as_text_runs_by_itself_with_what_it_imports(node_path, tmp_path):
    (tmp_path / "two.js").write_text("export const two = 2;\n", encoding="utf-8")
    work = 'import { two } from "./two.js";\nglobalThis.found = [two, "\\"</script>\\u2028"];\n'
    (tmp_path / "work.js").write_text(work, encoding="utf-8")
    (tmp_path / "pool.js").write_text(
        'import work from "./work.js?text";\nexport const text = work;\n', encoding="utf-8"
    )
    entry = 'import { text } from "./pool.js";\n(0, eval)(text);\nconsole.log(JSON.stringify(found));\n'
    path = tmp_path / "out.mjs"
    path.write_text(modules.bundle(entry, tmp_path), encoding="utf-8")
    found = subprocess.run([node_path, str(path)], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == [2, '"</script>\u2028']


def test_comments_are_left_out_and_what_looks_like_one_in_a_line_of_code_stays():
    code = 'const a = "/** no comment */"; // stays\nconst b = /** @type {any} */ (a);\n/** @type {any} */ (b).c = 1;\n'
    text = f"// why\n/** one line */\n{code}  /**\n   * types\n   */\n  // why\n"
    assert modules.bundle(text) == code


def test_a_circle_of_imports_is_refused(tmp_path):
    for one, other in ("ab", "ba"):
        text = f'import {{ {other} }} from "./{other}.js";\nexport const {one} = 1;\n'
        (tmp_path / f"{one}.js").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.js is imported in a circle"):
        modules.bundle('import { a } from "./a.js";\n', tmp_path)


@pytest.mark.parametrize(
    "line", ["export default 1;", 'import "./b.js";', "export { x };", 'import * as b from "./b.js";']
)
def test_a_form_that_the_bundle_does_not_know_is_refused(line, tmp_path):
    (tmp_path / "a.js").write_text(f"const x = 1;\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.js has '(import|export)"):
        modules.bundle('import { x } from "./a.js";\n', tmp_path)


@pytest.mark.parametrize(
    "path", sorted(p for p in modules.HERE.rglob("*") if p.suffix in {".js", ".css"}), ids=lambda p: p.name
)
def test_a_component_knows_no_host(path):
    text = path.read_text(encoding="utf-8").lower()
    assert not [word for word in ("streamlit", "--st-", "setstatevalue", "parentelement") if word in text]


# --- colours


def test_the_theme_uses_the_palette_that_figures_and_components_read():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    assert theme["chartCategoricalColors"] == list(figures.HUES)
    assert theme["primaryColor"] == figures.COLOURS["data"]
    assert theme["dark"]["primaryColor"] == figures.COLOURS["prior"]
    readable = {"#000000": "#FFFFFF", "#6A51A3": "#9E8AD6", "#0072B2": "#56B4E9", "#56B4E9": "#0072B2"}
    assert theme["dark"]["chartCategoricalColors"] == [readable.get(hue, hue) for hue in figures.HUES]


@pytest.mark.parametrize(
    "path", sorted(modules.HERE.rglob("*.js")) + sorted(modules.HERE.glob("*.css")), ids=lambda p: p.name
)
def test_no_colour_of_the_palette_is_written_a_second_time(path):
    text = path.read_text(encoding="utf-8").upper()
    assert not [colour for colour in figures.HUES if colour in text and colour != "#000000"]


# --- data


def test_the_data_of_an_explorer_are_plain_json():
    data = state(cloud=Cloud(z=np.zeros((5, 3))), background=np.zeros((5, 2))).data(PLAN)
    assert json.loads(json.dumps(data)) == data
    assert data["paired"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"lo": 3.0, "hi": -3.0}, "lo must lie below hi"),
        ({"z0": [0.0, np.nan, 0.0]}, "z0 must be 3 finite numbers"),
        ({"member": 2}, "member must be 0 to 1"),
        ({"reference": [1.0]}, r"reference must be \[n, 2\]"),
        ({"mode": "between"}, "mode='between' needs two ends"),
        ({"mode": "twin", "plane": (1, 1)}, "mode='twin' needs a plane of two different latents"),
        ({"mode": "betas", "members": [{"label": "seed 0"}]}, "a row for each of 2 members; there are 1"),
        ({"cloud": Cloud(z=[[np.inf, 0, 0]])}, "cloud must be finite"),
    ],
)
def test_arguments_that_do_not_fit_an_explorer_give_one_sentence(more, message):
    with pytest.raises(ValueError, match=message):
        state(**more).data(PLAN)


def test_a_thinned_cloud_reports_the_row_that_the_caller_knows():
    cloud = Cloud(z=np.arange(15_000.0).reshape(5000, 3), hues=np.arange(5000))
    assert len(cloud.rows) == 2000
    data = state(cloud=cloud).data(PLAN)
    assert data["hues"] == cloud.rows.tolist()


def test_a_latent_of_unknown_kl_counts_as_dead_unless_its_member_has_no_kl_of_latents_at_all():
    rows = [{"label": "seed 0", "kl_latent": [0.0099, 0.01, float("nan")], "recon": float("nan")}, {"label": "seed 1"}]
    data = state(mode="betas", members=rows).data(PLAN)
    assert data["members"][0]["dead"] == [True, False, True]
    assert not any(data["members"][1]["dead"])  # a mixture prior: no latent has a KL of its own
    assert data["members"][0]["recon"] is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"points": np.zeros((0, 3))}, "points is empty"),
        ({"points": np.zeros((4, 3)), "plane": (0, 0)}, "plane must be two different latents"),
        ({"points": np.zeros((4, 3)), "base": 2 * np.eye(3)}, "base must be an orthogonal 3 x 3 matrix"),
        ({"points": np.zeros((4, 3)), "hues": [0.5] * 4}, "hues must be 4 integer codes"),
        ({"points": np.zeros((4, 3)), "x_points": np.zeros((3, 2))}, "x_points must have the 4 rows of points"),
    ],
)
def test_arguments_that_do_not_fit_a_rotor_give_one_sentence(more, message):
    with pytest.raises(ValueError, match=message):
        RotorState(**more).data(PLAN)


def test_a_rotor_starts_within_its_limit_and_needs_a_plan_for_its_twin():
    points = np.zeros((4, 3))
    assert RotorState(points=points, angle=400.0, limit=90.0).data(PLAN)["angle"] == 90.0
    with pytest.raises(ValueError, match="needs a plan"):
        RotorState(points=points).data(None)
    assert RotorState(points=points, twin=False).data(None)["plan"] is None


def test_a_row_of_a_sheet_has_either_x_or_z():
    with pytest.raises(ValueError, match="exactly one of x"):
        sheet.data(PLAN, [Cells("both", x=np.zeros((2, 2)), z=np.zeros((2, 3)))])
    data = sheet.data(PLAN, [Cells("samples", z=np.zeros((2, 3)))])
    assert data["rows"][0]["colour"] == "reconstruction"


def test_linked_panels_have_the_same_rows_and_numbers_are_cut_into_bins():
    with pytest.raises(ValueError, match="must have the 4 rows"):
        linked.data([Panel("a", np.zeros((4, 2))), Panel("b", np.zeros((3, 2)))])
    data = linked.data(
        [Panel("a", np.random.default_rng(0).normal(size=(60, 2)))], hues=np.arange(60.0), hue_labels=("t",)
    )
    assert np.bincount(data["hues"]).tolist() == [10] * 6
    assert data["name"] == "t"
