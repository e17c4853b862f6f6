"""Checkers of the exercises, one module per notebook; learners reach them through `cnx_tutorial.teaching.check`."""
