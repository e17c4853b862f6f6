"""What the notebooks use: exercise checkers (`check`), their pictures (`figures`) and the recorder (`record`)."""
