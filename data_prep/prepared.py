"""Groups and splits faces and fills their gaps. N faces, K keypoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.csv_table import shown_names
from data_prep.faces import Faces, Split, never_labelled
from data_prep.grouping import duplicate_groups, join_groups
from data_prep.impute import hidden_label_errors, impute
from data_prep.outliers import outside_image
from data_prep.split import few_faces, sizes_text, split
from facial_keypoints.array_types import Bool, Float32, Int64
from facial_keypoints.errors import InputError, counted

SKIPPED_SHOWN = 5  # skipped faces in the printed summary; the report lists all


@dataclass(frozen=True)
class Prepared:
    """The content of a data folder and its report.

    Attributes:
        faces: N faces as read, with gaps.
        keypoints: float32 (N, K, 2) in px, gaps filled.
        duplicates: int64 (N,), equal for pixel-identical images.
        groups: int64 (N,), equal for faces that the grouped split keeps together.
        indexes: the faces of each split, int64 indexes by `train`, `val`, `test`.
        fitted: bool (N,), the faces that the imputer was fitted on.
        imputer: the method that filled the gaps.
        hidden_errors: RMSE in px of each imputation method on hidden labels; can be empty.
        split_method: how the splits were made.
    """

    faces: Faces
    keypoints: Float32
    duplicates: Int64
    groups: Int64
    indexes: Mapping[str, Int64]
    fitted: Bool
    imputer: str
    hidden_errors: Mapping[str, float]
    split_method: str

    def source_name(self, label_source: int) -> str:
        return self.faces.keypoint_set.label_sources[label_source].name

    def all_faces(self) -> Split:
        """Returns the faces of all splits, in the order of `faces`."""
        faces = self.faces
        return Split(
            images=faces.images,
            keypoints=self.keypoints,
            labelled=faces.labelled,
            rows=faces.rows,
            groups=self.groups,
            label_sources=faces.label_sources,
            crops=faces.crops,
            visible=faces.labelled & ~faces.occluded if faces.knows_occluded else None,
        )


def prepare(faces: Faces, split_method: str, imputer: str, seed: int) -> Prepared:
    """Returns the faces with their splits, and with gaps filled.

    Args:
        split_method: see `data_prep.split.split`; with `published` and `all-test` the imputer is fitted on all faces.
        imputer: a method of `data_prep.impute`.
        seed: for the split.

    Raises:
        InputError: the faces cannot be split this way, or the training split has no label.
    """
    labelled = faces.labelled
    duplicates = duplicate_groups(faces.images)
    groups = join_groups(duplicates, faces.groups) if (faces.groups != "").any() else duplicates
    indexes = split(split_method, groups, seed, faces.official_splits)
    training, held_out = np.zeros((2, len(faces)), bool)
    training[indexes["train"]], held_out[indexes["val"]] = True, True
    only_test = split_method == "all-test"
    fitted = training | only_test | (split_method == "published")
    if not labelled[fitted].any():
        raise InputError("the training split has no label; bring more labelled faces or another --seed")
    return Prepared(
        faces=faces,
        keypoints=impute(imputer, faces.keypoints, fitted),
        duplicates=duplicates,
        groups=groups,
        indexes=indexes,
        fitted=fitted,
        imputer=imputer,
        hidden_errors={}
        if only_test
        else hidden_label_errors(faces.keypoints, faces.label_sources, training, held_out),
        split_method=split_method,
    )


def gaps(data: Prepared) -> dict[str, Any]:
    """Returns, for the manifest, the keypoints that each label source and the imputer have no labels for."""
    keypoint_set, labelled, label_sources = data.faces.keypoint_set, data.faces.labelled, data.faces.label_sources
    by_source = {
        keypoint_set.label_sources[label_source].name: {
            "faces": int((label_sources == label_source).sum()),
            "never_labelled": never_labelled(labelled[label_sources == label_source], keypoint_set),
        }
        for label_source in np.unique(label_sources)
    }
    return {"sources": by_source, "imputed_without_labels": never_labelled(labelled[data.fitted], keypoint_set)}


def summary(data: Prepared, gaps: Mapping[str, Any]) -> list[str]:
    """Returns the lines of the printed summary: faces, splits, missing labels."""
    faces, labelled, method = data.faces, data.faces.labelled, data.split_method
    lines = [
        f"{len(faces)} faces, {method} split: {sizes_text(method, data.indexes)}",
        f"{100 * labelled.mean():.1f} % of the keypoints are labelled"
        + ("" if labelled.all() else f", the others imputed by {data.imputer}"),
        *gaps_text(gaps),
    ]
    lines += unnamed_inputs(faces) + small_splits(data)
    if outside := int(outside_image(faces.keypoints, *faces.images.shape[1:3]).sum()):
        lines.append(f"{outside} labels lie outside their image, see report.md")
    if occluded := int(faces.occluded.sum()):
        lines.append(f"{occluded:,} labels are of occluded keypoints; they count as labelled")
    if skipped := faces.skipped:
        lines.append(f"skipped {counted(len(skipped), 'face')} that cannot be used:")
        lines += [f"  {line}" for line in skipped[:SKIPPED_SHOWN]]
        if len(skipped) > SKIPPED_SHOWN:
            lines.append(f"  and {len(skipped) - SKIPPED_SHOWN:,} more, see report.md")
    return lines


def small_splits(data: Prepared) -> list[str]:
    """Returns a warning, at most one line, if val or test has too few faces for reliable figures.

    No warning for `all-test`, whose faces can be meant as additional training faces of another data folder.
    """
    if data.split_method == "all-test":
        return []
    small = [few_faces(name, data.groups[data.indexes[name]]) for name in ("val", "test")]
    if not any(small):
        return []
    return [
        f"{' and '.join(filter(None, small))}, too few for reliable figures: add labelled faces, or prepare with "
        "several --seed and see how much the results differ"
    ]


def unnamed_inputs(faces: Faces) -> list[str]:
    """Returns a line that lists the inputs that name no people, if there are any."""
    if not faces.unnamed:
        return []
    names = ", ".join(faces.unnamed)
    return [f"no people are named in {names}: one person may be in several pictures, and in two splits"]


def gaps_text(gaps: Mapping[str, Any]) -> list[str]:
    """Returns the result of `gaps` as lines."""
    lines = []
    for name, label_source in gaps["sources"].items():
        missing = label_source["never_labelled"]
        lines.append(
            f"label source {name}: {label_source['faces']} faces"
            + (f", no label for {len(missing)} keypoints ({shown_names(missing)})" if missing else "")
        )
    if missing := gaps["imputed_without_labels"]:
        lines.append(f"no label to impute {shown_names(missing)} from: placed at the mean of each face, as unlabelled")
    return lines
