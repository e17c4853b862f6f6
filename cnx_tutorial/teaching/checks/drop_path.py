"""The draws of drop path (notebook 03, exercise 3): random, so judged by what many of them have in common."""

import torch
from torch import Tensor

from cnx_tutorial.teaching.checks.observe import DEVICE, DTYPE
from cnx_tutorial.teaching.checks.runner import Mismatch, call, exercise, expect_callable


def numbers(*shape, seed=0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_factor(rows: Tensor) -> bool:
    return bool(((rows - rows[:, :1]).abs() < 1e-6).all())


LOOK = "a sample is either all zeros or x / (1 - drop_prob), and each has a draw of its own"
ANY_AXES = "that works for four axes alone; give the draw one for each axis of x: (N, 1, ...) with x.ndim axes"
DETACHED = "a .detach() or .data stands in the way: the gradient of what is kept is 1 / (1 - drop_prob)"


@exercise("a draw for each sample, the mean kept, nothing done outside training, any number of axes, gradients")
def drop_path(answer: object) -> None:
    """Check `drop_path(x, drop_prob, training)`: samples of x set to 0 or divided by 1 - drop_prob, in training."""
    expect_callable(answer, "function")
    torch.manual_seed(0)
    x = numbers(400, 3, 2, 2).abs() + 1
    use, learn = "outside training", "in training, with drop_prob=0.2"

    def run(x: Tensor, prob: float, training: bool, where: str, likely: str = "read the last line of the error") -> Tensor:
        before = x.clone()
        got = call(answer, x, prob, training, what=where, likely=likely)
        if not torch.equal(x, before):
            raise Mismatch("your code changed its input", "x as it was before the call", "other numbers in x", "an in-place operation (x -= ..., x.mul_()): write x = x * ...")
        return same_kind(got, x, where)

    in_use, runs = run(x, 0.2, False, use), [run(x, 0.2, True, learn) for _ in range(16)]
    if not torch.equal(in_use, x):
        likely = (
            "samples were dropped outside training: return x as it is"
            if (in_use == 0).any()
            else "x was scaled outside training: the division in training already keeps the mean, so return x as it is"
        )
        likely = "it drops outside training and not in training: training is True while the network learns" if torch.equal(runs[0], x) else likely
        raise Mismatch("x changes outside training", "x", "other numbers", likely)
    for ratio in (run / x for run in runs):
        if not one_factor(ratio.flatten(1)):
            likely = "single numbers were dropped (that is dropout); drop path keeps or drops a sample as a whole"
            likely = "whole channels were dropped; drop path keeps or drops a sample as a whole: shape (N, 1, 1, 1)" if one_factor(ratio.flatten(2).flatten(0, 1)) else likely
            raise Mismatch("samples are not kept as a whole", "one factor per sample", "several in one sample", likely)
    expect_share([run.flatten(1)[:, 0] != 0 for run in runs], keep=0.8)
    kept = torch.cat([(run / x)[run != 0] for run in runs])
    factor = kept[(kept - 1.25).abs().argmax()].item()
    if abs(factor - 1.25) > 1e-6:
        known = {
            "what is kept is not divided by 1 - drop_prob, so the mean sinks": 1.0,
            "what is kept was multiplied by 1 - drop_prob; divide by it, so that the mean stays": 0.8,
            "what is kept was divided by drop_prob; divide by the share that is kept, 1 - drop_prob": 5.0,
        }
        likely = next((said for said, value in known.items() if abs(factor - value) < 1e-6), LOOK)
        raise Mismatch("what is kept has the wrong size", "1.25 times x", f"{factor:.4g} times x", likely)
    if not torch.equal(run(x, 0.0, True, "with drop_prob=0"), x):
        raise Mismatch("x changes with drop_prob=0 in training", "x", "other numbers", "with drop_prob=0 nothing is dropped and nothing enlarged")
    for shape in ((400, 5), (400, 2, 3), (400, 2, 2, 2, 2)):
        other = numbers(*shape).abs() + 1
        got = call(answer, other, 0.2, True, what=f"on a {shape} input in training", likely=ANY_AXES)
        if getattr(got, "shape", None) != other.shape or not one_factor((got / other).flatten(1)):
            raise Mismatch(f"samples are not kept as a whole on a {shape} input in training", "one factor per sample", "others", ANY_AXES)
    leaf = x.clone().requires_grad_()
    got = call(answer, leaf, 0.2, True, what="when x requires a gradient")
    if not got.requires_grad or not torch.allclose(torch.autograd.grad(got.sum(), leaf)[0], (got.detach() != 0).to(x.dtype) / 0.8):
        raise Mismatch("the gradient of x is wrong", "1.25 where the sample is kept, else 0", "others, or none", DETACHED)
    if call(answer, x.half(), 0.2, True, what="on float16 in training").dtype != torch.float16:
        raise Mismatch("the dtype changed on float16 in training", "torch.float16", "another", "a draw in float32 widens float16: give it x's dtype, as with dtype=x.dtype")


def same_kind(got: object, x: Tensor, where: str) -> Tensor:
    """A tensor of x's shape, device and dtype; its numbers are looked at elsewhere."""
    if not isinstance(got, Tensor):
        raise Mismatch(f"the result is no tensor {where}", "a torch.Tensor", type(got).__name__, "return the tensor itself, and nothing beside it")
    if got.device != x.device:
        raise Mismatch(f"the result is on another device {where}", str(x.device), str(got.device), DEVICE)
    if got.is_sparse or got.is_complex():
        raise Mismatch(f"the result is no plain tensor {where}", str(x.dtype), str(got.dtype), DTYPE)
    if got.shape != x.shape or bool((got.abs() < 1.3).all() and got.any()):
        if got.numel() and got.any() and all(min(abs(value - factor) for factor in (0, 1, 1.25)) < 1e-6 for value in got.unique().tolist()):
            raise Mismatch(f"x is not in the result {where}", "x, or parts of it", "zeros and ones", "the draw itself came back; x is to be multiplied by it")
    if got.shape != x.shape:
        taken = got.shape[1:] == x.shape[1:] and len(got) < len(x)
        likely = "samples were taken out of the batch; a dropped sample stays in its place, as zeros: multiply x by the draw"
        raise Mismatch(
            f"the shape is wrong {where}",
            str(tuple(x.shape)),
            str(tuple(got.shape)),
            likely if taken else "the result has the shape of x; a draw of shape (N, 1, ...) with x.ndim axes lines up with it",
        )
    if got.dtype != x.dtype:
        raise Mismatch(f"the dtype changed {where}", str(x.dtype), str(got.dtype), DTYPE)
    return got


def expect_share(kept: list[Tensor], keep: float) -> None:
    """About 320 of 400 samples stay in each call, and not the same ones."""
    counts, size = [int(run.sum()) for run in kept], len(kept[0])
    share, likely = sum(counts) / (size * len(counts)), LOOK
    if all(count in (0, size) for count in counts):
        likely = "one draw decided for the whole batch; each sample needs a draw of its own: shape (N, 1, 1, ...)" if max(counts) else LOOK
        likely = "nothing was dropped in training" if min(counts) == size else likely
    elif all(torch.equal(run, kept[0]) for run in kept):
        likely = "the same samples are dropped at every call: draw anew each time, and set no seed"
    elif abs(share - keep) < 0.05 and len(set(counts)) > 1:
        return
    elif abs(share - keep) < 0.05:
        likely = "every call drops the same number of samples; with a draw of its own for each sample the number varies"
    elif abs(share - (1 - keep)) < 0.05:
        likely = "drop_prob was taken as the probability to keep; the share that stays is 1 - drop_prob"
    raise Mismatch("the wrong samples are kept", f"about {round(keep * size)} of {size}, others each time", f"{counts[0]} in one call, {counts[1]} in the next", likely)
