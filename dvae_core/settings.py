"""Declaring and checking settings: frozen dataclasses, values checked by pydantic, one sentence per error."""

import dataclasses
import difflib
import functools
from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin

import pydantic.dataclasses
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

Number = Annotated[float, Field(strict=True)]  # for the items of a list, where `setting` cannot require strictness
Name = Annotated[str, Field(strict=True)]
T = TypeVar("T", bound=type)


class ConfigError(ValueError):
    """An invalid setting, described in one sentence."""


def setting(
    default: Any,
    title: str,
    description: str = "",
    *,
    min: float | int | None = None,
    max: float | int | None = None,
    late: bool = False,
) -> Any:
    """Return a field with its default, the text that forms and the command line show, and its bounds.

    Values are not converted (text is not accepted as a number), except a list to a tuple and an integer to a float.
    A `late` field was added after runs had been made without it. At its default it does not affect `Config.key`.
    """
    strict = None if isinstance(default, str | tuple) else True  # lists become tuples, and text needs no conversion
    rules = {"strict": strict, "ge": min, "le": max}
    texts = {"title": title, "description": description, "late": late}
    return field(default=default, metadata=texts | {name: rule for name, rule in rules.items() if rule is not None})


def one_of(default: Any) -> Any:
    """Return a field that holds one class of a union. In JSON its `kind` selects the class."""
    return field(default=default, metadata={"discriminator": "kind"})


@dataclass_transform(frozen_default=True)
def settings(cls: T) -> T:
    """Make a class a frozen dataclass that raises a ConfigError for wrong values and unknown names."""
    checked: Any = pydantic.dataclasses.dataclass(
        cls, frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False)
    )
    check = checked.__init__

    @functools.wraps(check)
    def init(self: Any, *args: Any, **values: Any) -> None:
        try:
            check(self, *args, **values)
        except ValidationError as error:
            raise _in_one_sentence(error, checked, checked.__name__) from None

    checked.__init__ = init
    return checked


# --- reading and errors ---

TYPES = {"int_type": "int", "float_type": "float", "bool_type": "bool", "string_type": "str"}
RANGE = ("greater_than_equal", "less_than_equal", "finite_number")


def read(of: Any, tree: Any, where: str) -> Any:
    """Check a tree read from JSON. A ConfigError names the place in the tree."""
    try:
        return _adapter(of).validate_python(tree)
    except ValidationError as error:
        raise _in_one_sentence(error, of, where) from None


@functools.cache
def _adapter(of: Any) -> TypeAdapter:
    return TypeAdapter(of)


def _in_one_sentence(error: ValidationError, of: Any, where: str) -> ConfigError:
    """Return pydantic's first error as one sentence: the place, the expected value, and the actual one."""
    first: Any = error.errors(include_url=False)[0]
    kind, value, place = first["type"], first["input"], list(first["loc"])
    if kind == "value_error":
        return first["ctx"]["error"]  # raised by a __post_init__ above
    unknown = place.pop() if kind == "unexpected_keyword_argument" else None
    hint, rules = of, []
    for step in place:
        hint, rules = _unannotated(hint, rules)
        if known := kinds(hint):
            hint = known[step]  # pydantic includes the chosen kind in the path; JSON does not
        elif isinstance(step, int):
            where, hint, rules = f"{where}[{step}]", get_args(hint)[0], []
        else:
            found = hint.__pydantic_fields__[step]
            where, hint, rules = f"{where}.{step}", found.annotation, found.metadata
    hint, rules = _unannotated(hint, rules)
    if unknown is not None:
        return unknown_setting(where, unknown, list(hint.__pydantic_fields__))
    if known := kinds(hint):
        got = value.get("kind") if isinstance(value, dict) else None
        return ConfigError(f"{where}.kind must be one of {', '.join(known)}; got {got!r}.")
    if kind == "literal_error":
        return ConfigError(f"{where} must be one of {', '.join(map(str, get_args(hint)))}; got {value!r}.")
    if kind in TYPES:
        return ConfigError(f"{where} must be {TYPES[kind]}; got {value!r}.")
    if kind == "tuple_type":
        return ConfigError(f"{where} must be a list; got {value!r}.")
    if kind == "dataclass_type":
        return ConfigError(f"{where} must be an object; got {value!r}.")
    low, high = (next((getattr(r, name) for r in rules if hasattr(r, name)), None) for name in ("ge", "le"))
    if kind not in RANGE:
        return ConfigError(f"{where} is not valid ({first['msg']}); got {value!r}.")
    if high is not None:
        return ConfigError(f"{where} must be between {low} and {high}; got {value}.")
    needed = "finite" if kind == "finite_number" else f"at least {low}"
    return ConfigError(f"{where} must be {needed}; got {value}.")


def _unannotated(hint: Any, rules: list) -> tuple[Any, list]:
    """Return the bare type and its annotated rules."""
    if get_origin(hint) is not Annotated:
        return hint, rules
    return get_args(hint)[0], [rule for extra in hint.__metadata__ for rule in extra.metadata]


def kinds(hint: Any) -> dict[str, Any]:
    """Return the classes of a union of settings by kind, or {} for any other type."""
    classes = [c for c in get_args(hint) if dataclasses.is_dataclass(c)]
    return {get_args(c.__annotations__["kind"])[0]: c for c in classes}


def unknown_setting(where: str, name: str, known: Sequence[str]) -> ConfigError:
    """Return the error for a name that does not exist, with the nearest existing name."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}."
    return ConfigError(f"{where} has no setting {name!r}{hint}")
