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


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_source_uses_a_function_that_can_run_code(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not OPENS_CODE & {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in OPENS_CODE
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "torch.load", "pd.read_pickle", "os.system")
            given = {k.arg: k.value for k in node.keywords}
            if called in ("np.load", "numpy.load"):
                assert isinstance(given.get("allow_pickle"), ast.Constant)
                assert given["allow_pickle"].value is False
            shell = given.get("shell")
            assert shell is None or (isinstance(shell, ast.Constant) and shell.value is False)
            unsafe = given.get("unsafe_allow_html")
            assert unsafe is None or (isinstance(unsafe, ast.Constant) and unsafe.value is False)


def test_every_requirement_is_pinned():
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            line = line.split("#")[0].strip()
            assert not line or line.startswith("-r ") or "==" in line, f"{path.name}: {line}"
