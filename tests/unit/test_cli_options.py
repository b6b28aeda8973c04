"""The options of the command line: those of the settings, every documented command, every spelling of version 0.1."""

import re
import shlex
from pathlib import Path

import pytest

from dvae_core import recipes
from dvae_core.cli import main, parser
from dvae_core.config import FileData, TrainConfig
from dvae_core.data.saved import save
from dvae_core.data.worlds.sources import sources

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = [
    command
    for document in DOCUMENTS
    for command in re.findall(
        r"^ *(?:\$ )?python -m dvae_core ((?:.*\\\n)*.*?)(?:\s+#.*)?$", document.read_text(encoding="utf-8"), re.M
    )
    if "--help" not in command
]
OLD = """
inspect a.mat --x spikes --u vel
inspect a.csv --x a,b c --rate 20 --rows 100 --bin 0.05 --smooth 0.1 --min-speed 2 --time t --z f
train --data a.mat --x spikes --u vel --z x y --split blocks --latents 4 --out DIR
train --data sprites,side=32,correlation=0.5 --model beta-vae --beta 8 --members 2 --seed 3 --out DIR
train --recipe talk-ivae --out DIR
train --resume DIR
train --data digits --likelihood poisson --posterior gauss-newton --encoder xu --epochs 3 --batch 16 --out DIR
train --data sources --prior learned --k 3 --lr 1e-3,1e-2 --optimiser muon --device cpu --out DIR
train --data sources --prior gaussian --modulate mean --objective released-ivae --samples 1 --out DIR
train --data sources --prior laplace --objective beta-tc --scheduler tcp://h:1 --out DIR
train --data a.npz --x x --u u --rate 20 --for axes --out DIR
train --data a.npz --x x --u u --rate 20 --for reading --latents 3 --members 8 --dropout 0.2 --start random --out DIR
sweep --out DIR
sweep --out DIR --data sources sprites,side=16 --models vae ivae,posterior=full --betas 1,2,4 --seeds 3 --full
sweep --out DIR --data a.npz --x x --u u --workers 2 --latents 3 --epochs 2 --batch 8 --lr 0.01 --device cpu
sweep --out DIR --data a.npz --split random --scheduler tcp://h:1
score DIR
score DIR --json
encode RUN --data a.csv --out z.csv
analyse RUN rotation --set plane=0-1 --set member_index=2
study --out DIR --seed 45
list DIR
fetch
fetch s1-reach
examples talk-ivae talk-vae --out DIR
""".strip().splitlines()


def test_there_are_documented_commands():
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("command", [*OLD, *COMMANDS])
def test_a_command_is_understood(command):
    message = shlex.split(command.replace("\\\n", " "))
    assert parser().parse_args(message).command


def test_options_mean_the_settings_they_are_named_after():
    given = parser().parse_args(shlex.split(OLD[1]))
    assert (given.rate_hz, given.rows, given.bin_s, given.smooth_s, given.min_speed) == (20.0, 100, 0.05, 0.1, 2.0)
    assert (given.x, given.z, given.time, given.clip) == (["a,b", "c"], ["f"], "t", None)
    given = parser().parse_args(shlex.split(OLD[7]))
    assert (given.k, given.lr, given.optimiser, given.device) == (3, (1e-3, 1e-2), "muon", "cpu")


def test_help_shows_the_texts_and_choices_of_the_settings(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for of, name in ((TrainConfig, "samples"), (FileData, "rate_hz"), (FileData, "min_speed")):
        about = of.__dataclass_fields__[name].metadata
        assert f"{about['title']}: {about['description']}".split(" (", 1)[0] in text
    assert "{diagonal,full,gauss-newton}" in text
    assert all(prior in text for prior in recipes.PRIORS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "0"], "batch must be between 1 and 1000000; got 0"),
        (["--epochs", "0"], "epochs must be between 1 and 100000; got 0"),
        (["--lr", "0"], "lr must be between 1e-07 and 1; got 0.0"),
        (["--prior", "learned", "--k", "0"], "k must be between 1 and 4; got 0"),
        (["--k", "0"], "--k is about the learned prior"),
        (["--model", "vae", "--k", "0"], "use them with --model ivae"),
        (["--rows", "0"], "rows must be at least 1; got 0"),
    ],
)
def test_zero_is_an_error_not_the_default(options, message, tmp_path, capsys):
    save(sources(segments=3, per_segment=20), tmp_path / "data.npz")
    arguments = ["train", "--data", str(tmp_path / "data.npz"), "--out", str(tmp_path / "run"), *options]
    assert main(arguments) == 2
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_sweep_needs_a_worker(tmp_path, capsys):
    assert main(["sweep", "--out", str(tmp_path / "s"), "--data", "sources", "--workers", "0"]) == 2
    assert "--workers must be at least 1; got 0" in capsys.readouterr().err


def test_cures_are_options_too(tmp_path, capsys):
    (tmp_path / "gaps.csv").write_text("a,b\n1,2\n3,\n5,6\n4,5\n", encoding="utf-8")
    assert main(["inspect", str(tmp_path / "gaps.csv")]) == 2
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "gaps.csv"), "--missing", "drop rows"]) == 0
    assert "rows with missing values dropped: 1" in capsys.readouterr().out
