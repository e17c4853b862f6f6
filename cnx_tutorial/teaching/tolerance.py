"""Say what was measured in words that are the same on every machine, as long as it lies where it should."""


def about(measured: float, stored: float, tolerance: float, digits: int = 2) -> str:
    """A measured number beside the one that was stored when the notebook was written.

    A training ends a little differently on every processor, so its last digits cannot be compared, and "above 0.3: True" hides the number.

    Args:
        measured: what this machine found.
        stored: what the machine found on which the notebook was written.
        tolerance: how far they may lie apart, in the same unit.
        digits: decimals to print.

    Returns:
        "0.45 ± 0.20" as long as the two are at most 0.20 apart; otherwise "0.71, and not 0.45 ± 0.20", so that a comparison of outputs fails.
    """
    expected = f"{stored:.{digits}f} ± {tolerance:.{digits}f}"
    return expected if abs(measured - stored) <= tolerance else f"{measured:.{digits}f}, and not {expected}"
