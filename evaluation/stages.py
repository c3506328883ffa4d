"""The stages of this package, as manifests and messages name them."""

from common.stage import Stage

EVALUATE = Stage("evaluate", "evaluation.evaluate", "MODEL_DIR --out DIR")
COMPARE = Stage("compare", "evaluation.compare", "--out DIR")
INSPECT = Stage("inspect", "evaluation.inspect", "MODEL_DIR --out DIR")
