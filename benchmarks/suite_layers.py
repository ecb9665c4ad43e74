"""Networks of one layer, for every layer of Keras and most modules of torch, with inputs that suit each."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Rows of each input.
CALLS = 4
#: Base classes, parts of layers, layers that run other frameworks, and those that mix several samples.
NO_LAYERS = frozenset(
    [
        "InputLayer",
        "InputSpec",
        "Layer",
        "Wrapper",
        "Lambda",
        "FlaxLayer",
        "JaxLayer",
        "TorchModuleWrapper",
        "TFSMLayer",
        "Pipeline",
        "MaxNumBoundingBoxes",
        "GRUCell",
        "LSTMCell",
        "SimpleRNNCell",
        "StackedRNNCells",
        "CutMix",
        "MixUp",
    ]
)
IMAGE, VOLUME, SEQUENCE, VECTOR = (16, 16, 3), (6, 6, 6, 2), (8, 3), (6,)
#: By layer: the arguments that it needs. `{…}` in a name is a setting that is tried besides the defaults.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "gelu"},
    "AlphaDropout": {"rate": 0.2},
    "CategoryEncoding": {"num_tokens": 8},
    "CenterCrop": {"height": 8, "width": 8},
    "Cropping1D": {"cropping": 2},
    "Cropping2D": {"cropping": 2},
    "Cropping3D": {"cropping": 1},
    "Dense": {"units": 5},
    "Discretization": {"bin_boundaries": [0.2, 0.4, 0.8]},
    "Dot": {"axes": 1},
    "Dropout": {"rate": 0.2},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 5},
    "Embedding": {"input_dim": 8, "output_dim": 4},
    "GRU": {"units": 5},
    "GaussianDropout": {"rate": 0.2},
    "GaussianNoise": {"stddev": 0.2},
    "GroupNormalization": {"groups": 2},
    "GroupQueryAttention": {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2},
    "HashedCrossing": {"num_bins": 8},
    "Hashing": {"num_bins": 8},
    "IntegerLookup": {"vocabulary": [1, 2, 3, 5]},
    "LSTM": {"units": 5},
    "MelSpectrogram": {"num_mel_bins": 8, "fft_length": 64, "sequence_stride": 32, "sampling_rate": 800},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 4},
    "Normalization": {"mean": [0.1] * 6, "variance": [1.5] * 6},
    "Permute": {"dims": (2, 1)},
    "RandomBrightness": {"factor": 0.2},
    "RandomColorDegeneration": {"factor": 0.2},
    "RandomColorJitter": {"brightness_factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomCrop": {"height": 12, "width": 12},
    "RandomErasing": {},
    "RandomHue": {"factor": 0.2},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.2},
    "RandomSharpness": {"factor": 0.2},
    "RandomShear": {"x_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5, "offset": 0.1},
    "Reshape": {"target_shape": (3, 2)},
    "Resizing": {"height": 8, "width": 8},
    "ReversibleEmbedding": {"input_dim": 8, "output_dim": 4},
    "STFTSpectrogram": {"frame_length": 32, "frame_step": 16, "fft_length": 64},
    "SimpleRNN": {"units": 5},
    "SpatialDropout1D": {"rate": 0.2},
    "SpatialDropout2D": {"rate": 0.2},
    "SpatialDropout3D": {"rate": 0.2},
    "StringLookup": {"vocabulary": ["a", "b", "c"]},
    "TextVectorization": {"vocabulary": ["a", "b", "c"], "output_sequence_length": 4},
}
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "Conv2D of groups": ("Conv2D", {"groups": 3, "filters": 6}),
    "Conv1D of groups": ("Conv1D", {"groups": 3, "filters": 6}),
    "Conv2D dilated": ("Conv2D", {"dilation_rate": 2}),
    "Conv2D channels padded": ("Conv2D", {"padding": "same", "strides": 2}),
    "Conv1D causal": ("Conv1D", {"padding": "causal"}),
    "Conv2DTranspose strided": ("Conv2DTranspose", {"padding": "same", "strides": 2}),
    "UpSampling2D bilinear": ("UpSampling2D", {"interpolation": "bilinear"}),
    "Resizing bicubic": ("Resizing", {"interpolation": "bicubic"}),
    "LSTM of sequences": ("LSTM", {"return_sequences": True}),
    "GRU not reset after": ("GRU", {"reset_after": False}),
    "LSTM backwards": ("LSTM", {"go_backwards": True}),
    "BatchNormalization unscaled": ("BatchNormalization", {"scale": False}),
}
#: Layers of several inputs, and how many.
SEVERAL = {
    "Add": 2, "Average": 2, "Concatenate": 2, "Dot": 2, "Maximum": 2, "Minimum": 2, "Multiply": 2, "Subtract": 2,
    "Attention": 2, "AdditiveAttention": 2, "HashedCrossing": 2,
}  # fmt: skip
#: Shapes of inputs without the batch: by layer, and by the dimensions in its name.
SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("GRU", "LSTM", "SimpleRNN", "RNN", "Bidirectional"), SEQUENCE),
    **dict.fromkeys(("TimeDistributed", "Masking", "Permute"), SEQUENCE),
    **dict.fromkeys(("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"), (8, 4)),
    "GroupNormalization": (8, 8, 4),
    "MelSpectrogram": (400,),
    "STFTSpectrogram": (200, 1),
    "StringLookup": (4,),
    "TextVectorization": (1,),
    "HashedCrossing": (1,),
}
OF_SPACE = {1: (12, 3), 2: IMAGE, 3: VOLUME}
OF_CONV_LSTM = {1: (4, 8, 3), 2: (4, 8, 8, 3), 3: (4, 4, 4, 4, 2)}
WHOLE = ("Embedding", "ReversibleEmbedding", "CategoryEncoding", "IntegerLookup", "Hashing", "HashedCrossing")
TEXTS = ("StringLookup", "TextVectorization")
PICTURES = (
    "Random", "Aug", "AutoContrast", "RandAugment", "CenterCrop", "Resizing", "Solarization", "Equalization", "Contrast"
)  # fmt: skip


def keras_names() -> list[str]:
    """Every layer, also under its other names, and layers with settings."""
    import keras

    every = (name for name in dir(keras.layers) if isinstance(getattr(keras.layers, name), type))
    return sorted({name for name in every if name not in NO_LAYERS} | SETTINGS.keys())


def keras_model(name: str) -> tuple[Any, list[NDArray[Any]]]:
    """A model of one layer, whose weights are random, and inputs for it with the sample as first axis."""
    import keras

    kind, settings = SETTINGS.get(name, (name, {}))
    shape = _shape(kind)
    dtype = "int32" if kind in WHOLE else "string" if kind in TEXTS else "float32"
    inputs = [keras.Input(shape, dtype=dtype, name=f"x{at}") for at in range(SEVERAL.get(kind, 1))]
    layer = _layer(kind, {**_needed(kind, shape), **ARGUMENTS.get(kind, {}), **settings})
    if kind in ("MultiHeadAttention", "GroupQueryAttention"):
        output = layer(inputs[0], inputs[0])
    else:
        output = layer(inputs if len(inputs) > 1 else inputs[0])
    model = keras.Model(inputs, output)
    source = np.random.default_rng(3)
    for weight in model.weights:  # moments and scales that do something, too
        if keras.backend.is_float_dtype(weight.dtype) and "seed" not in weight.path:
            weight.assign(0.5 + 0.5 * source.random(weight.shape) if min(weight.shape, default=1) else weight)
    return model, [_values(source, dtype, shape) for _ in inputs]


def _values(source: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if dtype == "int32":
        return source.integers(0, 8, (CALLS, *shape)).astype(np.int32)
    if dtype == "string":
        return source.choice(np.array(["a", "b", "c", "d"], object), (CALLS, *shape))
    return source.random((CALLS, *shape), np.float32)


def _layer(kind: str, arguments: dict[str, Any]) -> Any:
    import keras

    inner = {
        "Bidirectional": lambda: keras.layers.LSTM(4),
        "TimeDistributed": lambda: keras.layers.Dense(4),
        "SpectralNormalization": lambda: keras.layers.Dense(4),
        "RNN": lambda: keras.layers.GRUCell(4),
    }
    first = [inner[kind]()] if kind in inner else []
    return getattr(keras.layers, kind)(*first, **arguments)


def _dimensions(kind: str) -> int:
    """1 to 3 for layers of that many dimensions in space; 0 for others."""
    found = re.search(r"([123])D(?:Transpose)?$", kind)
    return int(found.group(1)) if found else 0


def _shape(kind: str) -> tuple[int, ...]:
    if kind in SHAPES:
        return SHAPES[kind]
    space = _dimensions(kind)
    if space:
        return (OF_CONV_LSTM if kind.startswith("ConvLSTM") else OF_SPACE)[space]
    return IMAGE if kind.startswith(PICTURES) else VECTOR


def _needed(kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """The arguments of families of layers."""
    if kind.startswith("Adaptive"):
        return {"output_size": 4 if len(shape) < 3 or kind.endswith("2D") else 3}
    if kind.startswith(("AveragePooling", "AvgPool", "MaxPool")):
        return {"pool_size": 2}
    if kind.startswith("Depthwise"):
        return {"kernel_size": 3}
    if kind.startswith(("Conv", "Separable")):
        return {"filters": 4, "kernel_size": 3 if max(shape[1:]) > 4 or len(shape) < 4 else 2}
    return {}


# torch

#: By name: an expression of torch.nn, and the shapes of its inputs without the batch; `ids` are whole numbers.
MODULES: dict[str, tuple[str, tuple[tuple[Any, ...], ...]]] = {
    **{
        name: (f"{name}()", ((3, 6),))
        for name in [
            "ELU",
            "GELU",
            "GLU",
            "Hardshrink",
            "Hardsigmoid",
            "Hardswish",
            "Hardtanh",
            "LeakyReLU",
            "LogSigmoid",
            "Mish",
            "PReLU",
            "ReLU",
            "ReLU6",
            "RReLU",
            "SELU",
            "SiLU",
            "Sigmoid",
            "Softplus",
            "Softshrink",
            "Softsign",
            "Tanh",
            "Tanhshrink",
            "Identity",
            "Dropout",
            "AlphaDropout",
            "CELU",
            "Flatten",
        ]
    },
    **{name: (f"{name}(-1)", ((3, 6),)) for name in ("Softmax", "Softmin", "LogSoftmax")},
    **{f"Conv{n}d": (f"Conv{n}d(4, 6, 3)", ((4, *[8] * n),)) for n in (1, 2, 3)},
    **{f"Conv{n}d of groups": (f"Conv{n}d(4, 6, 3, groups=2)", ((4, *[8] * n),)) for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": (f"ConvTranspose{n}d(4, 6, 3, stride=2)", ((4, *[5] * n),)) for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": (f"BatchNorm{n}d(4)", ((4, *[6] * n),)) for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": (f"InstanceNorm{n}d(4, affine=True)", ((4, *[6] * n),)) for n in (1, 2, 3)},
    **{f"MaxPool{n}d": (f"MaxPool{n}d(2)", ((4, *[6] * n),)) for n in (1, 2, 3)},
    **{f"AvgPool{n}d": (f"AvgPool{n}d(2)", ((4, *[6] * n),)) for n in (1, 2, 3)},
    **{f"LPPool{n}d": (f"LPPool{n}d(2, 2)", ((4, *[6] * n),)) for n in (1, 2)},
    **{f"AdaptiveAvgPool{n}d": (f"AdaptiveAvgPool{n}d(3)", ((4, *[6] * n),)) for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": (f"AdaptiveMaxPool{n}d(3)", ((4, *[6] * n),)) for n in (1, 2, 3)},
    **{f"{kind}Pad2d": (f"{kind}Pad2d(2)", ((3, 6, 6),)) for kind in ("Reflection", "Replication", "Zero", "Circular")},
    "ConstantPad2d": ("ConstantPad2d(2, 0.5)", ((3, 6, 6),)),
    "Linear": ("Linear(6, 4)", ((6,),)),
    "Linear without bias": ("Linear(6, 4, bias=False)", ((6,),)),
    "Bilinear": ("Bilinear(6, 4, 3)", ((6,), (4,))),
    "Embedding": ("Embedding(8, 4)", (("ids", 5),)),
    "EmbeddingBag": ("EmbeddingBag(8, 4)", (("ids", 5),)),
    "RNN": ("RNN(4, 5, batch_first=True)", ((6, 4),)),
    "GRU": ("GRU(4, 5, batch_first=True)", ((6, 4),)),
    "LSTM": ("LSTM(4, 5, batch_first=True)", ((6, 4),)),
    "LSTM both ways": ("LSTM(4, 5, 2, batch_first=True, bidirectional=True)", ((6, 4),)),
    "LayerNorm": ("LayerNorm(6)", ((3, 6),)),
    "RMSNorm": ("RMSNorm(6)", ((3, 6),)),
    "GroupNorm": ("GroupNorm(2, 4)", ((4, 6, 6),)),
    "LocalResponseNorm": ("LocalResponseNorm(2)", ((4, 6, 6),)),
    "CosineSimilarity": ("CosineSimilarity()", ((6,), (6,))),
    "PairwiseDistance": ("PairwiseDistance()", ((6,), (6,))),
    "PixelShuffle": ("PixelShuffle(2)", ((4, 3, 3),)),
    "PixelUnshuffle": ("PixelUnshuffle(2)", ((1, 6, 6),)),
    "ChannelShuffle": ("ChannelShuffle(2)", ((4, 3, 3),)),
    "Upsample": ("Upsample(scale_factor=2)", ((3, 5, 5),)),
    "Upsample bilinear": ("Upsample(scale_factor=2, mode='bilinear')", ((3, 5, 5),)),
    "Upsample bicubic": ("Upsample(scale_factor=2, mode='bicubic')", ((3, 5, 5),)),
    "Unfold": ("Unfold(2)", ((3, 6, 6),)),
    "Fold": ("Fold((4, 4), 2)", ((12, 9),)),
    "MultiheadAttention": ("MultiheadAttention(8, 2, batch_first=True)", ((5, 8), (5, 8), (5, 8))),
    "TransformerEncoderLayer": ("TransformerEncoderLayer(8, 2, 16, batch_first=True)", ((5, 8),)),
    "TransformerDecoderLayer": ("TransformerDecoderLayer(8, 2, 16, batch_first=True)", ((5, 8), (5, 8))),
}


def torch_names() -> list[str]:
    """The modules of torch."""
    return sorted(MODULES)


def torchvision_names() -> list[str]:
    """A network of each kind that torchvision has."""
    return [
        f"torchvision:{name}"
        for name in [
            "alexnet",
            "convnext_tiny",
            "densenet121",
            "efficientnet_b0",
            "googlenet",
            "mnasnet0_5",
            "mobilenet_v2",
            "mobilenet_v3_small",
            "regnet_x_400mf",
            "resnet18",
            "resnext50_32x4d",
            "shufflenet_v2_x0_5",
            "squeezenet1_0",
            "swin_t",
            "vgg11",
            "vit_b_16",
        ]
    ]


def timm_names() -> list[str]:
    """A small network of each kind in timm."""
    return [
        f"timm:{name}"
        for name in [
            "convnext_atto",
            "crossvit_tiny_240",
            "deit_tiny_patch16_224",
            "edgenext_xx_small",
            "efficientnet_lite0",
            "ghostnet_050",
            "levit_128s",
            "mixer_s32_224",
            "mobilenetv4_conv_small",
            "mobileone_s0",
            "mobilevit_xxs",
            "poolformer_s12",
            "repvgg_a0",
            "resnet10t",
            "tinynet_e",
            "tiny_vit_5m_224",
        ]
    ]


def torch_module(name: str) -> tuple[Any, tuple[tuple[Any, ...], ...]]:
    """A module, and the shapes of its inputs without the batch."""
    import torch

    package, _, network = name.rpartition(":")
    if package == "torchvision":
        torchvision: Any = importlib.import_module(package)

        return torchvision.models.get_model(network, weights=None, **_quiet(network)), ((3, 224, 224),)
    if package == "timm":
        timm: Any = importlib.import_module(package)

        module = timm.create_model(network, pretrained=False)
        return module, (tuple(module.pretrained_cfg["input_size"]),)
    written, shapes = MODULES[name]
    # The expressions are this file's own.
    return eval(f"nn.{written}", {"nn": torch.nn}), shapes


def _quiet(network: str) -> dict[str, Any]:
    return {"aux_logits": False, "init_weights": True} if network == "googlenet" else {}
