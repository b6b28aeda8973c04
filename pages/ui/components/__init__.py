"""Streamlit adapters of dvae_core.live: explorer, sheet, rotor and linked, which decode and draw in the browser."""
