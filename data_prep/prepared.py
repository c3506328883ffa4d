"""Faces made ready to train on: grouped, split, their gaps filled. N faces, K keypoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.faces import Faces, Split, labelled_points, never_labelled
from data_prep.grouping import duplicate_groups, join_groups
from data_prep.impute import hidden_label_errors, impute
from data_prep.outliers import outside_image
from data_prep.readers.labels import shown_names
from data_prep.split import sizes_text, split
from facial_keypoints.array_types import Bool, Float32, Int64
from facial_keypoints.errors import InputError

SKIPPED_SHOWN = 5  # faces that were left out, in the printed summary; the report lists all


@dataclass(frozen=True)
class Prepared:
    """What the data folder and its report are made of.

    Attributes:
        faces: N faces as read, gaps and all.
        keypoints: float32 (N, K, 2) in px, gaps filled.
        labelled: bool (N, K), the real labels.
        sources: int64 (N,), the label source of each face.
        duplicates: int64 (N,), one number for pixel-identical images.
        groups: int64 (N,), one number for faces that the grouped split keeps together.
        indexes: the faces of each part, int64 indexes by `train`, `val`, `test`.
        learnt_from: bool (N,), the faces that the imputer learnt from.
        imputer: the method that filled the gaps.
        hidden_errors: RMSE in px of each imputation method on hidden known labels; may be empty.
        split_method: how the splits were made.
    """

    faces: Faces
    keypoints: Float32
    labelled: Bool
    label_sources: Int64
    duplicates: Int64
    groups: Int64
    indexes: Mapping[str, Int64]
    learnt_from: Bool
    imputer: str
    hidden_errors: Mapping[str, float]
    split_method: str

    def source_name(self, label_source: int) -> str:
        return self.faces.keypoint_set.label_sources[label_source].name

    def split(self, name: str) -> Split:
        """Returns the faces of `train`, `val` or `test`."""
        i, faces = self.indexes[name], self.faces
        crops = None if faces.crops is None else faces.crops[i]
        return Split(
            faces.images[i],
            self.keypoints[i],
            self.labelled[i],
            faces.rows[i],
            self.groups[i],
            self.label_sources[i],
            crops,
        )


def prepare(faces: Faces, split_method: str, imputer: str, seed: int) -> Prepared:
    """Returns the faces, which have label sources, split and with their gaps filled.

    Args:
        split_method: see `data_prep.split.split`; with `published` and `all-test` the imputer learns from every face.
        imputer: a method of `data_prep.impute`.
        seed: of the split.

    Raises:
        InputError: they cannot be split so, or the training part has no label.
    """
    assert faces.label_sources is not None
    labelled = labelled_points(faces.keypoints)
    duplicates = duplicate_groups(faces.images)
    groups = duplicates if faces.groups is None else join_groups(duplicates, faces.groups)
    indexes = split(split_method, groups, seed, faces.official_splits)
    training, held_out = np.zeros((2, len(faces)), bool)
    training[indexes["train"]], held_out[indexes["val"]] = True, True
    only_test = split_method == "all-test"
    learn_from = training | only_test | (split_method == "published")
    if not labelled[learn_from].any():
        raise InputError("the training part has no label; bring more labelled faces or another --seed")
    keypoints = impute(imputer, faces.keypoints, learn_from)
    hidden = {} if only_test else hidden_label_errors(faces.keypoints, faces.label_sources, training, held_out)
    return Prepared(
        faces,
        keypoints,
        labelled,
        faces.label_sources,
        duplicates,
        groups,
        indexes,
        learn_from,
        imputer,
        hidden,
        split_method,
    )


def gaps(data: Prepared) -> dict[str, Any]:
    """Returns, for the manifest, which keypoints each label source and the imputer get no labels for."""
    keypoint_set, labelled, label_sources = data.faces.keypoint_set, data.labelled, data.label_sources
    by_source = {
        keypoint_set.label_sources[label_source].name: {
            "faces": int((label_sources == label_source).sum()),
            "never_labelled": never_labelled(labelled[label_sources == label_source], keypoint_set),
        }
        for label_source in np.unique(label_sources)
    }
    return {"sources": by_source, "imputed_without_labels": never_labelled(labelled[data.learnt_from], keypoint_set)}


def summary(data: Prepared, gaps: Mapping[str, Any]) -> list[str]:
    """Returns the lines that say how many faces there are, how they are split and what is not labelled."""
    faces, labelled, method = data.faces, data.labelled, data.split_method
    lines = [
        f"{len(faces)} faces, {method} split: {sizes_text(method, data.indexes)}",
        f"{100 * labelled.mean():.1f} % of the keypoints are labelled"
        + ("" if labelled.all() else f", the others imputed by {data.imputer}"),
        *gaps_text(gaps),
    ]
    lines += who_is_named(faces)
    if outside := int(outside_image(faces.keypoints, *faces.images.shape[1:3]).sum()):
        lines.append(f"{outside} labels lie outside their image, see report.md")
    if hidden := occluded(faces):
        lines.append(f"{hidden:,} labels are of occluded keypoints; they count as labelled")
    if skipped := faces.skipped:
        lines.append(f"{len(skipped):,} {'face' if len(skipped) == 1 else 'faces'} left out, which cannot be used:")
        lines += [f"  {line}" for line in skipped[:SKIPPED_SHOWN]]
        if len(skipped) > SKIPPED_SHOWN:
            lines.append(f"  and {len(skipped) - SKIPPED_SHOWN:,} more, see report.md")
    return lines


def occluded(faces: Faces) -> int:
    """Returns how many labels are of occluded keypoints."""
    return 0 if faces.visible is None else int((labelled_points(faces.keypoints) & ~faces.visible).sum())


def who_is_named(faces: Faces) -> list[str]:
    """Returns a line that says which sources name nobody; none where all name people."""
    if not faces.nameless:
        return []
    names = ", ".join(faces.nameless)
    return [f"nobody is named in {names}: one person may be in several pictures, and on two sides of the split"]


def gaps_text(gaps: Mapping[str, Any]) -> list[str]:
    """Returns the lines that say what `gaps` returns."""
    lines = []
    for name, label_source in gaps["sources"].items():
        missing = label_source["never_labelled"]
        lines.append(
            f"label source {name}: {label_source['faces']} faces"
            + (f", no label for {len(missing)} keypoints ({shown_names(missing)})" if missing else "")
        )
    if missing := gaps["imputed_without_labels"]:
        lines.append(f"no label to impute {shown_names(missing)} from: put into the middle of each face, as unlabelled")
    return lines
