/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard info --ops`: for each operator a small description, and what the device would do with it. What the table of
 * samples does not list is taken for an element-wise operator, so that new operators of that kind appear by themselves.
 */
#include <string.h>

#include "tool.h"

enum { TENSORS_MAX = 5, ATTRIBUTES_MAX = 2 };

struct shape {
    haly_dtype dtype;
    uint32_t rank;
    int64_t dims[4];
};

struct sample {
    const char *domain, *name;
    struct shape inputs[TENSORS_MAX], outputs[2]; /* up to the first of type NONE */
    haly_attribute attributes[ATTRIBUTES_MAX];    /* up to the first without a name */
};

#define F32(...)                                                                                                       \
    {                                                                                                                  \
        HALY_F32, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                                                  \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define OF(type, ...)                                                                                                  \
    {                                                                                                                  \
        type, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                                                      \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

static const int64_t reversed[2] = {1, 0};
static const struct sample samples[] = {
    {"", "Cast", {F32(4, 64)}, {OF(HALY_F16, 4, 64)}, {{0}}},
    {"", "Transpose", {F32(4, 64)}, {F32(64, 4)}, {{"perm", HALY_ATTRIBUTE_INTS, 2, {.ints = reversed}}}},
    {"", "ArgMax", {F32(4, 64)}, {OF(HALY_I64, 4, 1)}, {{"axis", HALY_ATTRIBUTE_INT, 1, {.i = -1}}}},
    {"", "MatMul", {F32(256, 256), F32(256, 256)}, {F32(256, 256)}, {{0}}},
    {"", "RMSNormalization", {F32(4, 64), F32(64)}, {F32(4, 64)}, {{0}}},
    {"halyard", "Embedding", {OF(HALY_Q8_0, 128, 64), OF(HALY_I32, 4)}, {F32(4, 64)}, {{0}}},
    {"halyard", "QuantizedMatMul", {F32(4, 64), OF(HALY_Q4_1, 32, 64)}, {F32(4, 32)}, {{0}}},
    {"halyard", "AddRMSNorm", {F32(4, 64), F32(4, 64), F32(64)}, {F32(4, 64), F32(4, 64)}, {{0}}},
    {"halyard", "Rotary", {F32(1, 4, 2, 32), OF(HALY_I32, 1, 4)}, {F32(1, 4, 2, 32)}, {{0}}},
    {"halyard",
     "CachedAttention",
     {F32(1, 4, 4, 32), F32(1, 4, 2, 32), F32(1, 4, 2, 32), F32(1, 2, 16, 32), F32(1, 2, 16, 32)},
     {F32(1, 4, 4, 32)},
     {{0}}},
};

/* Same-shaped f32 tensors, as many as the operator must have. */
static struct sample element_wise(const haly_operator_info *info)
{
    struct sample sample = {.domain = info->domain, .name = info->name};
    const struct shape shape = F32(4, 64);
    for (uint32_t i = 0; i < info->min_inputs && i < TENSORS_MAX; i++)
        sample.inputs[i] = shape;
    for (uint32_t i = 0; i < info->min_outputs && i < 2; i++)
        sample.outputs[i] = shape;
    return sample;
}

static struct sample sample_of(const haly_operator_info *info)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (strcmp(samples[i].domain, info->domain) == 0 && strcmp(samples[i].name, info->name) == 0)
            return samples[i];
    return element_wise(info);
}

static uint32_t make_tensors(const struct shape *shapes, uint32_t limit, haly_tensor *out)
{
    uint32_t count = 0;
    while (count < limit && shapes[count].dtype != HALY_DTYPE_NONE) {
        out[count] = haly_tensor_make(shapes[count].dtype, shapes[count].rank, shapes[count].dims, NULL);
        count++;
    }
    return count;
}

/* "kernels/add_f32", or why not. */
static void path_of(haly_context *context, const haly_operator_info *info, char *out, size_t size)
{
    const struct sample sample = sample_of(info);
    haly_tensor inputs[TENSORS_MAX], outputs[2];
    haly_op_desc desc = {HALY_OP_DESC_INIT, .version = info->version, .domain = info->domain, .name = info->name};
    haly_plan_info plan = {HALY_PLAN_INFO_INIT};
    haly_error error = {HALY_ERROR_INIT};
    desc.inputs = inputs;
    desc.input_count = make_tensors(sample.inputs, TENSORS_MAX, inputs);
    desc.outputs = outputs;
    desc.output_count = make_tensors(sample.outputs, 2, outputs);
    desc.attributes = sample.attributes;
    while (desc.attribute_count < ATTRIBUTES_MAX && sample.attributes[desc.attribute_count].name != NULL)
        desc.attribute_count++;
    if (haly_op_supported(context, &desc, &plan) == HALY_OK)
        snprintf(out, size, "%s", plan.path);
    else if (haly_error_last(&error) == HALY_OK)
        snprintf(out, size, "no: %s", error.message);
    else
        snprintf(out, size, "no");
}

static int print_operators(haly_context *context)
{
    struct table table;
    table_start(&table, 5);
    table_row(&table, (const char *const[]){"operator", "domain", "version", "path", "types"});
    for (uint32_t i = 0; i < haly_operator_count(); i++) {
        haly_operator_info info = {HALY_OPERATOR_INFO_INIT};
        char version[16], path[600], dtypes[TEXT_MAX];
        if (haly_operator_get(i, &info) != HALY_OK)
            break;
        path_of(context, &info, path, sizeof path);
        snprintf(version, sizeof version, "%u", info.version);
        table_row(&table, (const char *const[]){info.name, info.domain[0] != '\0' ? info.domain : "onnx", version, path,
                                                text_dtypes(info.dtypes, dtypes)});
    }
    return table_finish(&table, stdout) ? TOOL_OK : TOOL_FAILED;
}

int info_ops(haly_instance *instance)
{
    haly_context *context = NULL;
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    if (haly_context_open(instance, NULL, &context) != HALY_OK || haly_context_info_get(context, &info) != HALY_OK ||
        haly_device_spec_get(info.device, &spec) != HALY_OK) {
        haly_error_print(stderr);
        haly_context_release(context);
        return TOOL_FAILED;
    }
    printf("%s:%u  %s; path of each operator for a small f32 example\n\n", spec.backend, spec.index, spec.name);
    const int result = print_operators(context);
    haly_context_release(context);
    return result;
}
