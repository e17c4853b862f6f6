"""The honest comparison: the same work for every model, each with its own learning rate, several seeds, and a verdict that the intervals allow.

Read it in this order: question (what is asked), training (one training), engines (where they run), comparison (the order of things), verdicts (the
statistics), results and page (what is shown).
"""


def __getattr__(name: str):
    if name == "compare":  # imports ultralytics
        from cnx_tutorial.compare.comparison import compare

        return compare
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
