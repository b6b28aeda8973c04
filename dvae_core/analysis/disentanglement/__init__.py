"""MIG, DCI, SAP and related scores of one member."""
