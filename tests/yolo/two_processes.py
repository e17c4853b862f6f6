"""Ultralytics' multi-GPU training on a CPU: two processes that exchange their gradients with gloo.

`patch()` changes what asks for a CUDA device and nothing else: the launch, the state file, the samplers and the exchange are Ultralytics' own. Each
process writes after each epoch what it has into the folder that the environment variable RANKS names, and ends before the epoch that STOP names.
"""

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
from ultralytics.engine import trainer as engine
from ultralytics.engine import validator
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.utils import LOCAL_RANK, RANK
from ultralytics.utils import dist as launch
from ultralytics.utils.torch_utils import unwrap_model

PROCESSES = 2


class OnACPU(torch.nn.parallel.DistributedDataParallel):
    def __init__(self, module, device_ids=None, **options):
        super().__init__(module, **options)


def patch() -> None:
    stock_init, stock_callbacks = BaseTrainer.__init__, BaseTrainer.run_callbacks
    stock_file, stock_reduce, stock_backend = launch.generate_ddp_file, dist.reduce, validator.AutoBackend

    def init(self, *args, **kwargs):
        stock_init(self, *args, **kwargs)
        self.world_size, self.ddp = PROCESSES, LOCAL_RANK == -1

    def setup(self):
        self.device, self.accelerator = torch.device("cpu"), None
        dist.init_process_group("gloo", timeout=timedelta(seconds=120), rank=RANK, world_size=self.world_size)

    def reduce(tensor, dst, op=dist.ReduceOp.SUM, **options):
        if op != dist.ReduceOp.AVG:
            return stock_reduce(tensor, dst, op, **options)
        stock_reduce(tensor, dst, dist.ReduceOp.SUM, **options)  # gloo takes no averages
        tensor /= PROCESSES

    def file(trainer) -> str:
        written = Path(stock_file(trainer))
        code = written.read_text(encoding="utf-8")
        mark = "    from ultralytics.utils import DEFAULT_CFG_DICT\n"
        assert mark in code
        written.write_text(
            code.replace(mark, f"    from tests.yolo.two_processes import patch; patch()\n{mark}"), encoding="utf-8"
        )
        return str(written)

    def callbacks(self, event: str):
        stock_callbacks(self, event)
        if event == "on_train_epoch_start" and RANK >= 0 and os.environ.get("STOP") == str(self.epoch):
            os._exit(1)
        if event == "on_train_epoch_end" and RANK >= 0:
            model = unwrap_model(self.model)
            names = {id(p): name for name, p in model.named_parameters()}
            seen = {
                "parameters": hashlib.sha256(
                    b"".join(p.detach().numpy().tobytes() for p in model.parameters())
                ).hexdigest(),
                "decayed": [
                    names[id(p)]
                    for g in self.optimizer.param_groups
                    if g["weight_decay"]
                    for p in g["params"]
                    if p.ndim == 1
                ],
                "layers": sorted({type(m).__name__ for m in model.modules()}),
                "mark": float(next(iter(model.parameters())).detach().flatten()[0]) if self.epoch == 0 else None,
                "images": len(self.train_loader) * self.train_loader.batch_size,
            }
            (Path(os.environ["RANKS"]) / f"{RANK}_{self.epoch}.json").write_text(json.dumps(seen), encoding="utf-8")

    BaseTrainer.__init__, BaseTrainer._setup_ddp, BaseTrainer.run_callbacks = init, setup, callbacks
    engine.generate_ddp_command.__globals__["generate_ddp_file"] = file
    torch.nn.parallel.DistributedDataParallel, dist.reduce = OnACPU, reduce
    validator.get_torch_device_backend = lambda device: SimpleNamespace(current_device=lambda: 0)
    validator.AutoBackend = lambda **options: stock_backend(**options | {"device": torch.device("cpu")})
