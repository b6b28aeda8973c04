"""One page a query, ?page=NAME, for the components' tests. Every decoder is small, its numbers the same every time."""

from itertools import pairwise

import numpy as np
import streamlit as st

from dvae_core import runs
from dvae_core.export.plan import decoder_plan
from dvae_core.live.explorer import Cloud, ExplorerState
from dvae_core.live.rotor import RotorState
from dvae_core.live.sheet import Cells
from pages.ui.components.explorer import explorer, set_latent
from pages.ui.components.rotor import rotor
from pages.ui.components.sheet import sheet
from pages.ui.components.store import ship

st.set_page_config(layout="wide")


def decoder(name, d_z, d_x, x_shape=None, likelihood="gaussian", members=2, op=None):
    rng = np.random.default_rng(len(name))
    sizes = [d_z, 32, 32, d_x]
    ops, tensors = [{"op": "start"}], {}
    for i, (a, b) in enumerate(pairwise(sizes)):
        tensors |= {f"w{i}": rng.normal(0, 1.5 / a**0.5, (members, a, b)), f"b{i}": rng.normal(0, 0.2, (members, b))}
        ops.append({"op": "linear", "weight": f"w{i}", "bias": f"b{i}", "shared": False})
        if i < 2:
            ops.append({"op": "act", "name": "xtanh"})
    if x_shape:
        ops.append({"op": "sigmoid"})
    if likelihood == "poisson":
        ops.append({"op": "exp"})
    if op:
        ops.append(op)
    plan = {"id": name, "members": members, "d_z": d_z, "d_x": d_x, "x_shape": x_shape, "likelihood": likelihood}
    return {**plan, "ops": ops}, tensors


def latents(d):
    rows = [{"index": i, "label": f"z{i + 1}", "kl": 2.0 - 0.5 * i, "dead": False} for i in range(d)]
    rows[-1] |= {"kl": 0.004, "dead": True}
    return rows


picture, plane = decoder("picture", 3, 16 * 16, [16, 16]), decoder("plane", 2, 2)
KINDS = {
    "mode": lambda: picture,
    "plane": lambda: plane,
    "bars": lambda: decoder("bars", 3, 5),
    "rates": lambda: decoder("rates", 3, 60, likelihood="poisson"),
}
rng = np.random.default_rng(0)
name = st.query_params.get("page")

if name == "explore":
    ship(*picture)
    ship(*picture)  # twice in one run is harmless
    ship(*plane)
    cloud = rng.normal(size=(500, 2))
    member = ["first", "second"].index(st.radio("Member", ["first", "second"]))
    st.button("Preset", on_click=set_latent, args=("one", [1.25, -0.5, 0.0]))

    @st.fragment
    def both():
        z = explorer(picture[0], ExplorerState(latents=latents(3), member=member), key="one")
        st.text(f"one = {z}")
        w = explorer(plane[0], ExplorerState(latents=latents(2), background=cloud), key="two")
        st.text(f"two = {w}")

    both()
elif name == "echo":  # a page that keeps the value in its address and passes it back as the start
    ship(*picture)
    z0 = st.session_state.get("kept", [0.5, 0.0, 0.0])
    z = explorer(picture[0], ExplorerState(latents=latents(3), z0=z0, filmstrip=False), key="echo")
    st.session_state["kept"] = z
    st.text(f"z0 = {z0}, z = {z}")
elif name == "play":
    ship(*picture)
    z = explorer(picture[0], ExplorerState(latents=latents(3), autoplay=True), key="play")
    st.text(f"z = {z}")
elif name == "change":
    which = st.radio("Decoder", ["picture", "other", "broken", "missing"])
    other = decoder("other", 3, 16 * 16, [16, 16])
    broken = decoder("broken", 3, 16 * 16, [16, 16], op={"op": "fourier"})
    missing = {**picture[0], "id": "missing"}, None
    chosen = {"picture": picture, "other": other, "broken": broken, "missing": missing}[which]
    if chosen[1]:
        ship(*chosen)
    explorer(chosen[0], ExplorerState(latents=latents(3)), key="change")
elif name.split("-")[0] in KINDS:  # KIND-MODE: all there is to move, of pictures, planes, few bars, many rates
    kind, mode = name.split("-")
    plan, tensors = KINDS[kind]()
    ship(plan, tensors)
    d, d_x = plan["d_z"], plan["d_x"]
    cloud = rng.normal(size=(40, d))
    member = {"kl_latent": [2, 1, 0.001][:d], "mu": [1, 0, 0][:d]}
    more = {"ends": [([-1, 0, 0][:d], rng.uniform(size=d_x)), ([2, 1, 0][:d], rng.uniform(size=d_x))], "plane": (0, 1)}
    more["members"] = [
        {"label": "seed 0", "beta": 4, "recon": 30.25, "kl": 3.5} | member,
        {"label": "seed 1", "beta": 1, "recon": 35.5, "kl": 9.0} | member,
    ]
    hues = {"hues": [k % 2 for k in range(40)], "labels": ["odd", "even"]} if kind != "mode" else {}
    if kind == "plane":
        more["background"] = rng.normal(size=(40, 2))
    if kind == "rates":
        more["x_names"] = [f"neuron {i + 1}" for i in range(d_x)]
        more["reference"] = rng.poisson(1.0, d_x)

    @st.fragment
    def modes():
        if st.checkbox("Other example") and "members" in more:
            more["members"] = [row | {"mu": [-1, 1, 0][:d]} for row in more["members"]]
        if st.checkbox("Show", True):
            state = ExplorerState(latents=latents(d), mode=mode, cloud=Cloud(z=cloud, **hues), run_id="a-run", **more)
            z = explorer(plan, state, key="modes", on_pick=lambda row: st.session_state.update(row=row))
            st.text(f"z = {z}")
        st.text(f"row = {st.session_state.get('row')}, side = {st.session_state.get('modes.side')}")

    modes()
    st.json(cloud.tolist(), expanded=False)
elif name == "picks":  # examples of a sheet move the sliders of an explorer
    for d in (picture, plane):
        ship(*d)
    at, at_plane = rng.normal(size=(6, 3)), rng.normal(size=(50, 2))
    z = explorer(picture[0], ExplorerState(latents=latents(3), filmstrip=False), key="picks")
    st.text(f"z = {z}")

    def go(row, z):
        st.session_state["picks"] = row
        set_latent("picks", z)

    rows = [Cells("held-out x", x=rng.uniform(size=(6, 256)), at=at), Cells("samples", z=-at, colour="prior")]
    sheet(picture[0], key="picks-sheet", rows=rows, on_pick=go)
    st.text(f"picked = {st.session_state.get('picks')}, at = {at.tolist()}")
    w = explorer(plane[0], ExplorerState(latents=latents(2), filmstrip=False), key="picks-plane")
    st.text(f"w = {w}")
    sheet(plane[0], key="plane-sheet", rows=[Cells("samples", z=at_plane)],
          on_pick=lambda row, z: set_latent("picks-plane", z))  # fmt: skip
elif name == "fall":  # an op that the browser does not know and the server does
    broken = decoder("broken", 3, 16 * 16, [16, 16], op={"op": "fourier"})
    ship(*broken)

    @st.fragment
    def fall():
        z = explorer(
            broken[0], ExplorerState(latents=latents(3)), key="fall", fallback=lambda z: np.full(256, z[0] / 3)
        )
        st.text(f"z = {z}")

    fall()
elif name.startswith("real-"):
    run = runs.find("digits-beta-vae")
    plan = decoder_plan(run)
    ship(plan.tree, plan.tensors)
    names = [{"label": f"member {m}"} for m in range(plan.tree["members"])]
    state = ExplorerState(
        latents=latents(8), z0=[0.5, -1, 0.25, 0, 1, 0, -0.75, 0], mode=name[5:], member=1, members=names, plane=(1, 4),
        run_id=run.id,
    )  # fmt: skip
    explorer(plan.tree, state, key="real")
elif name in ("rotate", "rotate-pictures", "rotate-prior", "rotate-neurons"):
    hues = rng.integers(0, 3, 2000)
    if name == "rotate":
        ship(*plane)
        plan, more = plane[0], {"points": rng.normal(size=(5000, 2))}
    elif name == "rotate-pictures":
        ship(*picture)
        plan, more = picture[0], {"points": rng.normal(size=(2000, 3)), "plane": (2, 0), "limit": 90}
        more |= {"hues": hues, "hue_labels": ["a", "<b>b</b>", "c"]}
    elif name == "rotate-neurons":
        neurons = decoder("neurons", 2, 60, likelihood="poisson")
        ship(*neurons)
        plan, more = neurons[0], {"points": rng.normal(size=(300, 2))}
    else:
        plan, more = None, {"twin": False, "points": rng.normal(size=(300, 3)), "base": np.diag([1, 1, -1])}

    @st.fragment
    def turn():
        st.text(f"angle = {rotor(plan, RotorState(**more), key='turn')}")

    turn()
elif name == "sheets":
    bars = decoder("bars", 2, 5)
    for d in (picture, plane, bars):
        ship(*d)
    sheet(
        picture[0],
        key="s1",
        rows=[Cells("held-out x", x=rng.uniform(size=(12, 256))), Cells("reconstruction", z=rng.normal(size=(12, 3)))],
    )
    sheet(
        plane[0],
        key="s2",
        rows=[
            Cells("data", x=rng.normal(size=(400, 2))),
            Cells("prior samples", z=rng.normal(size=(400, 2)), colour="prior"),
        ],
    )
    sheet(bars[0], key="s3", rows=[Cells("x", x=rng.normal(size=(8, 5)))], columns=4)
    names = ["a", "b", "c", "d", "<i>e</i>"]
    explorer(bars[0], ExplorerState(latents=latents(2), reference=[1, 2, 3, 4, 5], x_names=names), key="bars")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.text(f"script runs: {st.session_state['runs']}")
