"""Interactive figures: ES modules that decode in the browser, and the Python that writes their data.

The JavaScript does not depend on its host. Each component exports `mount({ element, data, onChange })`, which returns
`{ update, close }`; `explorer`, `rotor`, `sheet` and `linked` write `data`, and `modules.bundle` makes one script of a
component and a host's adapter. The decoder itself travels through the component `store`, as `decoder.pack` writes it.
`playground` needs neither data nor decoder: `playground/` draws its worlds and trains its models in the browser.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvae_core.live.notebook import explore, playground, recover, rotate

__all__ = ["explore", "playground", "recover", "rotate"]


def __getattr__(name: str) -> Any:
    """Load the notebook's widgets on first use: they need anywidget, which the app does not."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from dvae_core.live import notebook
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "traitlets"):
            raise
        raise ImportError(
            f"{name} draws in a notebook and needs anywidget: pip install 'dvae-core[notebook]'"
        ) from error
    return getattr(notebook, name)
