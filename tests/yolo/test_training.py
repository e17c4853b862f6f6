"""Real trainings of seconds: what reaches the optimizer, what a checkpoint keeps, what a fresh process can do with it."""

import ast
import copy
import inspect
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils import LOGGER

from cnx_tutorial import YOLO, nn
from cnx_tutorial.cores import cpu_count
from cnx_tutorial.yolo import ConvNeXtTrainer
from cnx_tutorial.yolo.model import OPTIMIZERS
from cnx_tutorial.yolo.parser import CONFIGS
from cnx_tutorial.yolo.quiet import threads_to_use

SHORT = {"epochs": 1, "imgsz": 96, "batch": 4, "plots": False, "device": "cpu", "workers": 0, "verbose": False}
IMAGE = np.zeros((96, 96, 3), np.uint8)


def train(model: str, discs: Path, project: Path, callbacks: dict | None = None, **changes) -> YOLO:
    yolo = YOLO(model)
    for event, function in (callbacks or {}).items():
        yolo.add_callback(event, function)
    yolo.train(data=str(discs), project=str(project), **{**SHORT, **changes})
    return yolo


def fresh_process(code: str, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    return run.stdout


@pytest.fixture(scope="module")
def trained(discs, tmp_path_factory) -> Path:
    """best.pt of one epoch on the article's YAML: stem 4x4, blocks 3 3 9 3, downsampling 2x2, at an eighth of its width."""
    folder = tmp_path_factory.mktemp("article")
    file = folder / "yolov8-article.yaml"
    text = (CONFIGS / "yolov8-convnext-article.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("n: [0.33, 0.33, 1024]", "n: [1.0, 0.125, 1024]"), encoding="utf-8")
    yolo = train(str(file.with_name("yolov8n-article.yaml")), discs, folder / "runs")
    assert [len(yolo.model.model[i]) for i in (1, 3, 5, 7)] == [3, 3, 9, 3]
    return yolo.trainer.best


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD", "MuSGD"])
@pytest.mark.parametrize("grn", [False, True])
def test_no_decay_and_no_muon_on_norms_gamma_and_grn(optimizer, grn, discs, tmp_path):
    def look(trainer):
        model, groups = trainer.model, trainer.optimizer.param_groups
        by_id = {id(p): g for g in groups for p in g["params"]}
        assert sorted(map(id, model.parameters())) == sorted(id(p) for g in groups for p in g["params"])
        spared = {
            f"{name}.{key}": by_id[id(p)]
            for name, module in model.named_modules()
            if isinstance(module, (nn.LayerNorm, nn.ConvNeXtBlock, nn.GlobalResponseNorm))
            for key, p in module.named_parameters(recurse=False)
        }
        assert any("grn" in key if grn else "gamma" in key for key in spared)
        assert not [key for key, g in spared.items() if g["weight_decay"] or g.get("use_muon")]
        convolution = model.model[0].conv.weight  # the control: something does decay
        assert by_id[id(convolution)]["weight_decay"] > 0
        trainer.stop = trainer.looked = True

    file = tmp_path / "yolov8-small.yaml"
    text = (CONFIGS / "yolov8-convnext.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("grn: False", f"grn: {grn}"), encoding="utf-8")
    yolo = train(str(file), discs, tmp_path, {"on_train_start": look}, optimizer=optimizer)
    assert yolo.trainer.looked


@pytest.mark.parametrize("reg_max", [2, 8])
def test_boxes_that_the_head_cannot_draw_are_said_before_training(discs, tmp_path, reg_max):
    file, heard, boxes = tmp_path / "yolov8-near.yaml", [], []
    text = (CONFIGS / "yolov8-convnext.yaml").read_text(encoding="utf-8")
    text = text.replace("reg_max: 8", f"reg_max: {reg_max}")
    file.write_text(text.replace("[[17, 14, 11, 8], 1, Detect", "[[17, 14], 1, Detect"), encoding="utf-8")

    def look(trainer):
        boxes.extend(box for label in trainer.train_loader.dataset.labels for box in label["bboxes"] * 96)
        trainer.stop = True

    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())
    LOGGER.addHandler(handler)
    try:
        train(str(file), discs, tmp_path, {"on_train_start": look})
    finally:
        LOGGER.removeHandler(handler)
    large = sum(max(width, height) > 2 * 1 * 8 for _, _, width, height in boxes)
    assert large
    said = f"{large} of {len(boxes)} boxes of the training images are larger at imgsz=96 than 16 pixels"
    assert any(said in message and "reg_max" in message for message in heard) == (reg_max == 2)


def test_training_on_a_cpu_uses_every_core_and_channels_last_and_sets_threads_back(discs, tmp_path):
    seen = []

    def look(trainer):
        weight = trainer.model.model[0].conv.weight
        seen.append(
            (torch.get_num_threads(), weight.is_contiguous(memory_format=torch.channels_last), trainer.device.type)
        )

    torch.set_num_threads(1)
    train("yolov8n-convnext.yaml", discs, tmp_path, {"on_train_batch_end": look})
    assert set(seen) == {(threads_to_use(), True, "cpu")}
    assert torch.get_num_threads() == 1
    torch.set_num_threads(cpu_count())


def test_batches_are_channels_last_unless_the_user_says_no(discs, tmp_path):
    yolo = train("yolov8n-convnext.yaml", discs, tmp_path)
    for setting, expected in ((None, True), (False, False)):
        yolo.trainer.args.channels_last = setting
        image = yolo.trainer.preprocess_batch({"img": torch.zeros(2, 3, 32, 32, dtype=torch.uint8)})["img"]
        assert image.is_contiguous(memory_format=torch.channels_last) is expected


def first_weights(store: list):
    return lambda trainer: store.append(copy.deepcopy(trainer.model.state_dict()))


def test_weights_put_into_a_model_before_train_survive_it(discs, tmp_path):
    at_start = []
    yolo = YOLO("yolov8n-convnext.yaml")
    yolo.add_callback("on_train_start", first_weights(at_start))
    with torch.no_grad():
        yolo.model.model[3][0].gamma.fill_(0.125)
    stem = yolo.model.model[0].conv.weight.detach().clone()
    yolo.train(data=str(discs), project=str(tmp_path), **SHORT)
    assert at_start[0]["model.3.0.gamma"].unique().tolist() == [0.125]
    assert torch.equal(at_start[0]["model.0.conv.weight"], stem)


def test_weights_of_a_model_that_is_taken_over_survive_too(discs, tmp_path):
    import ultralytics

    at_start, stock = [], ultralytics.YOLO("yolov8n-convnext.yaml")
    stem = stock.model.model[0].conv.weight.detach().clone()
    yolo = YOLO(stock)
    yolo.add_callback("on_train_start", first_weights(at_start))
    yolo.train(data=str(discs), project=str(tmp_path), **SHORT)
    assert torch.equal(at_start[0]["model.0.conv.weight"], stem)


def test_an_untouched_model_starts_from_what_the_seed_decides(discs, tmp_path):
    starts = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(starts))  # what came before must not matter
        train("yolov8n-convnext.yaml", discs, tmp_path, {"on_train_start": first_weights(starts)}, seed=seed)
    same, other = ([torch.equal(starts[0][key], start[key]) for key in starts[0]] for start in starts[1:])
    assert all(same) and not all(other)


PREDICT_VALIDATE_TRAIN = """
from {module} import YOLO
yolo = YOLO({best!r})
import numpy as np
assert len(yolo.predict(np.zeros((96, 96, 3), np.uint8), imgsz=96, verbose=False)) == 1
assert yolo.val(data={data!r}, imgsz=96, project={project!r}, plots=False).box.map >= 0
yolo.train(data={data!r}, project={project!r}, **{short!r})
names = {{type(m).__name__ for m in yolo.model.modules()}}
assert {{"ConvNeXtStem", "ConvNeXtBlock", "ConvNeXtDownsample"}} <= names, names
print("trainer", type(yolo.trainer).__name__)
"""


@pytest.mark.parametrize(
    ("module", "trainer"), [("cnx_tutorial", "ConvNeXtTrainer"), ("ultralytics", "DetectionTrainer")]
)
def test_a_fresh_process_predicts_validates_and_trains_on_from_best_pt(module, trainer, trained, discs, tmp_path):
    """With ultralytics.YOLO too, and without a line about us: the checkpoint itself brings our names along."""
    code = PREDICT_VALIDATE_TRAIN.format(
        module=module, best=str(trained), data=str(discs), project=str(tmp_path), short=SHORT
    )
    assert f"trainer {trainer}" in fresh_process(code)


def test_register_is_enough_for_who_stays_with_ultralytics_yolo(discs, tmp_path):
    code = (
        "import cnx_tutorial; cnx_tutorial.register(); cnx_tutorial.register()\n"
        "from ultralytics import YOLO\nyolo = YOLO('yolov8n-convnext.yaml')\n"
        f"yolo.train(data={str(discs)!r}, project={str(tmp_path)!r}, **{SHORT!r})\n"
        "print('trained', type(yolo.trainer).__name__, type(yolo.model.model[2]).__name__)"
    )
    assert "trained DetectionTrainer ConvNeXtDownsample" in fresh_process(code)


def test_safe_load_accepts_our_checkpoint_and_only_when_registered(trained):
    load = f"from ultralytics import YOLO; YOLO({str(trained)!r}); print('loaded')"
    assert "loaded" in fresh_process(f"import cnx_tutorial; cnx_tutorial.register(); {load}", ULTRALYTICS_SAFE_LOAD="1")
    with pytest.raises(AssertionError, match="outside the supported"):  # the control: safe loading is really on
        fresh_process(load, ULTRALYTICS_SAFE_LOAD="1")


def test_the_state_file_of_multi_gpu_training_is_rebuilt_in_a_fresh_interpreter(discs, tmp_path):
    pytest.importorskip("cloudpickle", reason="Ultralytics installs cloudpickle on the first multi-GPU training")
    from ultralytics.utils.dist import generate_ddp_file

    overrides = {"model": "yolov8n-convnext.yaml", "data": str(discs), "project": str(tmp_path), **SHORT}
    script = Path(generate_ddp_file(ConvNeXtTrainer(overrides=overrides)))
    try:
        run = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True
        )  # as torch.distributed.run starts it
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
        assert "cnx_tutorial.nn.ConvNeXtBlock" in run.stdout and "Validating" in run.stdout
    finally:
        script.unlink()
        script.with_suffix(".pt").unlink()


def test_an_interrupted_training_resumes_from_its_last_epoch(discs, tmp_path):
    code = (
        "import os\nfrom cnx_tutorial import YOLO\nyolo = YOLO('yolov8n-convnext.yaml')\n"
        "yolo.add_callback('on_train_epoch_start', lambda t: os._exit(9) if t.epoch == 1 else None)\n"
        f"yolo.train(data={str(discs)!r}, project={str(tmp_path)!r}, name='cut', **{ {**SHORT, 'epochs': 2}!r})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 9
    yolo = YOLO(tmp_path / "cut" / "weights" / "last.pt")
    yolo.train(resume=True)
    assert yolo.trainer.start_epoch == 1 and isinstance(yolo.trainer, ConvNeXtTrainer)
    assert len(yolo.trainer.read_results_csv()["epoch"]) == 2


def test_fuse_half_deepcopy_ema_and_info_work(trained, capsys):
    model = YOLO(trained).model.eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = model(x)[0]
        torch.testing.assert_close(copy.deepcopy(model)(x)[0], expected)
        torch.testing.assert_close(copy.deepcopy(model).fuse(verbose=False)(x)[0], expected, rtol=1e-3, atol=1e-3)
        half = copy.deepcopy(model).half()(x.half())[0]
        assert half.dtype == torch.float16 and half.isfinite().all()
    from ultralytics.utils.torch_utils import ModelEMA

    ema = ModelEMA(model.train())
    ema.update(model)
    assert ema.ema.state_dict().keys() == model.state_dict().keys()
    layers, parameters, _, gflops = model.info(imgsz=96)
    assert parameters == sum(p.numel() for p in model.parameters()) and gflops > 0


def test_stock_models_train_with_our_trainer(discs, tmp_path):
    yolo = train("yolov8n.yaml", discs, tmp_path)
    assert isinstance(yolo.trainer, ConvNeXtTrainer) and yolo.trainer.best.exists()


def test_the_optimizers_that_are_accepted_are_those_of_ultralytics():
    theirs = re.search(r"optimizers = (\{.*?\})", inspect.getsource(BaseTrainer.build_optimizer)).group(1)
    assert set(OPTIMIZERS) == ast.literal_eval(theirs)
