"""From runs to tables and arrays, a folder for each idea.

`<idea>/record.py` is what pages read: no torch, nothing slower than a file. `<idea>/compute.py` is what a worker
computes, into the run's folder. `table.py` lists the analyses and is imported by the worker alone. What several ideas
share lies beside them: `common.py`, `latents.py` and `tables.py` without torch, `encode.py` with it.
"""
