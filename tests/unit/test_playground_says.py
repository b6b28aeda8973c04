"""The sentence that each preset and each negative control of the playground ends in, as the page computes it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from pages.ui.talk import demos

SCRIPT = Path(__file__).parents[1] / "js" / "playground_sentence.js"
# The page trains 800 steps of eight seeds, to the same sentences. A seed gives the same run on every machine.
STEPS, MEMBERS = 300, 4
PRESETS = {
    "A VAE's seeds disagree": r"The seeds disagree.*The model sees x alone, so nothing can be concluded",
    "The diagonal bound picks axes": r"The seeds agree up to order, sign and scale.*the diagonal q has picked",
    "u comes to the rescue": r"The seeds agree up to order, sign and scale: u has determined the axes",
    "u that moves nothing": r"The seeds disagree.*U moves nothing, so nothing can be concluded",
    "Watch it move": r"The seeds agree up to order, sign and scale: time has determined the axes",
}
LONGER = {"The diagonal bound picks axes": {"steps": 800}}  # its axes come late, and its steps are cheap
CONTROLS = ["segments~1_prior~u", "kind~time_prior~shuffled", "kind~time_strength~0_prior~time"]


def sentence(node_path, **what):
    answer = subprocess.run(
        [node_path, str(SCRIPT)], input=json.dumps({"steps": STEPS, "members": MEMBERS, **what}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_reaches_its_sentence(name, node_path):
    assert re.match(PRESETS[name], sentence(node_path, preset=name, **LONGER.get(name, {}))["text"])


@pytest.mark.slow
@pytest.mark.parametrize("link", CONTROLS)
def test_a_negative_control_says_that_nothing_can_be_concluded(link, node_path):
    assert re.match(r"The seeds disagree.*nothing can be concluded", sentence(node_path, link=link)["text"])


@pytest.mark.slow
def test_a_broken_condition_is_named_and_lowers_the_score(node_path):
    whole, folded, alike = (
        sentence(node_path, link=link, members=2)
        for link in ("prior~u", demos.BROKEN["f folded"], demos.BROKEN["variances alike"])
    )
    assert "Condition" not in whole["text"]
    assert "Condition 2 is broken" in folded["text"]
    assert "Condition 4 is broken" in alike["text"]
    # .96, .55 and .80; a second seed's MCC differs by less than .1
    assert min(whole["mcc"]) - 0.1 > max(*folded["mcc"], *alike["mcc"])
