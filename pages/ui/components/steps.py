"""A slider through precomputed steps, on a page."""

from dvae_core.live.steps import StepsState
from pages.ui.components.live_component import register

_view = register("steps")


def steps(state: StepsState, *, key: str) -> None:
    """Draw a slider, and panels that follow it in the browser. Nothing is sent to Python.

    Args:
        state: What to show.
        key: Unique on the page.

    Raises:
        ValueError: If a panel does not have a value for every step, or a number is not finite.

    Example:
        angles = range(0, 91, 3)
        turned = np.stack([z @ rotation_matrix(2, a).T for a in angles])
        cloud = Cloud(title="Latents", points=turned, names=("z1", "z2"), role="latent")
        steps(StepsState(name="Angle", labels=[f"{a}°" for a in angles], panels=[cloud]), key="turned")
    """
    _view(key=key, data=[state.data()])
