"""`cnx WORDS` in this process, with a fault at one moment: python -m tests.faults.child MOMENT SIGNAL WORDS...

The process sends the signal to itself, so that it arrives where it is meant to. "None" as the moment: nothing happens.
"""

import os
import signal
import sys


def main() -> int:
    moment, name, *words = sys.argv[1:]
    import cnx_tutorial.yolo  # noqa: F401
    from cnx_tutorial import cli
    from cnx_tutorial.yolo import files
    from ultralytics.utils.callbacks.base import default_callbacks  # isort: skip

    number = getattr(signal, name)
    if number == signal.SIGINT:  # a shell may have switched it off for what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = {"checkpoints": 0, "validations": 0, "batches": 0}

    def now() -> None:
        os.kill(os.getpid(), number)

    def on_batch(trainer) -> None:
        seen["batches"] += 1
        if (moment == "in the first epoch" and trainer.epoch == 0) or (
            moment == "in the third epoch" and trainer.epoch == 2
        ):
            now()

    def on_validation(validator) -> None:
        seen["validations"] += 1
        if (moment == "in the second validation" and seen["validations"] == 2) or (
            moment == "in the final evaluation" and not validator.training
        ):
            now()

    def on_start(trainer) -> None:
        if moment == "before the first epoch":
            now()

    def after_row(trainer) -> None:
        if moment == "after the third epoch's row, before its checkpoint" and trainer.epoch == 2:
            now()

    default_callbacks["on_train_start"].append(on_start)
    default_callbacks["on_train_batch_end"].append(on_batch)
    default_callbacks["on_val_start"].append(on_validation)
    fsync = files.os.fsync

    def half_written(file: int) -> None:
        """Called when a draft is written and not yet in its place: only half of it has reached the disk."""
        seen["checkpoints"] += 1
        if (
            moment == "while the second last.pt is written" and seen["checkpoints"] == 4
        ):  # best.pt, last.pt, best.pt, last.pt
            os.truncate(file, os.fstat(file).st_size // 2)
            now()
        fsync(file)

    files.os.fsync = half_written
    from cnx_tutorial.yolo.trainer import ConvNeXtTrainer

    save = ConvNeXtTrainer.save_model
    ConvNeXtTrainer.save_model = lambda trainer: (after_row(trainer), save(trainer))[1]
    sys.argv = ["cnx", *words]
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
