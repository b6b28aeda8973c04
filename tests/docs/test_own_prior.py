"""The how-to page's prior: it keeps the contract, trains, and is code that only DVAE_PLUGINS lets in."""

import re
import sys
import zipfile
from io import BytesIO

import pytest
import torch

from dvae_core import runs
from dvae_core.cli import main
from dvae_core.config import ConfigError, CustomPrior
from dvae_core.model import contract
from dvae_core.model.likelihoods import Poisson
from dvae_core.runs.archive import pack, unpack
from dvae_core.runs.run import RunError
from dvae_core.testing import check_likelihood, check_prior
from dvae_core.training.checkpoint import load_vae
from tests.helpers import ROOT

PAGE = (ROOT / "docs/how-to/new-likelihood-or-prior.md").read_text(encoding="utf-8")
MODULE, CHECK = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)[:2]


@pytest.fixture
def peaked(tmp_path, monkeypatch):
    """The page's module, importable as `peaked` and not yet allowed."""
    (tmp_path / "peaked.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv(contract.ALLOWED, raising=False)
    yield tmp_path
    sys.modules.pop("peaked", None)


def test_the_example_is_about_sixty_lines_and_keeps_the_contract(peaked):
    assert MODULE.count("\n") <= 60
    exec(CHECK, {})


def trained(folder, monkeypatch) -> runs.Run:
    monkeypatch.setenv(contract.ALLOWED, "other:Thing, peaked:Peaked")
    options = ["--data", "memories,n=200", "--model", "vae", "--prior", "peaked:Peaked", "--epochs", "1"]
    assert main(["train", *options, "--members", "2", "--out", str(folder / "run")]) == 0
    return runs.Run(folder / "run")


def test_it_trains_and_loads_where_it_is_allowed_and_only_there(peaked, monkeypatch):
    run = trained(peaked, monkeypatch)
    assert run.config.prior == CustomPrior(path="peaked:Peaked")
    assert load_vae(run).prior.log_scale.shape == (2, 2)
    monkeypatch.delenv(contract.ALLOWED)
    with pytest.raises(ConfigError, match="DVAE_PLUGINS=peaked:Peaked"):
        load_vae(run)


def test_code_that_is_not_allowed_is_not_even_imported(peaked, capsys):
    (peaked / "peaked.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    options = ["--data", "memories,n=200", "--model", "vae", "--prior", "peaked:Peaked", "--out", str(peaked / "run")]
    assert main(["train", *options]) == 2
    output = capsys.readouterr().err
    assert "if you trust it, set DVAE_PLUGINS=peaked:Peaked" in output
    assert "peaked" not in sys.modules


def test_a_zip_brings_no_code_even_where_its_path_is_allowed(peaked, monkeypatch):
    packed = pack(trained(peaked, monkeypatch))
    assert "run/config.json" in zipfile.ZipFile(BytesIO(packed)).namelist()
    with pytest.raises(RunError, match=r"peaked:Peaked.*train it here"):
        unpack(packed, peaked / "store")
    assert not list((peaked / "store").glob("*"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- math.log(2)\n\n    def kl", "\n\n    def kl", "integrates to"),
        ("return -torch.sign(z)", "return torch.sign(z)", "not the gradient"),
        ("precision = torch", "precision = -torch", "must be positive"),
        ("torch.log1p(-2 * side.abs())", "torch.log1p(-side.abs())", "sample"),
        ("self.log_scale[:, None])", "self.log_scale.mean(0, keepdim=True)[:, None])", "another member"),
        ("torch.zeros(p, d_z)", "torch.zeros(d_z)", "leading member axis"),
    ],
)
def test_the_check_finds_what_is_wrong(old, new, message):
    assert MODULE.count(old) == 1
    space: dict = {}
    exec(MODULE.replace(old, new), space)
    with pytest.raises(AssertionError, match=message):
        check_prior(space["Peaked"], d_z=2)


def test_a_likelihood_is_checked_against_its_own_gradient():
    x = torch.poisson(torch.full((20, 3), 2.0))
    check_likelihood(lambda p, d_x: Poisson(), x)

    class Wrong(Poisson):
        def fisher(self, x, f, second):
            gradient, information = super().fisher(x, f, second)
            return 2 * gradient, information

    with pytest.raises(AssertionError, match="not the gradient"):
        check_likelihood(lambda p, d_x: Wrong(), x)
