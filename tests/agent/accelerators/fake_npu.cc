// A delegate of TensorFlow Lite that pretends to be an NPU: it takes every ABS, and computes it, or misbehaves.
//
// What it does is in its file's name: libnpu-rubbish.so, … (see `mode`). The declarations are what this file uses of
// tensorflow/lite/core/c/common.h and tensorflow/lite/delegates/external/external_delegate_interface.h.

#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern "C" {

struct Array {
  int size;
  int data[];
};

struct Delegate;

struct Tensor {
  int type;
  float* data;
  Array* dims;
  float scale;
  int zero_point;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  Delegate* delegate;
  int buffer_handle;
  bool is_stale;
  bool is_variable;
  struct {
    int type;
    void* params;
  } quantization;
  void* sparsity;
  const Array* dims_signature;
};

struct Node {
  Array* inputs;
  Array* outputs;
};

struct Context;

struct Registration {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* (*async_kernel)(Context*, Node*);
  uint64_t inplace_operator;
};

struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context*, Array**);
  Tensor* tensors;
  void* impl;
  int (*ResizeTensor)(Context*, Tensor*, Array*);
  void (*ReportError)(Context*, const char*, ...);
  int (*AddTensors)(Context*, int, int*);
  int (*GetNodeAndRegistration)(Context*, int, Node**, Registration**);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context*, Registration, const Array*, Delegate*);
};

struct Delegate {
  void* data;
  int (*Prepare)(Context*, Delegate*);
  int (*CopyFromBufferHandle)(Context*, Delegate*, int, Tensor*);
  int (*CopyToBufferHandle)(Context*, Delegate*, int, Tensor*);
  void (*FreeBufferHandle)(Context*, Delegate*, int*);
  int64_t flags;
  void* opaque_delegate_builder;
};

static const int kAbs = 101;  // BuiltinOperator_ABS

// The part of the file's name between `libnpu-` and `.so`.
static bool mode(const char* wanted) {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&mode), &info)) return false;
  const char* name = strrchr(info.dli_fname, '-');
  return name && !strncmp(name + 1, wanted, strlen(wanted));
}

static int runs = 0;

static int invoke(Context* context, Node* node) {
  Tensor* in = &context->tensors[node->inputs->data[0]];
  Tensor* out = &context->tensors[node->outputs->data[0]];
  if (mode("crash")) abort();
  if (mode("hang")) pause();
  if (mode("slow")) usleep(5000);
  for (size_t at = 0; at < out->bytes / sizeof(float); ++at) {
    out->data[at] = mode("rubbish") ? 0.0f : fabsf(in->data[at]);
    if (mode("wander")) out->data[at] += 0.01f * static_cast<float>(runs % 7);
  }
  ++runs;
  return 0;
}

static int prepare(Context*, Node*) { return 0; }

static int take(Context* context, Delegate* delegate) {
  Array* plan;
  if (context->GetExecutionPlan(context, &plan)) return 1;
  Array* taken = static_cast<Array*>(malloc(sizeof(int) * (plan->size + 1)));
  taken->size = 0;
  for (int at = 0; at < plan->size; ++at) {
    Node* node;
    Registration* registration;
    if (context->GetNodeAndRegistration(context, plan->data[at], &node, &registration)) return 1;
    if (registration->builtin_code == kAbs && !mode("idle")) taken->data[taken->size++] = plan->data[at];
  }
  Registration ours = {};
  ours.prepare = prepare;
  ours.invoke = invoke;
  ours.custom_name = "FakeNpu";
  ours.version = 1;
  int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, ours, taken, delegate);
  free(taken);
  return status;
}

Delegate* tflite_plugin_create_delegate(char**, char**, size_t, void (*report_error)(const char*)) {
  if (mode("absent")) {
    report_error("no NPU answers on the bus");
    return nullptr;
  }
  Delegate* made = static_cast<Delegate*>(calloc(1, sizeof(Delegate)));
  made->Prepare = take;
  return made;
}

void tflite_plugin_destroy_delegate(Delegate* made) { free(made); }

}  // extern "C"
