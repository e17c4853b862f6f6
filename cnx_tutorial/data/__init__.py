"""Blood-cell data sets: smears are drawn here, BCCD is real."""
