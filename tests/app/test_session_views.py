"""The report on a session that shares a prior, on the Agree page."""

from dvae_core.analysis.session.record import Session
from pages.ui import session_views

FOUND = Session(
    other="Monday", member=1,
    starts=[
        {"seed": 0, "is_mirror": False, "elbo": -9.5, "counts": True},
        {"seed": 1, "is_mirror": True, "elbo": -9.1, "counts": True},
        {"seed": 2, "is_mirror": False, "elbo": -99.0, "counts": False},
    ],
    cells=20, likeness=[[0.2, 0.9], [0.8, 0.1]], best=[1, 0], in_order=0.15, matched=0.85, next=0.85, own_in_order=0.1,
    own_matched=0.8, sign_free=[], elbo=-9.1, own_elbo=-9.0, price=0.1, price_error=0.02, statement="",
)  # fmt: skip


def test_the_partner_of_each_latent_is_marked():
    table = session_views.likeness_table(FOUND).splitlines()
    assert table[2] == "| z1 of Monday | 0.20 | **0.90** |"
    assert table[3] == "| z2 of Monday | **0.80** | 0.10 |"


def test_the_chosen_start_is_marked_and_a_lost_one_shown():
    table = session_views.starts_table(FOUND).splitlines()
    assert table[2:] == [
        "| seed 0 | -9.50 |", "| seed 1, mirror image | **-9.10** |", "| seed 2 | failed or stuck |",
    ]  # fmt: skip
