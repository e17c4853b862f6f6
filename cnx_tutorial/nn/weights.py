LoadReport = fold_input_normalisation = load_weights = None
