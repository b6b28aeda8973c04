"""Interactive posteriors on a page."""

from dvae_core.live.posterior import PosteriorState
from pages.ui.components.live_component import register

_view = register("posterior")


def posterior(state: PosteriorState, *, key: str) -> None:
    """Draw the examples of a record, and the posterior of the one that is pointed at. Nothing is sent to Python.

    Args:
        state: What to show.
        key: Unique on the page.

    Raises:
        ValueError: If x does not have one row for each example, or a number is not finite.
    """
    _view(key=key, data=[state.data()])
