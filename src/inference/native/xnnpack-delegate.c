/*
 * TFLite 2.9 inside tfjs-tflite-node contains XNNPACK and does not apply it. This library makes the
 * runtime's own XNNPACK delegate loadable as an external delegate, and is a Node addon as well, so
 * that Node reports a failing load as an error and the share of delegated operators can be read.
 */
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/c/common.h"

/* tensorflow v2.9.0, tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h; not shipped in the package. */
#define XNNPACK_FLAG_QS8 0x00000001u
typedef struct {
  int32_t num_threads;
  uint32_t flags;
  struct TfLiteXNNPackDelegateWeightsCache* weights_cache;
} XnnpackOptions;
extern TfLiteDelegate* TfLiteXNNPackDelegateCreate(const XnnpackOptions* options);
extern void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);

#define EXPORT __attribute__((visibility("default")))

static TfLiteStatus (*xnnpack_prepare)(TfLiteContext*, TfLiteDelegate*);
static int32_t total_operators = 0;
static int32_t delegated_operators = 0;

static int32_t operators_left(TfLiteContext* context) {
  TfLiteIntArray* plan = NULL;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return 0;
  int32_t left = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) == kTfLiteOk &&
        node->delegate == NULL) {
      left++;
    }
  }
  return left;
}

static TfLiteStatus prepare_and_count(TfLiteContext* context, TfLiteDelegate* delegate) {
  const int32_t before = operators_left(context);
  const TfLiteStatus status = xnnpack_prepare(context, delegate);
  if (status == kTfLiteOk) {
    total_operators = before;
    delegated_operators = before - operators_left(context);
  }
  return status;
}

/* The two symbols of an external delegate: tensorflow/lite/delegates/external/external_delegate.cc. */
EXPORT TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                                     void (*report_error)(const char*)) {
  (void)keys;
  (void)values;
  (void)count;
  const XnnpackOptions options = {.num_threads = 1, .flags = XNNPACK_FLAG_QS8, .weights_cache = NULL};
  TfLiteDelegate* delegate = TfLiteXNNPackDelegateCreate(&options);
  if (delegate == NULL) {
    if (report_error != NULL) report_error("XNNPACK cannot start on this processor");
    return NULL;
  }
  xnnpack_prepare = delegate->Prepare;
  delegate->Prepare = prepare_and_count;
  return delegate;
}

EXPORT void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) {
  TfLiteXNNPackDelegateDelete(delegate);
}

static napi_value read_counter(napi_env env, napi_callback_info info) {
  void* counter = NULL;
  napi_value result = NULL;
  napi_get_cb_info(env, info, NULL, NULL, NULL, &counter);
  napi_create_int32(env, *(int32_t*)counter, &result);
  return result;
}

EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {.utf8name = "totalOperators", .getter = read_counter, .attributes = napi_enumerable,
       .data = &total_operators},
      {.utf8name = "delegatedOperators", .getter = read_counter, .attributes = napi_enumerable,
       .data = &delegated_operators},
  };
  napi_define_properties(env, exports, 2, properties);
  return exports;
}
