"""Real trainings in processes of their own, each with a fault at one moment. `python -m tests.faults` tries all; test_faults.py three of them."""
