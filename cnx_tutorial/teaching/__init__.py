"""What the notebooks lean on: exercise checkers (`check`), their pictures (`figures`) and the recorder (`record`)."""
