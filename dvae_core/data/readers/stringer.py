"""The layout of Stringer & Pachitariu's recordings (2019): spontaneous activity with simultaneous behaviour.

Keys: Fsp (neurons, frames), beh.runSpeed, beh.pupil.area, beh.face.motionSVD (frames, components), db.nplanes.
"""

import dataclasses
from collections.abc import Callable

from dvae_core.data.readers.model import Part, Recording

FRAMES_HZ = 30.0  # frame rate of the microscope, shared by the planes: 10 planes give 3 Hz, 12 give 2.5 Hz
FACE = 3  # components of the face's motion that are used in u, beside running and pupil

_WORDS = {"db.mouse_name": "mouse", "db.date": "date", "db.stimulus": "stimulus"}


def known(recording: Recording, texts: Callable[[set[str]], dict[str, str]]) -> Recording:
    """Return the recording with this layout's axes, rate and u added, or unchanged if the layout is another."""
    have = {variable.name: variable for variable in recording.variables}
    if "Fsp" not in have or not any(name.startswith("beh.") for name in have):
        return recording
    frames = have["Fsp"].shape[1]
    u = [name for name in ("beh.runSpeed", "beh.pupil.area") if name in have]
    u += [f"beh.face.motionSVD[:{FACE}]"] if "beh.face.motionSVD" in have else []
    rate = None
    if "db.nplanes" in have:
        planes = float(recording.load({"db.nplanes": Part()})["db.nplanes"].ravel()[0])
        rate = FRAMES_HZ / planes if 1 <= planes <= 100 else None
    meta = {_WORDS[name]: text for name, text in texts(set(_WORDS)).items()}
    variables = [
        dataclasses.replace(v, note="neurons by frames, deconvolved") if v.name == "Fsp" else v
        for v in recording.variables
    ]
    return dataclasses.replace(
        recording, variables=variables, x=("Fsp",), u=tuple(u), rate_hz=rate, axes={"Fsp": 1}, n=frames,
        licence="CC BY-NC 4.0, where it is one of the published recordings",
        speed="beh.runSpeed" if "beh.runSpeed" in have else "",
        meta={"format": "Stringer & Pachitariu 2019, spontaneous activity", **meta},
    )  # fmt: skip
