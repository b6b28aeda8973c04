"""Whether the seeds of a run agree with each other, and with those of another run."""
