"""Streamlit adapters of dvae_core.live: explorer, sheet, rotor and linked decode and draw in the browser."""
