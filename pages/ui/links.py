"""Every parameter that a link can hold, in one list: its meaning, its pages, and its value if absent."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Parameter:
    """One query parameter.

    Attributes:
        name: Its name in the link.
        kind: Type of its value: "run", "data", "choice" (one of a few words), "number" or "text".
        pages: The pages that read it.
        about: Its meaning.
        default: The value that `value` returns without it; "" if the page, the data or the run decides.
        old: Its name in links of version 0.1.
    """

    name: str
    kind: str
    pages: tuple[str, ...]
    about: str
    default: str = ""
    old: str = ""


PARAMETERS = (
    Parameter("run", "run", ("all",), "The run that is shown"),
    Parameter("member", "number", ("all",), "The member of the population"),
    Parameter("data", "data", ("data", "train", "any_prior", "study"), "The data, as `data_from_text` reads it"),
    Parameter("to", "text", ("start",), "The page that a cold link asked for"),
    Parameter("stop", "choice", ("talk",), "The slide"),
    Parameter("talk_view", "choice", ("talk",), "The slide, or the presenter's notes", "slide"),
    Parameter("play", "text", ("playground",), "What is set in the playground, where it differs from its start"),
    Parameter("source", "choice", ("data",), "The kind of data"),
    Parameter("from_where", "choice", ("data",), "Where a file comes from"),
    Parameter("entry", "choice", ("data",), "The entry of the catalogue"),
    Parameter("data_view", "choice", ("data",), "The view of the data", "look", old="view"),
    Parameter("against", "choice", ("data",), "The u that x is drawn against"),
    Parameter("model", "choice", ("train",), "The model to train"),
    Parameter("range", "choice", ("traverse",), "The range of the sliders"),
    Parameter("mode", "choice", ("traverse",), "What is dragged"),
    Parameter("from", "choice", ("traverse",), "Where a traversal starts", "prior"),
    Parameter("u", "choice", ("traverse",), "The u whose prior is shown"),
    Parameter("given_z", "choice", ("traverse",), "What is shown of x given z: its mean, or one draw"),
    Parameter("plane", "text", ("rotate",), "The two latents that turn: 0-1"),
    Parameter("points", "choice", ("rotate",), "The points that are shown"),
    Parameter("angle", "number", ("rotate", "any_prior"), "The angle of rotation in degrees", "0"),
    Parameter("before", "text", ("rotate",), "Steps taken before the dial: reflect 0|turn 0 1 30"),
    Parameter("rotate_view", "choice", ("rotate",), "The view of the rotation", old="view"),
    Parameter("first", "choice", ("any_prior",), "The prior of the first latent", "uniform"),
    Parameter("second", "choice", ("any_prior",), "The prior of the second latent", "laplace"),
    Parameter("darmois", "choice", ("any_prior",), "The data of the Darmois construction"),
    Parameter("x1", "number", ("any_prior",), "Its first column", "0"),
    Parameter("x2", "number", ("any_prior",), "Its second column", "1"),
    Parameter("recover_view", "choice", ("recover",), "The view of the recovery", old="view"),
    Parameter("method", "choice", ("recover",), "The correlation", "pearson"),
    Parameter("beside", "run", ("recover", "agree"), "A second run to compare with"),
    Parameter("target", "choice", ("recover", "agree"), "What the latents predict"),
    Parameter("reader", "choice", ("recover",), "How they predict it", "linear"),
    Parameter("layers", "number", ("recover",), "Mixing layers of the nonlinear data", "3"),
    Parameter("follow", "number", ("agree",), "The member whose latents are followed", "0"),
    Parameter("along", "choice", ("agree",), "The axis whose order the units of a recording have", "0"),
    Parameter("conditions_view", "choice", ("conditions",), "A run and its u, or the noise", "run"),
    Parameter("dials", "text", ("bend",), "The angle, then the sliders in their order"),
    Parameter("ask", "choice", ("study",), "The question of a new study", "score"),
    Parameter("study", "text", ("study",), "The study that is shown"),
    Parameter("on", "choice", ("study",), "The data set of the study"),
    Parameter("score", "choice", ("study",), "The score that is drawn"),
    Parameter("blind", "choice", ("study",), "The score that needs no truth"),
)
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def value(name: str, default: str | None = None) -> str:
    """Return a parameter's text in the link, under its present or old name, or else `default`, or else the list's.

    Raises:
        KeyError: If the list above has no such parameter.
    """
    parameter = BY_NAME[name]
    query, absent = st.query_params, parameter.default if default is None else default
    return query.get(name, query.get(parameter.old, absent) if parameter.old else absent)
