"""Turn runs into tables and arrays, with one folder for each idea.

`<idea>/record.py` is what pages read: no torch, nothing slower than reading a file. `<idea>/compute.py` is what a
worker computes and stores in the run's folder. `table.py` lists the analyses and is imported only by the worker. Code
shared by several ideas lies beside them: `common.py`, `latents.py` and `tables.py` without torch, `encode.py` with it.
"""
