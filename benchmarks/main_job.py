"""Claim: the main job reaches val mAP50 of 0.80 on smears in 4 minutes, and 0.75 on BCCD in 15, on two CPU cores.

    python benchmarks/main_job.py [smears | bccd]

Runs what `cnx train` runs and stores its table with settings, times and versions; for smears the README's picture too.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from cnx_tutorial.cli import run_ultralytics, with_recipe
from cnx_tutorial.recipe import RECIPE
from cnx_tutorial.yolo import machine, report

JOBS = {"smears": {}, "bccd": {"epochs": 30}}  # what is given to `cnx train` beside the data
HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", choices=JOBS, nargs="?", default="smears")
    job = parser.parse_args().job
    with tempfile.TemporaryDirectory() as project:
        words = [f"data={job}.yaml", f"project={project}", *(f"{k}={v}" for k, v in JOBS[job].items())]
        wall, cpu = time.perf_counter(), time.process_time()
        yolo = run_ultralytics(["train", *with_recipe(words)])[0]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if job == "smears":
            trainer = yolo.trainer
            images, truth = report.examples(trainer)
            file = report.picture(yolo, images, trainer.save_dir / "picture.png", trainer.args.imgsz, truth=truth)
            shutil.copy(file, HERE.parent / "docs" / "truth_and_predictions.png")
        table = report.summary(yolo)
    box = yolo.metrics.box
    result = {
        "claim": __doc__.splitlines()[0],
        "table": table,
        "AP50": {yolo.names[i]: round(float(v), 3) for i, v in zip(box.ap_class_index, box.ap50, strict=True)},
        "wall_seconds": round(wall),
        "cpu_seconds": round(cpu),
        "settings": RECIPE | JOBS[job] | {"seed": 0},
        "device": machine.processor(),
        "versions": machine.versions(),
        "commit": machine.commit(),
    }
    file = HERE / "results" / f"main_job_{job}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{report.table([table])}\nstored in {file}")


if __name__ == "__main__":
    main()
