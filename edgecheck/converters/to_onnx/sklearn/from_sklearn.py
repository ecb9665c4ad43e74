"""scikit-learn to float32 `.onnx` by skl2onnx, with what it drops or writes differently: missing values and scores."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import sklearn
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

from edgecheck.converters.interface import Made, Request
from edgecheck.converters.sources.sklearn_model import FEATURES, SklearnModel, in_order, steps
from edgecheck.converters.sources.sklearn_rows import best_found, members
from edgecheck.converters.to_onnx.sklearn import boosters, equivalents, precision
from edgecheck.converters.to_onnx.sklearn.equivalents import equivalent
from edgecheck.converters.to_onnx.sklearn.trial import CLOSE, Trial
from edgecheck.errors import ConversionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: The opsets that outdated converters of skl2onnx's need (IsolationForest's).
_OLDER = {"": 15, "ai.onnx.ml": 3}

#: What skl2onnx raises for a setting that it does not convert, of a model that it does.
_REFUSALS = (NotImplementedError, RuntimeError, NameError, TypeError, ValueError)


def convert(request: Request, folder: Path) -> Made:
    """Convert a fitted model; its probabilities become one tensor instead of a list of dicts.

    Raises:
        ConversionError: skl2onnx has no converter for one of its parts.
    """
    source = SklearnModel(request)
    trial = Trial(source, request)  # before the model is changed
    estimator = equivalent(source.model, request.title)
    libraries = boosters.register(estimator)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _converted(source, estimator)
    except (MissingConverter, MissingShapeCalculator, *_REFUSALS) as error:
        raise _not_converted(source, request.title, error) from error
    except Exception as error:
        if not libraries:
            raise
        raise _not_converted(source, request.title, error, boosters.INSTEAD) from error
    _correct(model, estimator)
    if source.is_classifier:
        _match_decisions(model, source, trial)
    trial.ensure_same(model)
    for library in libraries:
        boosters.ensure_same(model, source, request.title, library)
    made = folder / "model.onnx"
    onnx.save(model, made)
    used = "".join(f", {each.title} {version(each.module)}" for each in libraries)
    route = f"skl2onnx {version('skl2onnx')}, scikit-learn {sklearn.__version__}{used}"
    return Made((made,), route, (*_notes(source), _sizes(request, made)))


def _notes(source: SklearnModel) -> tuple[str, ...]:
    """The order of named columns, and what float32 inputs lose."""
    return (*([in_order(source.names)] if source.names else []), *precision.float32_notes(source.model))


def _sizes(request: Request, made: Path) -> str:
    return f"{request.model.stat().st_size:,} bytes as .{request.source}, {made.stat().st_size:,} as .onnx."


def _correct(model: onnx.ModelProto, estimator: Any) -> None:
    """Write what skl2onnx loses: thresholds that float32 rounds up, and where missing values go."""
    for part in steps(estimator):
        precision.round_thresholds_down(model, part)
    boosters.round_down(model, estimator)
    _follow_missing_values(model, estimator)


def _not_converted(
    source: SklearnModel,
    title: str,
    error: Exception,
    hint: str = "Train a model that it converts: forests, boosting, linear models, SVMs, MLPs and pipelines of them.",
) -> ConversionError:
    return ConversionError(f"skl2onnx does not convert the {_name(source.model)} in {title}: {_reason(error)}.", hint)


def _converted(source: SklearnModel, estimator: Any) -> onnx.ModelProto:
    """Convert, with the settings that fit the kind of model.

    An option has to be set for the classifier itself: one of the pipeline around it would be passed to classifiers that
    do not have the option, such as LinearSVC.
    """
    settings: dict[str, Any] = {
        "initial_types": [(FEATURES, FloatTensorType([None, source.ports[0].dims[1]]))],
        "custom_conversion_functions": {**precision.SCALER_CONVERTERS, **equivalents.CONVERTERS},
        "custom_shape_calculators": {**precision.SCALER_SHAPES, **equivalents.SHAPES},
    }
    last = id(list(steps(estimator))[-1])
    plain = {last: {"zipmap": False}} if source.is_classifier else None
    try:
        return convert_sklearn(estimator, options=plain, **settings)
    except NameError:  # a classifier without that option returns a tensor anyway
        return convert_sklearn(estimator, options={last: {}}, **settings)
    except RuntimeError as error:
        if "target_opset" not in str(error):
            raise
        return convert_sklearn(estimator, options=plain, target_opset=_OLDER, **settings)


def _name(model: Any) -> str:
    """The name of a model's class; of a pipeline, those of its steps."""
    return " > ".join(type(step).__name__ for step in steps(model))


def _reason(error: Exception) -> str:
    """The first line of what skl2onnx says, without its invitation to open an issue."""
    if isinstance(error, KeyError):  # XGBoost's configuration of other boosters lacks what onnxmltools reads
        return f"its configuration has no {error}"
    return str(error).partition("\n")[0].partition(" You may raise")[0][:160].rstrip(".")


# For two classes, `decision_function` is a single score. skl2onnx writes one column or two, depending on the
# classifier. Of two columns, the second is the score for linear models and its negative for SVC and NuSVC, where the
# larger column then belongs to the class that was not chosen.


def _match_decisions(model: onnx.ModelProto, source: SklearnModel, trial: Trial) -> None:
    """Make the second output `decision_function`, of shape [rows, 1] for two classes, if the classifier has it.

    It stays unchanged for classifiers with probabilities, and if its layout is unknown. It is removed if the classifier
    has neither, as with hard voting.

    Args:
        model: The converted classifier; its outputs are a label and scores.
        source: The classifier.
        trial: The rows, and the classifier's answers.
    """
    wanted = trial.outputs[1:]
    if not wanted:
        del model.graph.output[1:]
    elif not hasattr(source.model, "predict_proba") and wanted[0].ndim == 1:
        _one_score(model, wanted[0], trial.run(model)[1])


def _one_score(model: onnx.ModelProto, wanted: NDArray[Any], found: NDArray[Any]) -> None:
    """Keep only the column that equals the wanted scores, if one does."""
    scores = model.graph.output[1]
    if found.shape[1] > 1:
        far = np.nanmax(np.abs(found - wanted[:, None]), axis=0)
        if far.min() > CLOSE * np.abs(wanted).max():
            return
        _take(model, scores.name, int(np.argmin(far)))
    scores.CopyFrom(helper.make_tensor_value_info(scores.name, TensorProto.FLOAT, [None, 1]))


def _take(model: onnx.ModelProto, name: str, column: int) -> None:
    """Replace an output by one of its columns."""
    both = f"{name}_of_both_classes"
    for node in model.graph.node:
        for places in (node.input, node.output):
            for at, each in enumerate(places):
                if each == name:
                    places[at] = both
    index = f"{name}_column"
    model.graph.initializer.append(numpy_helper.from_array(np.array([column], np.int64), index))
    model.graph.node.append(helper.make_node("Gather", [both, index], [name], name=index, axis=1))


def _follow_missing_values(model: onnx.ModelProto, estimator: Any) -> None:
    """Set `nodes_missing_value_tracks_true` of every tree as scikit-learn's tree has it.

    Trees are found by their features and thresholds, which differ by float32's rounding only, and among equal ones in
    the order of the ensemble. A tree that is not scikit-learn's own, as those of histogram boosting, stays unchanged.

    Args:
        model: What skl2onnx made of `estimator`.
        estimator: A fitted model.
    """
    known: dict[tuple[int, ...], list[Any]] = defaultdict(list)
    for tree in _trees(estimator):
        known[tuple(tree.feature[tree.children_left >= 0])].append(tree)
    for node in model.graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            _follow(node, known)


def _follow(node: onnx.NodeProto, known: dict[tuple[int, ...], list[Any]]) -> None:
    attributes = {each.name: each for each in node.attribute}
    ids, places = np.array(attributes["nodes_treeids"].ints), np.array(attributes["nodes_nodeids"].ints)
    features = np.array(attributes["nodes_featureids"].ints)
    values = np.array(attributes["nodes_values"].floats, dtype=np.float32)
    inner = np.array([mode != precision.LEAF for mode in attributes["nodes_modes"].strings])
    tracks = attributes.get("nodes_missing_value_tracks_true")
    if tracks is None:
        tracks = node.attribute.add(name="nodes_missing_value_tracks_true", type=7)  # AttributeProto.INTS
    directions = np.array(tracks.ints or np.zeros(len(ids)), dtype=np.int64)
    for tree_id in np.unique(ids):
        chosen = (ids == tree_id) & inner
        candidates = known.get(tuple(features[chosen][np.argsort(places[chosen])]), [])
        at = places[chosen]
        for tree in candidates:
            if np.allclose(tree.threshold[at], values[chosen], rtol=1e-6, atol=1e-30):
                directions[chosen] = tree.missing_go_to_left[at]
                candidates.remove(tree)
                break
    del tracks.ints[:]
    tracks.ints.extend(int(each) for each in directions)


def _trees(part: Any) -> Iterator[Any]:
    """scikit-learn's trees in `part`, in its order."""
    part = best_found(part)
    tree = getattr(part, "tree_", None)
    if tree is not None:
        if hasattr(tree, "missing_go_to_left"):  # since 1.3
            yield tree
        return
    for _, step in getattr(part, "steps", ()):
        yield from _trees(step)
    for member in members(part):
        yield from _trees(member)
    if (last := getattr(part, "final_estimator_", None)) is not None:
        yield from _trees(last)
