"""Inputs drawn at random, of eight kinds. `python -m tests.fuzz` tries thousands of each; test_fuzz.py a few in every run of the tests."""
