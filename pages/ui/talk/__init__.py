"""The talk: its slides, and the demonstration on each slide."""
