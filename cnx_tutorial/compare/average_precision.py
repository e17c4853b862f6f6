"""Average precision in which every image has a weight: by size of the objects, and under other draws of the images.

Why: 87 validation images are a sample too. With other images the mAP would differ. How much it would differ is estimated by drawing the images again,
with replacement (the bootstrap): an image that is drawn twice has the weight 2, one that is not drawn 0. If all weights are 1, the numbers are
Ultralytics' own; a test checks this.
Source: ultralytics/utils/metrics.py (`compute_ap`, 101 points); COCO's areas, https://cocodataset.org/#detection-eval.
"""

import numpy as np

from cnx_tutorial.yolo.seen import Seen

# In square pixels of the image file.
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, float("inf"))}
RECALLS = np.linspace(0, 1, 101)
DRAWS = 1000
WORK = 3e8  # predictions times draws: about two minutes


def area_under(hit: np.ndarray, weight: np.ndarray, positives: float) -> float:
    """Area under the curve of precision over recall.

    Args:
        hit: whether each prediction is right, the most confident first, shape (P,).
        weight: how much each prediction counts, shape (P,).
        positives: sum of the weights of the true objects.
    """
    hit, weight = hit[weight > 0], weight[weight > 0]
    if not len(hit) or positives <= 0:
        return 0.0
    right = np.cumsum(hit * weight)
    recall, precision = right / (positives + 1e-16), right / np.cumsum(weight)
    recall = np.concatenate(([0.0], recall, [recall[-1], 1.0]))
    precision = np.concatenate(([1.0], precision, [0.0, 0.0]))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision at this recall or any above
    heights = np.interp(RECALLS, recall, envelope)
    return float(np.sum((heights[1:] + heights[:-1]) / 2) / (len(RECALLS) - 1))


def by_class(seen: Seen, weights: np.ndarray | None = None) -> np.ndarray:
    """AP of each class at each of ten IoU thresholds, shape (classes, 10); nan for a class without true objects (of any weight)."""
    return np.array(Sorted(seen)(np.ones(len(seen.images)) if weights is None else weights))


class Sorted:
    """The predictions of each class in the order of their confidence, ready to be weighted many times."""

    def __init__(self, seen: Seen):
        order = np.argsort(-seen.confidence)  # as Ultralytics sorts, so that equal confidences fall alike
        self.rows = []
        for kind in np.unique(seen.true_kind):
            chosen = order[seen.kind[order] == kind]
            hits = (seen.match[chosen] >= 0).astype(float)
            self.rows.append((seen.image[chosen], hits, seen.true_image[seen.true_kind == kind]))

    def __call__(self, weights: np.ndarray) -> list[list[float]]:
        found = []
        for image, hits, true_image in self.rows:
            positives, weight = weights[true_image].sum(), weights[image]
            kept = weight > 0
            found.append(
                [area_under(hit, weight[kept], positives) for hit in hits[kept].T]
                if positives > 0
                else [np.nan] * hits.shape[1]
            )
        return found


def by_size(seen: Seen) -> dict[str, float | None]:
    """mAP50-95 of small, medium and large objects; None where there is no such object.

    As in COCO's evaluation: objects of other sizes do not count, and neither do predictions that are matched to one of them, or that are matched to
    nothing and have another size themselves. The size is that of the box, in masks and keypoints too.
    """
    order = np.argsort(-seen.confidence)
    kind, area, match = seen.kind[order], seen.area[order], seen.match[order]
    scores = {}
    for name, (low, high) in SIZES.items():
        inside = (seen.true_area >= low) & (seen.true_area < high)
        own = (area >= low) & (area < high)
        hit = np.append(inside, False)[match]  # -1, matched to nothing, reads the last
        counts = np.where(match >= 0, hit, own[:, None])
        aps = [
            np.mean([
                area_under(hit[kind == k, j].astype(float), counts[kind == k, j].astype(float), positives)
                for j in range(match.shape[1])
            ])
            for k in np.unique(seen.true_kind)
            if (positives := (inside & (seen.true_kind == k)).sum())
        ]  # fmt: skip
        scores[name] = float(np.mean(aps)) if aps else None
    return scores


def redrawn(seen: Seen, task: str, draws: int = DRAWS) -> np.ndarray:
    """The score (mAP50-95; of a classifier top-1) for `draws` draws of the images with replacement, the same draws for every model, shape (draws,).

    Of large sets fewer draws are made, a hundred at least.
    """
    count = len(seen.images)
    draws = int(min(draws, max(100, WORK / max(1, len(seen.image)))))
    chance = np.random.default_rng(0)
    chosen = (np.bincount(chance.integers(0, count, count), minlength=count).astype(float) for _ in range(draws))
    if task == "classify":
        right = seen.kind.reshape(count, -1)[:, 0] == seen.true_kind
        return np.array([(right * weights).sum() / count for weights in chosen], dtype=np.float32)
    ready = Sorted(seen)
    return np.array([np.nanmean(np.nanmean(ready(weights), axis=1)) for weights in chosen], dtype=np.float32)
