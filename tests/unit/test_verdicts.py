"""Sentences about a run: members, reference lines, agreement and conditions, as pages say them."""

import dataclasses
import shutil

import numpy as np

from dvae_core import runs
from dvae_core.analysis.agreement.record import Agreement
from dvae_core.analysis.verdicts import verdicts
from dvae_core.runs import Run


def shipped(name):
    return next(run for run in runs.examples() if run.id == name)


def test_a_run_that_beats_its_lines_and_one_that_does_not():
    ivae, vae = "\n".join(verdicts(shipped("talk-ivae"))), "\n".join(verdicts(shipped("talk-vae")))
    assert "8 of 8 members are good" in ivae
    assert "Every seed lies above every reference line." in ivae
    assert "Seeds agree up to order, sign, scale and offset in 56 of 56 ordered pairs." in ivae
    assert "Condition of the theorem, Noise: met" in ivae
    assert "Not every seed lies above every reference line" in vae
    assert "Seeds agree up to a rotation" in vae
    assert "Condition of the theorem" not in vae  # N(0, I) has none to check


def test_members_that_diverged_are_named_and_what_was_not_computed_is_not_claimed(tmp_path):
    shutil.copytree(shipped("talk-vae").path, tmp_path / "run", ignore=shutil.ignore_patterns("analysis", "SHA256SUMS"))
    run = Run(tmp_path / "run")
    run.set_status(failed_members=[2])
    lines = verdicts(run)
    assert "Member 2 (seed 2) diverged and enters no mean." in lines
    assert "7 of 8 members are good: 0, 1, 3, 4, 5, 6, 7." in lines
    assert "Not scored yet." in lines
    assert not any("agree" in line for line in lines)


def test_seeds_that_do_not_agree_are_reported_as_such(tmp_path):
    shutil.copytree(shipped("talk-vae").path, tmp_path / "run", ignore=shutil.ignore_patterns("SHA256SUMS"))
    run = Run(tmp_path / "run")
    found = Agreement.load(run, "agreement")
    assert found is not None
    dataclasses.replace(found, ladder=np.full_like(found.ladder, 0.5)).save(run, "agreement")
    assert "Seeds do not agree, not even up to a linear map." in verdicts(run)
