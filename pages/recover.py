"""Stub."""
import streamlit as st
from pages.ui import page as ui
ui.start("recover", "Page recover", "lead")
run = ui.pick_run()
st.write("hello", run.id)
ui.foot("recover")
