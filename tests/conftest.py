"""What all tests share: the browser or its absence, seeds, hypothesis profiles, a guard over torch's global state."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import tests.lazy_beartype  # noqa: F401  the option --jaxtyping-packages in pyproject.toml names it

ROOT = Path(__file__).parent.parent
FIRST = (
    "tests/app", "tests/browser/test_main_job.py", "components", "tests/faults", "tests/unit/test_cli.py",
    "tests/unit/test_study.py", "tests/unit/test_jobs.py",
)  # fmt: skip
REQUIRED = os.environ.get("REQUIRE_BROWSER", "") not in ("", "0")
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "300s")  # its 30 s can be short on a busy machine
os.environ.setdefault("DVAE_WARM", "0")  # no test pays for a torch process that it does not ask for
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=25, database=None)
hypothesis.settings.register_profile("slow", deadline=None, max_examples=300, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def find_browser() -> str | None:
    """Return the path of the system's Chromium or Chrome, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _found(path: str | None, what: str) -> str:
    if path is None:
        message = f"{what} was not found; `make browser-deps` installs it where it may."
        (pytest.fail if REQUIRED else pytest.skip)(message)
    return path


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Path of Chromium; the test is skipped without one, and fails with REQUIRE_BROWSER=1."""
    return _found(find_browser(), "Chromium")


@pytest.fixture(scope="session")
def node_path() -> str:
    """Path of node; the test is skipped without one, and fails with REQUIRE_BROWSER=1."""
    return _found(shutil.which("node"), "node")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Turn garbage collection off during collection: it takes a third of that time. Never scan those objects again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def group(test: str) -> str:
    """Return which tests run in the same process as this one: those of its file, or those that share a server or runs.

    What a module or a session needs (a trained run, a server, a Chromium) is then made once and not by every process.
    """
    path = PurePosixPath(test.partition("::")[0])
    if path.name.startswith("test_component"):
        return "components"
    return str(path.parent) if path.parent.name in ("app", "faults") else str(path)


class ByGroup(LoadScopeScheduling):
    """Hand whole groups of tests to the processes."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    """Schedule by our groups: `--dist loadgroup` of xdist 3.8 sets a name that pytest 9.2 does not read any more."""
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups that take longest first (`make test` keeps this order).

    A browser test may take ten minutes: on a busy machine a page that opens in two seconds may take a hundred.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.timeout(600))
    items.sort(key=lambda item: FIRST.index(name) if (name := group(item.nodeid)) in FIRST else len(FIRST))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `seed` with seed 1 by default and with 0 to 9 under `make slow`."""
    if "seed" in metafunc.fixturenames:
        others = [pytest.param(s, marks=pytest.mark.slow) for s in (0, *range(2, 10))]
        metafunc.parametrize("seed", [1, *others])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the very last line what could not be tried for want of a browser or node."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    missing = [what for what, path in (("Chromium", find_browser()), ("node", shutil.which("node"))) if path is None]
    if missing and not REQUIRED:
        print(f"Browser tests were skipped: no {' and no '.join(missing)} found (`make browser-deps` installs it).")


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Make os.fsync do nothing: it matters only if the machine loses power, and costs some 10 ms for every file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def _torch_state() -> Iterator[None]:
    """Fail a test that leaves torch's default dtype, grad mode or determinism changed; put the threads back."""
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    yield
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if threads is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    left = {
        "default dtype": (torch.get_default_dtype(), torch.float32),
        "grad mode": (torch.is_grad_enabled(), True),
        "deterministic algorithms": (torch.are_deterministic_algorithms_enabled(), False),
    }
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    changed = [f"{name} is {now}, not {was}" for name, (now, was) in left.items() if now != was]
    if changed:
        pytest.fail("The test changed torch's global state: " + "; ".join(changed) + ".")
