/** SMP group 64: models (docs/smp-model-group.md). */
#ifndef MODEL_GROUP_H
#define MODEL_GROUP_H

#include "../smp/boot_error.h"
#include "models.h"

struct model_group {
  struct models *models;
  const struct smp *smp; /* whose damaged lines the statistics tell */
};

/* Each with a context of struct model_group. MODEL_STATE, 0, is in boot_error.h. */
#define MODEL_UPLOAD 1u
#define MODEL_SELF_TEST 2u
#define MODEL_INFER 3u
#define MODEL_STATISTICS 4u
#define MODEL_ERASE 5u
#define MODEL_LOG 6u
struct smp_error model_group_state(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer);
struct smp_error model_group_change_state(void *context, const struct smp_request *request,
                                          struct cbor_writer *answer);
struct smp_error model_group_upload(void *context, const struct smp_request *request,
                                    struct cbor_writer *answer);
struct smp_error model_group_self_test(void *context, const struct smp_request *request,
                                       struct cbor_writer *answer);
struct smp_error model_group_infer(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer);
struct smp_error model_group_outputs(void *context, const struct smp_request *request,
                                     struct cbor_writer *answer);
struct smp_error model_group_statistics(void *context, const struct smp_request *request,
                                        struct cbor_writer *answer);
struct smp_error model_group_erase(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer);
struct smp_error model_group_log(void *context, const struct smp_request *request,
                                 struct cbor_writer *answer);

#endif
