"""What moves under the finger: explorer, sheet and rotor decode in the browser; store ships the decoder."""
