"""State dicts and weight files with something changed: all is loaded, or nothing."""

import io
from pathlib import Path

import torch
from hypothesis import strategies as st

from cnx_tutorial import nn
from cnx_tutorial.nn.weights import load_weights
from tests.fuzz.engine import Escape, Kind, refused
from tests.nn.names import official

WIDTHS = (6, 8, 8, 8)  # so that no turned weight has its old shape: it would be a right file with other numbers
torch.manual_seed(0)
DONOR = nn.ConvNeXt((1, 1, 1, 1), WIDTHS, num_classes=2)
STATES = {"ours": DONOR.state_dict(), "official": official(DONOR.state_dict())}
MODEL = nn.ConvNeXt((1, 1, 1, 1), WIDTHS, num_classes=2)
START = {name: tensor.clone() for name, tensor in MODEL.state_dict().items()}
CHANGES = {
    "sparse": lambda t: t.to_sparse(),
    "meta": lambda t: t.to("meta"),
    "quantised": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "complex": lambda t: t.to(torch.complex64),
    "half": lambda t: t.half(),
    "bfloat16": lambda t: t.bfloat16(),
    "double": lambda t: t.double(),
    "int": lambda t: t.to(torch.int32),
    "bool": lambda t: t > 0,
    "nan": lambda t: t * float("nan"),
    "inf": lambda t: t.index_fill(0, torch.tensor([0]), float("inf")),
    "huge": lambda t: torch.full_like(t, 1e300, dtype=torch.float64),
    "flat": lambda t: t.flatten(),
    "more": lambda t: t[None],
    "turned": lambda t: t.transpose(0, -1),
    "empty": lambda t: t[:0],
    "expanded": lambda t: t.flatten()[:1].expand(10**6, 10**6),
    "list": lambda t: t.tolist(),
    "none": lambda t: None,
    "text": lambda t: "weights",
    "parameter": lambda t: torch.nn.Parameter(t),
}
PREFIXES = st.sampled_from(["", "", "module.", "_orig_mod.", "model.", "backbone.", "a.b.c.", ".", "x"])
WRAPS = st.sampled_from([None, None, "model", "state_dict", "model_ema", "ema", "net", "epoch", "nothing"])


@st.composite
def files(draw) -> object:
    state = dict(STATES[draw(st.sampled_from(list(STATES)))])
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(list(state) or ["x"]))
        what = draw(st.sampled_from(["change", "change", "drop", "rename", "add", "double"]))
        if name not in state:
            continue
        if what == "change" and isinstance(state[name], torch.Tensor) and state[name].layout == torch.strided:
            if state[name].numel() > 10**6:
                continue  # "expanded": to_sparse() would walk through 10**12 numbers
            try:
                state[name] = CHANGES[draw(st.sampled_from(list(CHANGES)))](state[name])
            except (RuntimeError, IndexError, NotImplementedError):  # a tensor that cannot become that
                continue
        elif what == "drop":
            del state[name]
        elif what == "rename":
            state[draw(st.one_of(st.text(max_size=5), st.integers(), st.just(f"{name}.x")))] = state.pop(name)
        elif what == "add":
            state[draw(st.text(max_size=5))] = draw(st.sampled_from([1, "x", None, torch.zeros(2)]))
        else:
            state["module." + str(name)] = state[name]
    prefix, wrap = draw(PREFIXES), draw(WRAPS)
    content: object = {f"{prefix}{name}" if isinstance(name, str) else name: tensor for name, tensor in state.items()}
    if wrap:
        content = {wrap: content, "epoch": 3}
    if draw(st.integers(0, 2)):
        return content
    out = io.BytesIO()
    try:
        torch.save(content, out)
    except Exception:  # what cannot be saved is given as it is
        return content
    raw = out.getvalue()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(raw) - 1)) if raw else 0
        raw = raw[:at] if draw(st.booleans()) else raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :] if raw else raw
    return raw


def attempt(example: object, folder: Path) -> str:
    source = example
    if isinstance(example, bytes):
        source = folder / "given.pth"
        source.write_bytes(example)
    MODEL.load_state_dict(START)
    try:
        report = load_weights(MODEL, source)
    except Exception as error:
        if any(not torch.equal(tensor, START[name]) for name, tensor in MODEL.state_dict().items()):
            raise Escape("an error after something was written") from error
        return refused(error, "given.pth" if isinstance(example, bytes) else "state dict")
    loaded = MODEL.state_dict()
    if not all(loaded[name].isfinite().all() for name in loaded):
        raise Escape("numbers that are not finite were loaded")
    if isinstance(example, bytes):  # a flipped bit in a number may pass: the file has no checksum that PyTorch looks at
        return "loaded"
    wanted = DONOR.state_dict()
    if any(not torch.allclose(loaded[name], wanted[name], rtol=1e-2, atol=1e-2) for name in report.loaded):
        raise Escape("other numbers than the source's were loaded")
    return "loaded"


KIND = Kind("weights", files(), attempt)
