"""The part of TFLite's schema that finding every byte needs: names of types and operators, and fields that point.

https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs, of LiteRT 2.3: TensorType,
BuiltinOperator, BuiltinOptions, BuiltinOptions2, QuantizationDetails and SparseIndexVector. Slots are places in a
vtable: 4 for the first field, 6 for the next.
"""

from __future__ import annotations

_TYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64
    resource variant uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
"""
#: Tensor types by number, under the names that all formats share here.
TYPES = tuple(_TYPES.split())

_OPERATORS = """
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
OPERATORS = tuple(_OPERATORS.split())
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
