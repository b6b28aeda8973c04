"""Tests, and the harnesses that inject faults, damage files and visit the app (`python -m tests.harness.NAME`)."""
