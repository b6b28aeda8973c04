"""Whether the seeds of a run agree with each other, and with the seeds of another run."""
