"""Writes `report.md`, an overview of the data. N faces, K keypoints."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from common.draw import save
from common.markdown import table
from data_prep.faces import SPLITS, labelled_mean, never_labelled
from data_prep.impute import most_common_sparse_label_source
from data_prep.label_noise import LabelNoise, duplicate_label_noise
from data_prep.outliers import OUTLIER, outlyingness, outside_image
from data_prep.prepared import Prepared, small_splits, unnamed_inputs
from data_prep.report import figures
from data_prep.report.figures import LABELLED_ELSEWHERE_PX, mean_label_distances
from data_prep.split import sizes_text
from facial_keypoints.array_types import Float32, Float64, Int64
from facial_keypoints.errors import counted, printable

ROWS_LISTED = 12

SPLIT_MEANING = {
    "grouped": "all faces of a person, and all copies of an image, are in one split",
    "random": "by rows: a person, or copies of an image, may be in two splits, so scores are too good",
    "official": "test is the test set of the data set; val is drawn from its training set by faces, whoever they show",
    "published": "exactly the published procedure: forward fill over the whole set, then scikit-learn's shuffle with "
    "seed 42 (people and copies may be in two splits, so scores are too good)",
    "all-test": "every row in test, to score a model on a data set that it has never seen",
}


def write_report(folder: Path, data: Prepared) -> None:
    """Writes `report.md` and its PNG figures into `folder`."""
    faces, labelled, label_sources = data.faces, data.faces.labelled, data.faces.label_sources
    scores = outlyingness(faces.keypoints, label_sources)
    noise = duplicate_label_noise(faces.keypoints, data.duplicates, label_sources)
    means = {
        int(label_source): labelled_mean(
            faces.keypoints[label_sources == label_source], labelled[label_sources == label_source]
        )
        for label_source in np.unique(label_sources)
    }

    figures.save_contact_sheet(folder / "contact_sheet.png", faces, label_sources)
    farthest = figures.save_outliers(folder / "outliers.png", faces, scores)
    save(figures.mean_face(faces, label_sources, means), folder / "mean_face.png")
    first_means = labelled_mean(faces.keypoints, labelled & (label_sources == label_sources.min())[:, None])
    save(figures.numbered_keypoints(first_means, faces.keypoint_set), folder / "keypoints.png")
    save(figures.keypoint_scatter(faces), folder / "keypoint_scatter.png")
    save(figures.visible_keypoints(labelled, label_sources, faces.keypoint_set), folder / "visible_keypoints.png")
    save(figures.labelled_share(labelled, label_sources, faces.keypoint_set), folder / "labelled_share.png")

    sections = [
        _summary(data, noise),
        _figure("contact_sheet.png", "faces sampled evenly from the set, with their labels"),
        _splits(data),
        _label_sources_of(data, means),
        _visible(data),
        _imputation(data),
        _duplicates(noise),
        _outside(data),
        _outliers(data, scores, farthest),
        "## The keypoints\n\n" + _figure("keypoints.png", f"the {len(faces.keypoint_set)} keypoints by number"),
        "## Positions of the keypoints\n\n" + _figure("keypoint_scatter.png", "all labels on the mean image"),
    ]
    if faces.skipped:
        sections.append("## Skipped faces\n\n" + "\n".join(f"- {printable(line)}" for line in faces.skipped))
    (folder / "report.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _figure(name: str, caption: str) -> str:
    return f"![{caption}]({name})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _px(distance: float) -> str:
    return "" if np.isnan(distance) else f"{distance:.1f}"


def _summary(data: Prepared, noise: LabelNoise) -> str:
    faces, labelled = data.faces, data.faces.labelled
    count, height, width, channels = faces.images.shape
    people = "" if faces.people is None else f" of {counted(len(np.unique(faces.people)), 'person', 'people')}"
    lines = [
        f"{counted(count, 'face')}{people}, {width} x {height} px, {'gray' if channels == 1 else 'color'}, "
        f"{len(faces.keypoint_set)} keypoints ({faces.keypoint_set.name}); {_percent(labelled.mean())} of them "
        f"are labelled, {counted(int(labelled.all(axis=1).sum()), 'face')} completely.",
        f"{counted(len(np.unique(data.faces.label_sources)), 'label source', 'label sources')} and "
        f"{counted(len(np.unique(data.groups)), 'group')} that a fair split keeps together.",
    ]
    lines += [f"**{line}.**" for line in unnamed_inputs(faces)]
    if missing := never_labelled(labelled, faces.keypoint_set):
        lines.append(f"**No face has a label for {', '.join(missing)}.**")
    if noise.points:
        lines.append(
            f"**Label noise: {noise.one_label_px:.2f} px** per coordinate, from images that were labelled twice. "
            "A smaller error cannot be distinguished from label noise."
        )
    if outside := int(outside_image(faces.keypoints, height, width).sum()):
        lines.append(f"{counted(outside, 'label lies', 'labels lie')} outside the image.")
    if hidden := int(faces.occluded.sum()):
        share = _percent(hidden / labelled.sum())
        lines.append(f"{counted(hidden, 'label is', 'labels are')} of occluded keypoints ({share} of all labels).")
    if faces.skipped:
        lines.append(
            f"Skipped {counted(len(faces.skipped), 'face')} that cannot be used, listed at the end of this report."
        )
    return "# The data\n\n" + "\n".join(f"- {line}" for line in lines)


def _splits(data: Prepared) -> str:
    rows = []
    for name in SPLITS:
        i = data.indexes[name]
        share = data.faces.labelled[i].mean() if len(i) else 0.0
        complete = int(data.faces.labelled[i].all(axis=1).sum())
        people = [] if data.faces.people is None else [f"{len(np.unique(data.faces.people[i])):,}"]
        numbers = [f"{len(i):,}", _percent(len(i) / len(data.faces)), *people, f"{len(np.unique(data.groups[i])):,}"]
        rows.append([name, *numbers, f"{complete:,}", _percent(share)])
    people_column = [] if data.faces.people is None else ["people"]
    header = ["split", "faces", "share", *people_column, "groups", "complete faces", "labelled"]
    method = data.split_method
    text = f"Split `{method}`: {SPLIT_MEANING[method]}. It has {sizes_text(method, data.indexes)}."
    text += "".join(f"\n\n**{line}.**" for line in small_splits(data))
    return f"## Splits\n\n{text}\n\n" + table(header, rows)


def _label_sources_of(data: Prepared, means: Mapping[int, Float32]) -> str:
    lines = []
    for label_source in means:
        labelled = data.faces.labelled[data.faces.label_sources == label_source]
        size = f"{counted(len(labelled), 'face')}, {_percent(len(labelled) / len(data.faces))}"
        missing = never_labelled(labelled, data.faces.keypoint_set)
        lines.append(
            f"- `{data.source_name(label_source)}` ({size}) labels {labelled.sum(axis=1).mean():.1f} keypoints a face"
            + (f"; never {', '.join(missing)}." if missing else ".")
        )
    (first, reference), *others = means.items()
    lines += [_differences(data, first, reference, other, mean) for other, mean in others]
    header = ["keypoint"]
    for label_source in means:
        header += [f"missing, {data.source_name(label_source)}", "mean x", "mean y"]
    header += [f"{data.source_name(first)} to {data.source_name(other)}, px" for other, _ in others]
    rows = []
    for k in range(len(data.faces.keypoint_set)):
        row = [figures.numbered_name(k, data.faces.keypoint_set)]
        for label_source, mean in means.items():
            row += [
                f"{int((~data.faces.labelled[data.faces.label_sources == label_source, k]).sum()):,}",
                *map(_px, mean[k]),
            ]
        rows.append(row + [_distance_text(mean_label_distances(reference, mean)[k]) for _, mean in others])
    return "\n\n".join(
        [
            "## Label sources",
            "\n".join(lines),
            _figure("mean_face.png", "mean image and mean labels of each source, numbered as in the table"),
            table(header, rows),
            _figure("labelled_share.png", "labelled share of each keypoint"),
        ]
    )


def _distance_text(distance: float) -> str:
    return f"**{distance:.1f}**" if distance > LABELLED_ELSEWHERE_PX else _px(distance)


def _differences(data: Prepared, first: int, reference: Float32, other: int, mean: Float32) -> str:
    distances = mean_label_distances(reference, mean)
    flagged = [
        f"{data.faces.keypoint_set.names[k]} ({distances[k]:.1f} px)"
        for k in np.flatnonzero(distances > LABELLED_ELSEWHERE_PX)
    ]
    both = f"`{data.source_name(first)}` and `{data.source_name(other)}`"
    if not flagged:
        return f"- {both} agree on the positions of the keypoints."
    return f"- **{both} label {', '.join(flagged)} differently**: one name stands for two positions on the face."


def _visible(data: Prepared) -> str:
    visible = data.faces.labelled.sum(axis=1)
    present = np.unique(data.faces.label_sources)
    rows = [
        [
            number,
            *[
                f"{int(((visible == number) & (data.faces.label_sources == label_source)).sum()):,}"
                for label_source in present
            ],
        ]
        for number in np.unique(visible)
    ]
    header = ["labelled keypoints", *[f"faces, {data.source_name(label_source)}" for label_source in present]]
    figure = _figure("visible_keypoints.png", "faces by their number of labelled keypoints")
    return "## Labelled keypoints per face\n\n" + figure + "\n\n" + table(header, rows)


def _imputation(data: Prepared) -> str:
    text = f"## Imputation\n\nMissing labels are imputed by `{data.imputer}`; `*_labelled.npy` shows the real ones."
    if missing := never_labelled(data.faces.labelled[data.fitted], data.faces.keypoint_set):
        text += (
            f" None of the faces that it is fitted on has a label for {', '.join(missing)}: "
            "these are placed at the mean of the other keypoints of each face."
        )
    sparse = most_common_sparse_label_source(data.faces.label_sources)
    if not data.hidden_errors or sparse is None:
        return text
    rows = [
        [f"**{name}**" if name == data.imputer else name, f"{rmse:.2f}"]
        for name, rmse in sorted(data.hidden_errors.items(), key=lambda item: item[1])
    ]
    measured = "Measured on hidden known labels: complete faces of the val split, only the keypoints"
    return f"{text} {measured} of `{data.source_name(sparse)}` left visible.\n\n" + table(["method", "RMSE, px"], rows)


def _duplicates(noise: LabelNoise) -> str:
    text = "## Duplicate images\n\n"
    if not noise.copies:
        return text + "None, pixel for pixel."
    text += (
        f"{counted(noise.images, 'image occurs', 'images occur')} more than once, pixel for pixel "
        f"({counted(noise.copies, 'extra copy', 'extra copies')})."
    )
    if not noise.points:
        return text + " They have no keypoint labelled twice by one source, so the label noise is unknown."
    return text + (
        f" Within one source their labels differ by {noise.rms_px:.2f} px (RMS of a coordinate, "
        f"{counted(noise.points, 'point')}); half of the points lie more than {noise.median_px:.2f} px apart. One "
        f"label is off by about {noise.one_label_px:.2f} px per coordinate (√2 less): **this is the label noise**."
    )


def _outside(data: Prepared) -> str:
    beyond = outside_image(data.faces.keypoints, *data.faces.images.shape[1:3])
    text = "## Labels outside the image\n\n"
    if not beyond.any():
        return text + "None."
    rows = data.faces.rows[beyond.any(axis=1)]
    more = f" and {len(rows) - ROWS_LISTED:,} more" if len(rows) > ROWS_LISTED else ""
    listed = ", ".join(map(str, rows[:ROWS_LISTED])) + more
    return text + f"{counted(int(beyond.sum()), 'label')} in {counted(len(rows), 'face')}: row {listed} (from 0)."


def _outliers(data: Prepared, scores: Float64, farthest: Int64) -> str:
    return (
        "## Outliers\n\nThe faces whose shape differs most from the others of their source, after alignment by shift, "
        "rotation and scale. The number after the row is the difference in standard deviations; "
        f"{int((scores > OUTLIER).sum()):,} of {len(data.faces):,} faces are above {OUTLIER:g}. Wrong labels appear "
        "here, and so do profiles and wide open mouths.\n\n"
        + _figure("outliers.png", f"the {len(farthest)} most unusual faces, with their rows")
    )
