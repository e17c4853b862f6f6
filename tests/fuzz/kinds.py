"""All kinds of inputs that are drawn."""

from tests.fuzz import conversions, data_sets, model_yaml, weights, words

KINDS = [model_yaml.KIND, *data_sets.KINDS, *conversions.KINDS, weights.KIND, words.KIND]
