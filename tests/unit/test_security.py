"""The promises of SECURITY.md that a machine can check."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "dvae_core").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py"))]
OPENS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def settings() -> dict:
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def test_the_server_is_local_silent_and_says_no_tracebacks():
    s = settings()
    assert s["server"]["address"] == "127.0.0.1"
    assert set(s["server"]["allowedHosts"]) <= {"localhost", "127.0.0.1"}
    assert s["browser"]["gatherUsageStats"] is False
    assert s["client"]["showErrorDetails"] in ("type", "none", False)
    assert s["client"]["showErrorLinks"] is False
    # on by default; nothing here may turn them off
    assert s["server"].get("enableXsrfProtection", True) is True
    assert s["server"].get("enableCORS", True) is True


def is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def dangers(source: str) -> list[int]:
    """Return the lines of a Python source that load code from data, run a shell or put HTML on a page."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        found = False
        if isinstance(node, ast.Import):
            found = bool(OPENS_CODE & {a.name.split(".")[0] for a in node.names})
        elif isinstance(node, ast.ImportFrom):
            found = (node.module or "").split(".")[0] in OPENS_CODE
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {k.arg: k.value for k in node.keywords}
            found = (
                called in ("eval", "exec", "torch.load", "pd.read_pickle", "os.system")
                or (called in ("np.load", "numpy.load") and not is_false(given.get("allow_pickle")))
                or any(name in given and not is_false(given[name]) for name in ("shell", "unsafe_allow_html"))
            )
        if found:
            lines.append(node.lineno)
    return lines


def test_no_source_uses_a_function_that_can_run_code():
    assert len(SOURCES) > 100
    assert [f"{p.relative_to(ROOT)}:{line}" for p in SOURCES for line in dangers(p.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "source",
    [
        "import os, pickle", "from joblib.numpy_pickle import load", "eval('1')", "torch.load(p)", "np.load(p)",
        "np.load(p, allow_pickle=True)", "np.load(p, allow_pickle=choice)", "run(c, shell=True)",
        "st.markdown(t, unsafe_allow_html=allowed)",
    ],
)  # fmt: skip
def test_the_search_finds_what_can_run_code(source):
    assert dangers(f"x = 1\n{source}\n") == [2]
    assert dangers("np.load(p, allow_pickle=False); run(c, shell=False)") == []


def test_every_requirement_is_pinned():
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            line = line.split("#")[0].strip()
            assert not line or line.startswith("-r ") or "==" in line, f"{path.name}: {line}"
