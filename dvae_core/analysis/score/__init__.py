"""How well each member of a run does on the held-out rows, beside what needs no model at all."""
