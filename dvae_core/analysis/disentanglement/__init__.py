"""MIG, DCI, SAP and their kin for one member."""
