/*
 * Stands in for libedgetpu in tests: an external delegate that claims every edgetpu-custom-op and
 * writes an output that nothing else would: byte i is the first input byte + i + the length of the
 * value of the one delegate option. FAIL_CREATE, FAIL_PREPARE and FAIL_INVOKE make it refuse there,
 * FAIL_INVOKE at the given call (1 is the first), as a device that has been pulled out does.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/lite/c/common.h"

static size_t option_length = 0;

static void* init(TfLiteContext* context, const char* buffer, size_t length) {
  (void)context;
  (void)length;
  const TfLiteDelegateParams* params = (const TfLiteDelegateParams*)buffer;
  int* tensors = malloc(2 * sizeof(int));
  tensors[0] = params->input_tensors->data[params->input_tensors->size - 1];
  tensors[1] = params->output_tensors->data[0];
  return tensors;
}

static void release(TfLiteContext* context, void* tensors) {
  (void)context;
  free(tensors);
}

static TfLiteStatus allow(TfLiteContext* context, TfLiteNode* node) {
  (void)context;
  (void)node;
  return kTfLiteOk;
}

static TfLiteStatus invoke(TfLiteContext* context, TfLiteNode* node) {
#ifdef FAIL_INVOKE
  static int calls = 0;
  if (++calls >= FAIL_INVOKE) {
    context->ReportError(context, "the stub was told to lose its device");
    return kTfLiteError;
  }
#endif
  const int* tensors = node->user_data;
  const uint8_t first = context->tensors[tensors[0]].data.uint8[0];
  TfLiteTensor* output = &context->tensors[tensors[1]];
  for (size_t i = 0; i < output->bytes; i++) {
    output->data.uint8[i] = (uint8_t)(first + i + option_length);
  }
  return kTfLiteOk;
}

static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
#ifdef FAIL_PREPARE
  context->ReportError(context, "the stub was told to refuse the graph");
  return kTfLiteError;
#endif
  TfLiteIntArray* plan = NULL;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  TfLiteIntArray* claimed = malloc(sizeof(TfLiteIntArray) + (size_t)plan->size * sizeof(int));
  claimed->size = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != kTfLiteOk) {
      continue;
    }
    const char* name = registration->custom_name;
    if (name != NULL && strcmp(name, "edgetpu-custom-op") == 0) {
      claimed->data[claimed->size++] = plan->data[i];
    }
  }
  const TfLiteRegistration kernel = {.init = init, .free = release, .prepare = allow,
                                     .invoke = invoke, .custom_name = "stub", .version = 1};
  const TfLiteStatus status =
      context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, claimed, delegate);
  free(claimed);
  return status;
}

TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                              void (*report_error)(const char*)) {
#ifdef FAIL_CREATE
  if (report_error != NULL) report_error("the stub was told to find no device");
  return NULL;
#endif
  (void)report_error;
  if (count == 1 && strcmp(keys[0], "device") == 0) option_length = strlen(values[0]);
  TfLiteDelegate* delegate = calloc(1, sizeof(TfLiteDelegate));
  delegate->Prepare = prepare;
  /* As libedgetpu: else the runtime prepares every node, and stumbles over the custom one, before this. */
  delegate->flags = kTfLiteDelegateFlagsAllowDynamicTensors;
  return delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { free(delegate); }
