"""The pictures of the notebooks: one function each, drawn from the tensors that the cell computed; a module per notebook."""

from cnx_tutorial.teaching.figures.convnext import effective_fields, road, stage_maps
from cnx_tutorial.teaching.figures.convnext_block import (
    cell_maps,
    chains,
    error_pairs,
    paths_to_the_centre,
    shares,
    windows_on_image,
)
from cnx_tutorial.teaching.figures.dataset import box_sizes, labelled_image, labelled_images, under_grids, with_ruler
from cnx_tutorial.teaching.figures.evaluation import (
    boxes_on_grid,
    class_curves,
    confusion,
    failures,
    grouped_bars,
    intervals,
    precision_recall,
    strict_end,
)
from cnx_tutorial.teaching.figures.inside_the_detector import assigned_cells, distance_bars, necks
from cnx_tutorial.teaching.figures.layernorm import before_and_after, loss_curves, shared_statistics
from cnx_tutorial.teaching.figures.start_here import detector_parts, truth_and_found, two_boxes
from cnx_tutorial.teaching.figures.stem_and_downsample import (
    cell_on_a_grid,
    patches_as_rows,
    rows_of_crops,
    trial_of_stems,
    windows_on_an_axis,
)
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
from cnx_tutorial.teaching.figures.training import four_runs, overfitting, training_curves
from cnx_tutorial.teaching.figures.yolov8_yaml import parts_in_millions, row_graph
from cnx_tutorial.teaching.figures.your_own_backbone import found_shapes, seeds_and_interval
