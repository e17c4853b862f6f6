"""The pictures of the notebooks: one function each, drawn from the tensors that the cell computed; a module per notebook."""

from cnx_tutorial.teaching.figures.convnext import effective_fields, road, stage_maps
from cnx_tutorial.teaching.figures.convnext_block import chains, paths_to_the_centre, shares
from cnx_tutorial.teaching.figures.dataset import box_sizes, labelled_image, labelled_images
from cnx_tutorial.teaching.figures.evaluation import (
    boxes_on_grid,
    class_curves,
    comparison,
    precision_recall,
    strict_end,
    timings,
)
from cnx_tutorial.teaching.figures.layernorm import before_and_after, memory_blocks, shared_statistics
from cnx_tutorial.teaching.figures.start_here import detector_parts, truth_and_found, two_boxes
from cnx_tutorial.teaching.figures.stem_and_downsample import patches_as_rows, windows_on_an_axis
from cnx_tutorial.teaching.figures.style import (
    BLUE,
    DPI,
    GREEN,
    GREY,
    LOOKS,
    ORANGE,
    PINK,
    RED,
    SKY,
    YELLOW,
    curves,
    error_bars,
    error_curves,
)
from cnx_tutorial.teaching.figures.training import training_curves
from cnx_tutorial.teaching.figures.yolov8_yaml import row_graph
from cnx_tutorial.teaching.figures.your_own_detector import found_shapes
