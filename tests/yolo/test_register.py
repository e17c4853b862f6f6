"""Classes of one's own as rows: registered in the process, or in a file that the YAML names."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from ultralytics.nn.tasks import DetectionModel

from cnx_tutorial import YOLO, register
from cnx_tutorial.yolo import layers
from cnx_tutorial.yolo.parser import CONFIGS, yaml_model_load


class Changes(nn.Module):
    def __init__(self, c1: int, c2: int, k: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, padding=k // 2)

    def forward(self, x):
        return self.conv(x)


class Keeps(nn.Module):
    def __init__(self, dim: int, word: str = "a", drop_path: float = 0.0):
        super().__init__()
        self.scale, self.word, self.rate = nn.Parameter(torch.ones(dim)), word, drop_path

    def forward(self, x):
        return x * self.scale.view(-1, 1, 1)


class Fold(nn.Module):
    def __init__(self, by: int = 2):
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(by)

    def forward(self, x):
        return self.unshuffle(x)


class Liar(Changes):
    def forward(self, x):
        return x


class Odd(nn.Module):
    def __init__(self, gain):
        super().__init__()


@pytest.fixture(autouse=True)
def nothing_stays_registered():
    before = dict(layers.LAYERS)
    yield
    layers.LAYERS.clear()
    layers.LAYERS.update(before)


def config(*rows: list, **keys) -> dict:
    """A detector of strides 8 and 16; `rows` stand behind the stem, which has 16 channels."""
    at = len(rows)
    return {
        "nc": 2,
        "backbone": [[-1, 1, "ConvNeXtStem", [16, 8, 8]], *rows, [-1, 1, "ConvNeXtDownsample", [32]]],
        "head": [[[at, at + 1], 1, "Detect", ["nc"]]],
    } | keys


def build(d: dict) -> nn.Sequential:
    return DetectionModel(d, verbose=False).model


def test_a_constructor_of_c1_and_c2_changes_channels_and_is_repeated():
    register(Changes)
    twice = build(config([-1, 2, "Changes", [24, 5]]))[1]
    assert [(m.conv.in_channels, m.conv.out_channels, m.conv.kernel_size) for m in twice] == [
        (16, 24, (5, 5)),
        (24, 24, (5, 5)),
    ]


def test_a_constructor_of_one_number_keeps_channels_and_gets_the_keys_of_the_yaml():
    register(Keeps)
    rows = [[-1, 2, "Keeps", [16, "b"]], [-1, 1, "Keeps", [16]]]
    model = build(config(*rows, drop_path=0.2))
    assert [(m.word, m.rate) for i in (1, 2) for m in model[i]] == [("b", 0.0), ("b", 0.1), ("a", 0.2)]
    with pytest.raises(ValueError, match="row 1 .*a block keeps its channels, but c1=16 and c2=24"):
        build(config([-1, 1, "Keeps", [24]]))


def test_a_function_says_what_becomes_of_the_channels():
    register(Fold, channels=lambda c1, by=2: c1 * by * by)
    model = build(config([-1, 1, "Fold", []], [-1, 1, "Conv", [8]]))
    assert model[2].conv.in_channels == 64
    register(Fold, channels=lambda c1, by=2: c1)
    with pytest.raises(ValueError, match=r"row 1 .*built for c2=16 channels and returns \(1, 64, 16, 16\)"):
        build(config([-1, 1, "Fold", []]))


def test_a_layer_that_is_told_no_channels_keeps_them():
    class_ = register(channels="none")(Keeps)  # its dim is a number like any other then
    assert class_ is Keeps
    assert build(config([-1, 1, "Keeps", [16]]))[1].scale.shape == (16,)


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: register(Odd), ValueError, ["what does Odd(gain) do to the channels", '"change"', '"keep"', "function"]),
        (lambda: register(Odd, channels="double"), ValueError, ["channels='double' is unknown"]),
        (lambda: register(3), TypeError, ["classes that subclass torch.nn.Module", "3"]),
        (lambda: register(type("Conv", (Changes,), {"__module__": __name__})), ValueError, ["Ultralytics has a layer named Conv", "override=True"]),
        (lambda: register(type("ConvNeXtBlock", (Keeps,), {"__module__": __name__})), ValueError, ["cnx_tutorial has a layer named ConvNeXtBlock"]),
    ],
)  # fmt: skip
def test_what_cannot_be_registered_is_said(make, error, told):
    with pytest.raises(error) as raised:
        make()
    assert all(word in str(raised.value) for word in told), raised.value


def test_a_class_inside_a_function_is_refused():
    class Inside(Changes):
        pass

    with pytest.raises(ValueError, match="Inside is defined inside a function"):
        register(Inside)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            [-1, 1, "Changes", [24, "wide"]],
            ["row 1 ", "argument k of Changes is 'wide'", "expected int", "[channels, k]"],
        ),
        ([-1, 1, "Changes", []], ["row 1 ", "Changes takes 1 to 2 arguments", "was given 0"]),
        ([[-1, 0], 1, "Changes", [24]], ["row 1 ", "reads one earlier row", "Concat"]),
        ([-1, 1, "Change", [24]], ["row 1 ", "did you mean Changes"]),
        ([-1, 1, "Zzyzx", [24]], ["row 1 ", "no layer is named 'Zzyzx'", "layers: my_layers.py"]),
        ([-1, 1, "Liar", [24]], ["row 1 ", "Liar was built for c2=24 channels and returns (1, 16, 32, 32)"]),
        ([-1, 1, "Keeps", [16, 3]], ["row 1 ", "argument word of Keeps is 3", "expected str"]),
    ],
)
def test_a_wrong_row_of_a_registered_class_is_named(row, told):
    register(Changes, Keeps, Liar)
    with pytest.raises(ValueError) as raised:
        build(config(row))
    assert all(word in str(raised.value) for word in told), raised.value


def test_the_newest_definition_counts_and_an_old_one_is_refused(monkeypatch):
    register(Changes)
    newer = type("Changes", (Changes,), {"__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Changes", newer)
    with pytest.raises(ValueError, match="Changes was defined again after it was registered"):
        build(config([-1, 1, "Changes", [24]]))
    register(newer)
    assert type(build(config([-1, 1, "Changes", [24]]))[1]) is newer


MY_BLOCK = '''
import torch
from torch import nn
from cnx_tutorial.nn import LayerNorm


class MyBlock(nn.Module):
    """The block that notebook 03 builds."""

    def __init__(self, dim: int, kernel_size: int = 7, expansion: float = 4, layer_scale: float | None = 1e-6):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = LayerNorm(dim)
        self.pwconv1, self.pwconv2 = nn.Linear(dim, int(expansion * dim)), nn.Linear(int(expansion * dim), dim)
        self.gamma = nn.Parameter(torch.full((dim,), float(layer_scale)))

    def forward(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)
'''


@pytest.fixture(scope="module")
def trained(tmp_path_factory, discs) -> Path:
    """A training from a YAML and a file of layers beside it; returns the project's folder."""
    folder = tmp_path_factory.mktemp("my project")
    ours = (CONFIGS / "yolov8-convnext.yaml").read_text(encoding="utf-8")
    (folder / "yolov8-mine.yaml").write_text(
        "layers: my_layers.py\n" + ours.replace("ConvNeXtBlock", "MyBlock"), encoding="utf-8"
    )
    (folder / "my_layers.py").write_text(MY_BLOCK, encoding="utf-8")
    yolo = YOLO(folder / "yolov8n-mine.yaml")
    assert sum(p.numel() for p in yolo.model.parameters()) == sum(
        p.numel() for p in YOLO("yolov8n-convnext.yaml").model.parameters()
    )
    yolo.train(
        data=str(discs),
        imgsz=64,
        epochs=1,
        batch=4,
        workers=0,
        plots=False,
        device="cpu",
        project=str(folder / "runs"),
        name="mine",
    )
    return folder


def elsewhere(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("who", ["from ultralytics import YOLO", "from cnx_tutorial import YOLO"])
def test_a_checkpoint_finds_its_file_of_layers_in_a_fresh_process(trained, tmp_path, discs, who):
    best = trained / "runs" / "mine" / "weights" / "best.pt"
    run = elsewhere(
        f"{who}\nyolo = YOLO({str(best)!r})\nyolo.val(data={str(discs)!r}, imgsz=64, plots=False, project='v')\n"
        f"yolo.train(data={str(discs)!r}, imgsz=64, epochs=1, batch=4, workers=0, plots=False, device='cpu', project='r')\n"
        "print(type(yolo.model.model[3][0]).__name__, 'is here')",
        tmp_path,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "MyBlock is here" in run.stdout


def test_the_commands_use_a_checkpoint_that_was_told_nothing_else(trained, tmp_path, discs):
    best = trained / "runs" / "mine" / "weights" / "best.pt"
    image = next((discs.parent / "images" / "val").iterdir())
    for words in (
        ["val", f"data={discs}", "plots=False"],
        ["predict", f"source={image}"],
        ["export", "format=onnx", "simplify=False"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "cnx_tutorial.cli", *words, f"model={best}", "imgsz=64", f"project={tmp_path}"],
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    assert best.with_suffix(".onnx").stat().st_size


def test_a_checkpoint_without_its_file_says_where_it_was_looked_for(trained, tmp_path):
    shutil.copy(trained / "runs" / "mine" / "weights" / "best.pt", tmp_path)
    file, hidden = trained / "my_layers.py", trained / "hidden"
    file.rename(hidden)
    try:
        run = elsewhere("from ultralytics import YOLO\nYOLO('best.pt')", tmp_path)
        assert run.returncode
        said = run.stderr.strip().splitlines()[-1]
        assert "MyBlock" in said and "my_layers.py" in said and str(trained) in said and "copy the file" in said
        (tmp_path / "my_layers.py").write_text(MY_BLOCK, encoding="utf-8")
        assert elsewhere("from ultralytics import YOLO\nYOLO('best.pt')", tmp_path).returncode == 0
    finally:
        hidden.rename(file)


def test_safe_loading_runs_no_file_of_layers(trained, tmp_path):
    best = trained / "runs" / "mine" / "weights" / "best.pt"
    file = trained / "my_layers.py"
    file.write_text(MY_BLOCK + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    try:
        code = f"from cnx_tutorial import YOLO\nYOLO({str(best)!r})"
        assert elsewhere(code, tmp_path, ULTRALYTICS_SAFE_LOAD="1").returncode
        assert not (tmp_path / "ran").exists()
        assert elsewhere(code, tmp_path).returncode == 0
        assert (tmp_path / "ran").exists()
    finally:
        file.write_text(MY_BLOCK, encoding="utf-8")


def test_a_class_of_a_notebook_is_named_where_it_is_missing(tmp_path, discs):
    script = tmp_path / "like_a_notebook.py"
    d = config([-1, 1, "MyBlock", [16]])
    (tmp_path / "yolov8n-mine.yaml").write_text(yaml.safe_dump(d), encoding="utf-8")
    script.write_text(
        MY_BLOCK
        + f"""
if __name__ == "__main__":
    from cnx_tutorial import YOLO, register
    register(MyBlock)
    YOLO("yolov8n-mine.yaml").train(
        data={str(discs)!r}, imgsz=64, epochs=1, batch=4, workers=0, plots=False, device="cpu", project={str(tmp_path / "runs")!r}, name="it"
    )
""",
        encoding="utf-8",
    )
    made = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr[-3000:]
    run = elsewhere("from ultralytics import YOLO\nYOLO('runs/it/weights/best.pt')", tmp_path)
    said = run.stderr.strip().splitlines()[-1]
    assert "the class MyBlock" in said and "layers: my_layers.py" in said


def test_a_class_of_a_module_that_is_gone_is_named_and_nothing_is_installed(tmp_path, discs):
    (tmp_path / "my_module.py").write_text(MY_BLOCK, encoding="utf-8")
    (tmp_path / "yolov8n-mine.yaml").write_text(yaml.safe_dump(config([-1, 1, "MyBlock", [16]])), encoding="utf-8")
    code = "from my_module import MyBlock; from cnx_tutorial import YOLO, register; register(MyBlock); YOLO('yolov8n-mine.yaml').save('mine.pt')"
    assert elsewhere(code, tmp_path).returncode == 0
    code = "from ultralytics import YOLO; print(type(YOLO('mine.pt').model.model[1][0]).__name__)"
    assert elsewhere(code, tmp_path).stdout.strip().endswith("MyBlock")
    (tmp_path / "my_module.py").unlink()
    said = elsewhere(code, tmp_path).stderr.strip().splitlines()[-1]
    assert (
        "the class MyBlock" in said
        and "the module my_module, not found here" in said
        and "layers: my_layers.py" in said
    )


BAD_FILES = {
    "not there": ("mine.py", None, ["names mine.py", "copy the file"]),
    "no name": ("mine", None, ["key layers is 'mine'", "Python file"]),
    "address": ("https://example.org/mine.py", None, ["lies in the YAML's folder"]),
    "above": ("../mine.py", None, ["lies in the YAML's folder"]),
    "does not parse": ("mine.py", "class A(:\n", ["mine.py cannot be run in line 1", "SyntaxError"]),
    "does not run": ("mine.py", "import torch\nx = 1 / 0\n", ["mine.py cannot be run in line 2", "ZeroDivisionError"]),
    "no class": ("mine.py", "x = 1\n", ["defines no class"]),
    "name of a stock layer": ("mine.py", "from torch import nn\nclass MyBlock(nn.Conv2d): pass\n", ["row 1 "]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_wrong_file_of_layers_is_said(name, tmp_path):
    key, code, told = BAD_FILES[name]
    if code is not None:
        (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    file = tmp_path / "yolov8-mine.yaml"
    file.write_text(yaml.safe_dump(config([-1, 1, "MyBlock", ["x"]], layers=key)), encoding="utf-8")
    with pytest.raises(ValueError) as raised:
        YOLO(file)
    assert all(word in str(raised.value) for word in told), raised.value


def test_the_file_of_one_yaml_is_not_that_of_another(tmp_path):
    for folder, k in (("a", 1), ("b", 3)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my_layers.py").write_text(
            f"from torch import nn\nclass Mine(nn.Conv2d):\n    def __init__(self, c1, c2):\n"
            f"        super().__init__(c1, c2, {k}, padding={k // 2})\n",
            encoding="utf-8",
        )
        (tmp_path / folder / "yolov8-mine.yaml").write_text(
            yaml.safe_dump(config([-1, 1, "Mine", [16]], layers="my_layers.py")), encoding="utf-8"
        )
    a, b, again = (YOLO(tmp_path / folder / "yolov8-mine.yaml").model.model[1] for folder in "aba")
    assert [m.kernel_size for m in (a, b, again)] == [(1, 1), (3, 3), (1, 1)]
    assert yaml_model_load(tmp_path / "a" / "yolov8-mine.yaml")["layers"] == "my_layers.py"


def test_the_readmes_own_layer_and_whole_network_build(tmp_path):
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Your own backbone") : text.index("## What did it buy?")]
    (tmp_path / "my_layers.py").write_text(re.search(r"```python\n(.*?)```", section, re.S)[1], encoding="utf-8")
    strides = []
    whole = [code for code in re.findall(r"```yaml\n(.*?)```", section, re.S) if "head:" in code]
    for i, code in enumerate(whole):
        file = tmp_path / f"yolov8n-{i}.yaml"
        file.write_text(code.replace(", True]", ", False]"), encoding="utf-8")
        strides.append(YOLO(file).model.stride.tolist())
    assert strides == [[8, 16, 32], [8, 16]]
