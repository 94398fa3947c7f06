"""Make ``docs/encodings.png`` from a run of the demo study: ``python docs/readme_figure.py runs/demo``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from harness.image import read
from harness.tables import IMAGES
from harness.tables import read as read_table

LABELS = ("dog_bark", "siren", "bird_whistle")


def main(run: Path, out: Path) -> None:
    """Draw one clip of some classes in every encoding, the accuracy of each encoding below."""
    from matplotlib.figure import Figure

    images = read_table(run / "images" / "images.csv", IMAGES)
    with open(run / "ranking.csv", encoding="utf-8", newline="") as file:
        ranking = list(csv.DictReader(file))
    names = [row["encoding"] for row in ranking][::-1]
    figure = Figure(figsize=(1.65 * len(names), 5.6), dpi=100)
    axes = figure.subplots(len(LABELS), len(names))
    for i, label in enumerate(LABELS):
        of_label = images[images["label"] == label]
        clip = of_label["clip_id"].iloc[0]
        for j, name in enumerate(names):
            row = of_label[(of_label["clip_id"] == clip) & (of_label["encoding"] == name)].iloc[0]
            axes[i, j].imshow(read(run / "images" / row["path"]), aspect="auto", interpolation="antialiased")
            axes[i, j].set(xticks=[], yticks=[])
        axes[i, 0].set_ylabel(label.replace("_", " "), fontsize=10)
    for j, name in enumerate(names):
        row = next(r for r in ranking if r["encoding"] == name)
        axes[0, j].set_title(name, fontsize=11, fontweight="bold")
        figures = f"{100 * float(row['accuracy']):.1f} ± {100 * float(row['std']):.1f} %"
        axes[-1, j].set_xlabel(figures, fontsize=11, labelpad=7)
    figure.subplots_adjust(left=0.04, right=0.995, top=0.94, bottom=0.08, wspace=0.05, hspace=0.06)
    figure.savefig(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).with_name("encodings.png"))
