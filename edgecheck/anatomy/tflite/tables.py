"""The tables of a `.tflite` file as records: graphs, tensors, operators, and where the buffers are.

https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs, of LiteRT 2.3, from table Model
down. Numbers in calls are slots, places in a vtable (4 is the first field, 6 the next); the comments name the fields.
"""

from __future__ import annotations

from typing import NamedTuple

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import checked_shape
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.flatbuffer import Flat, Table
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.values import Kind

# The part of the schema that finding every byte needs, from TensorType, BuiltinOperator, BuiltinOptions,
# BuiltinOptions2, QuantizationDetails and SparseIndexVector: names of types and operators, and fields that point.

_TYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64
    resource variant uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
"""
#: Tensor types by number, under the names that all formats share here.
TYPES = tuple(_TYPES.split())

_OPERATOR_NAMES = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
    RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
    EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND
    TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
    EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX
    MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV
    SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT
    REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
    REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
    SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU
    REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
    PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
    HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
    READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM
    MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
    STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM
    STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
    STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
    STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
    STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
    STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER
    STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
    STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
#: Built-in operators by number.
OPERATORS = tuple(_OPERATOR_NAMES.split())
#: The operator whose name is in the file.
CUSTOM = 32

#: By the number of `builtin_options`: slots that point to a vector, and the width of its elements; 0 for a string.
OPTIONS: dict[int, dict[int, int]] = {
    3: {6: 4, 8: 4},  # ConcatEmbeddingsOptions: num_columns_per_channel, embedding_dim_per_channel
    8: {14: 1},  # FullyConnectedOptions: quant_spec
    17: {4: 4},  # ReshapeOptions: new_shape
    30: {4: 4},  # SqueezeOptions: squeeze_dims
    111: {4: 0, 6: 0},  # VarHandleOptions: container, shared_name
    115: {4: 4},  # BucketizeOptions: boundaries
}

#: The same for `builtin_options_2`.
OPTIONS_2: dict[int, dict[int, int]] = {
    2: {4: 8},  # StablehloBroadcastInDimOptions: broadcast_dimensions
    3: {4: 8, 6: 8, 8: 8},  # StablehloSliceOptions: start_indices, limit_indices, strides
    # StablehloConvolutionOptions: window_strides, padding, lhs_dilation, rhs_dilation, window_reversal, spatial
    # dimensions of input, kernel and output, precision_config
    4: {4: 8, 6: 8, 8: 8, 10: 8, 12: 1, 18: 8, 24: 8, 30: 8, 36: 4},
    # StablehloCustomCallOptions: call_target_name, backend_config, called_computations, custom_attributes
    5: {4: 0, 8: 0, 12: 4, 14: 1},
    6: {4: 8},  # StablehloReduceOptions: dimensions
    # StablehloScatterOptions: update_window_dims, inserted_window_dims, scatter_dims_to_operand_dims
    7: {6: 8, 8: 8, 10: 8},
    9: {4: 8},  # StablehloDynamicSliceOptions: slice_sizes
    10: {4: 8, 6: 8, 8: 8},  # StablehloPadOptions: edge_padding_low, edge_padding_high, interior_padding
    # StablehloDotGeneralOptions: batching dimensions and contracting dimensions of both sides, precision_config
    12: {4: 8, 6: 8, 8: 8, 10: 8, 12: 4},
    # StablehloReduceWindowOptions: window_dimensions, window_strides, base_dilations, window_dilations, padding
    13: {4: 8, 6: 8, 8: 8, 10: 8, 12: 8},
    # StablehloGatherOptions: offset_dims, collapsed_slice_dims, start_index_map, slice_sizes
    16: {4: 8, 6: 8, 8: 8, 12: 8},
    17: {4: 8},  # StablehloTransposeOptions: permutation
    21: {4: 0, 8: 1},  # StableHLOCompositeOptions: name, composite_attributes
    23: {4: 4},  # StablehloCaseOptions: branch_subgraph_indices
}

#: The same for the details of a tensor's quantisation.
QUANTIZATION_DETAILS: dict[int, dict[int, int]] = {
    1: {4: 1},  # CustomQuantization: custom
    2: {10: 4},  # BlockwiseQuantization: block_shape
    3: {10: 4},  # MultiAxisQuantization: quantized_dimensions
}

#: The same for the index vectors of a sparse dimension: Int32Vector, Uint16Vector, Uint8Vector.
SPARSE_INDICES = {1: {4: 4}, 2: {4: 2}, 3: {4: 1}}


#: The custom operator that the Edge TPU compiler puts in place of those that it takes; its options are an executable.
EDGE_TPU = "edgetpu-custom-op"

_HEADER = Label(Kind.STRUCTURE, "header")
_MODEL = Label(Kind.STRUCTURE, "model record")
_OPCODES = Label(Kind.STRUCTURE, "operator codes")
_OPERATORS = Label(Kind.STRUCTURE, "operators")
_EXECUTABLES = Label(Kind.STRUCTURE, "Edge TPU executables, weights included")
_TENSORS = Label(Kind.STRUCTURE, "tensor records")
_BUFFERS = Label(Kind.STRUCTURE, "buffer records")
_QUANTISATION = Label(Kind.STRUCTURE, "quantisation")
_SPARSITY = Label(Kind.STRUCTURE, "sparsity records")
_SIGNATURES = Label(Kind.STRUCTURE, "signatures")
_NAMES = Label(Kind.METADATA, "names")
_DESCRIPTION = Label(Kind.METADATA, "description")
_METADATA = Label(Kind.METADATA, "metadata records")


class TensorRecord(NamedTuple):
    """A tensor of a graph, with or without data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    """The shape, with -1 for open dimensions; () when none is open."""
    buffer: int
    """Index into `ModelRecord.buffers`."""
    external: int
    """The id of its external buffer, or 0."""
    quantised: bool
    indices: tuple[tuple[int, int], ...]
    """Starts and sizes of the index vectors of a sparse tensor."""


class OperatorRecord(NamedTuple):
    """An operator of a graph; inputs and outputs are indices of tensors."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class GraphRecord(NamedTuple):
    """A subgraph; inputs and outputs are indices of tensors."""

    tensors: tuple[TensorRecord, ...]
    operators: tuple[OperatorRecord, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class External(NamedTuple):
    """A buffer in another file."""

    file: str
    start: int
    size: int


class SignatureRecord(NamedTuple):
    """One way to call a model."""

    key: str
    graph: int
    """The index of the graph that it runs."""
    names: dict[int, str]
    """By the index of an input's or output's tensor in that graph: the name that callers use for it."""


class ModelRecord(NamedTuple):
    """A `.tflite` file."""

    graphs: tuple[GraphRecord, ...]
    buffers: tuple[tuple[int, int], ...]
    """Start and size of the data of each; (0, 0) for none."""
    metadata: dict[int, str]
    """The names of metadata, by the index of the buffer that holds it."""
    externals: dict[int, External]
    """External buffers by their id."""
    signatures: tuple[SignatureRecord, ...] = ()

    def signature(self, key: str) -> SignatureRecord:
        """The signature of that name; without one, the first graph, whose tensors have their own names."""
        return next((each for each in self.signatures if each.key == key), SignatureRecord("", 0, {}))

    def has_data(self, tensor: TensorRecord) -> bool:
        """Whether the file has the tensor's values: it is a constant, and nothing computes it."""
        return bool(tensor.external) or (tensor.buffer < len(self.buffers) and self.buffers[tensor.buffer][1] > 0)


def read_tables(region: Region) -> ModelRecord:
    """Walk the entire file and claim everything except the data of its buffers.

    Raises:
        Damage: an offset leads outside the file.
    """
    flat = Flat(region)
    region.claim(0, 8, _HEADER)  # offset to the root table, file_identifier "TFL3"
    model = flat.table(flat.follow(0), _MODEL)
    codes = [_code(table) for table in model.tables(6, _OPCODES)]  # operator_codes
    model.text(10, _DESCRIPTION)  # description
    metadata = dict.fromkeys(model.ints(14, _METADATA), "of an older kind")  # metadata_buffer
    signatures = tuple(map(_signature, model.tables(18, _SIGNATURES)))  # signature_defs
    # metadata: buffer, name
    metadata |= {table.u32(6): table.text(4, _METADATA) for table in model.tables(16, _METADATA)}
    graphs = tuple(_graph(table, codes, region) for table in model.tables(8, _MODEL))  # subgraphs
    buffers = tuple(_buffer(table) for table in model.tables(12, _BUFFERS))  # buffers
    return ModelRecord(graphs, buffers, metadata, _externals(model), signatures)


def _signature(table: Table) -> SignatureRecord:
    names = {
        entry.u32(6): entry.text(4, _SIGNATURES)  # tensor_index, name
        for slot in (4, 6)  # inputs, outputs
        for entry in table.tables(slot, _SIGNATURES)
    }
    return SignatureRecord(table.text(8, _SIGNATURES), table.u32(12), names)  # signature_key, subgraph_index


def _code(table: Table) -> str:
    """The name of an OperatorCode; it has two fields for the number, because the older one has only a byte."""
    number = max(table.u8(4), table.i32(10))  # deprecated_builtin_code, builtin_code
    custom = table.text(6, _OPCODES)  # custom_code
    if number == CUSTOM:
        return custom or "CUSTOM"
    return OPERATORS[number] if 0 <= number < len(OPERATORS) else f"OPERATOR_{number}"


def _buffer(table: Table) -> tuple[int, int]:
    """Start and size of a Buffer's data: in its vector, or, in files beyond 2 GB, after the flatbuffer."""
    offset, size = table.u64(6), table.u64(8)
    return (offset, size) if offset > 1 else table.content(4, _BUFFERS)  # 0 and 1 mark the vector, data


def _externals(model: Table) -> dict[int, External]:
    """The buffers in other files by their id, each in a group that has the file's name."""
    groups = [table.text(4, _MODEL) for table in model.tables(20, _MODEL)]  # external_buffer_groups: name
    externals = {}
    for table in model.tables(22, _MODEL):  # external_buffers
        table.text(12, _MODEL)  # packing
        if table.u32(6) >= len(groups):
            raise Damage("an external buffer belongs to a group that is missing")
        # id: group, offset, length
        externals[table.u32(4)] = External(groups[table.u32(6)], table.u64(8), table.u64(10))
    return externals


def _graph(table: Table, codes: list[str], region: Region) -> GraphRecord:
    """A SubGraph."""
    table.text(12, _NAMES)  # name
    tensors = tuple(_tensor(entry) for entry in table.tables(4, _TENSORS))  # tensors
    operators = tuple(_operator(entry, codes, region) for entry in table.tables(10, _OPERATORS))  # operators
    return GraphRecord(tensors, operators, table.ints(6, _MODEL), table.ints(8, _MODEL))  # inputs, outputs


def _tensor(table: Table) -> TensorRecord:
    """A Tensor."""
    number = table.u8(6)  # type
    for variant in table.tables(22, _TENSORS):  # variant_tensors
        variant.ints(4, _TENSORS)  # shape
    return TensorRecord(
        name=table.text(10, _NAMES),
        dtype=TYPES[number] if number < len(TYPES) else f"type{number}",
        shape=checked_shape(tuple(max(size, 0) for size in table.ints(4, _TENSORS))),
        signature=table.ints(18, _TENSORS),  # shape_signature
        buffer=table.u32(8),
        external=table.u32(24),  # external_buffer
        quantised=_quantisation(table),
        indices=_indices(table),
    )


def _quantisation(tensor: Table) -> bool:
    """Whether a tensor has QuantizationParameters with a scale or with details; they are claimed."""
    table = tensor.table(12, _QUANTISATION)  # quantization
    if table is None:
        return False
    scales = table.vector(8, 4, _QUANTISATION)[1]  # scale
    table.claim({4: 4, 6: 4, 10: 8}, _QUANTISATION)  # min, max, zero_point
    details = table.table(14, _QUANTISATION)  # details
    if details is not None:
        details.claim(QUANTIZATION_DETAILS.get(table.u8(12), {}), _QUANTISATION)  # details_type
    return scales > 0 or details is not None


def _indices(tensor: Table) -> tuple[tuple[int, int], ...]:
    """Starts and sizes of the index vectors in a tensor's SparsityParameters, which are claimed except for these."""
    table = tensor.table(16, _SPARSITY)  # sparsity
    if table is None:
        return ()
    table.claim({4: 4, 6: 4}, _SPARSITY)  # traversal_order, block_map
    found = []
    for dimension in table.tables(8, _SPARSITY):  # dim_metadata
        for slot in (8, 12):  # array_segments_type, array_indices_type; each is followed by its vector
            widths = SPARSE_INDICES.get(dimension.u8(slot), {})
            holder = dimension.table(slot + 2, _SPARSITY)
            if holder is None or not widths:
                continue
            at, count = holder.vector(4, 0, _SPARSITY)  # values
            found.append((at, count * widths[4]))
    return tuple(found)


def _operator(table: Table, codes: list[str], region: Region) -> OperatorRecord:
    """An Operator; its options are claimed."""
    index = table.u32(4)  # opcode_index
    if index >= len(codes):
        raise Damage(f"an operator has the code {index}, of {len(codes)}")
    for slot, schema in ((12, OPTIONS), (28, OPTIONS_2)):  # builtin_options, builtin_options_2
        options = table.table(slot, _OPERATORS)
        if options is not None:
            options.claim(schema.get(table.u8(slot - 2), {}), _OPERATORS)  # builtin_options_type, …_2_type
    label = _EXECUTABLES if codes[index] == EDGE_TPU else _OPERATORS
    table.claim({14: 1}, label)  # custom_options
    table.claim({18: 1, 20: 4}, _OPERATORS)  # mutating_variable_inputs, intermediates
    if table.u64(22) > 1:  # large_custom_options_offset, after the flatbuffer, and large_custom_options_size
        region.claim(table.u64(22), table.u64(24), label)
    return OperatorRecord(codes[index], table.ints(6, _OPERATORS), table.ints(8, _OPERATORS))  # inputs, outputs
