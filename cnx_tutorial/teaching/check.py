"""Every exercise checker, by the name that the notebooks use: `from cnx_tutorial.teaching import check`.

A checker prints what holds, or the first thing that does not with the likely mistake, or "not attempted yet". In a
notebook it never raises. With `strict=True`, and where nbgrader grades or validates, it raises `CheckFailed`, and prints
nothing when all is well. An answer that runs longer than `seconds` is stopped, unless it stays inside a library's C code.
"""

from cnx_tutorial.teaching.checks.convnext import drop_path_rates, parameters, rename, widest
from cnx_tutorial.teaching.checks.convnext_block import block, count_parameters, macs, two_blocks
from cnx_tutorial.teaching.checks.dataset import label_faults, letterbox_box, turned, yolo_box
from cnx_tutorial.teaching.checks.drop_path import drop_path
from cnx_tutorial.teaching.checks.evaluation import average_precision, better, compare, match
from cnx_tutorial.teaching.checks.inside_the_detector import chosen, decode_box, nms, pooled_window
from cnx_tutorial.teaching.checks.layernorm import (
    axes_that_share,
    layer_norm_channels_first,
    layernorm,
    normalize,
)
from cnx_tutorial.teaching.checks.runner import CheckFailed
from cnx_tutorial.teaching.checks.start_here import counted, grid_cells, precision_recall
from cnx_tutorial.teaching.checks.stem_and_downsample import (
    downsample,
    output_size,
    patchify,
    small_cell_stem,
    strides,
)
from cnx_tutorial.teaching.checks.training import best_rate, ema_of, keep_best, lr_at, optimizer_steps
from cnx_tutorial.teaching.checks.weight_decay import parameter_groups
from cnx_tutorial.teaching.checks.yolov8_yaml import c1_of_rows, my_yaml, repair, scaled_channels
from cnx_tutorial.teaching.checks.your_own_backbone import beat_baseline, carried_over, to_input
