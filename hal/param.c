/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared parameters. The environment is read with secure_getenv() alone, so that a set-uid program ignores it; a C
 * library without that function does not compile this file.
 */
#define _GNU_SOURCE
#include "param.h"

#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "intern.h"
#include "layers/layers.h"
#include "layers/trace_file.h"
#include "log.h"
#include "memory.h"
#include "nearest.h"
#include "param_list.h"
#include "search.h"
#include "selection.h"
#include "selector.h"
#include "text.h"

#define SIZE_GRAMMAR "a number with B, KiB, MiB, GiB or TiB, like 4GiB"
#define VALUE_BYTES_MAX 65536

/* A variable, so that a missing declaration is an error and not an implicit int. */
static char *(*const read_environment)(const char *) = secure_getenv;

const char param_from_default[] = "default", param_from_environment[] = "environment";
const char param_from_program[] = "program";

static bool check_selection(const char *value, char *why, size_t why_size)
{
    struct selection selection;
    return selection_parse(value, &selection, why, why_size);
}

static bool check_selector(const char *value, char *why, size_t why_size)
{
    struct selector selector;
    return selector_parse(value, &selector, why, why_size);
}

static bool check_search_path(const char *value, char *why, size_t why_size)
{
    return search_path_check(value, why, why_size);
}

static bool check_size(const char *value, char *why, size_t why_size)
{
    uint64_t bytes;
    if (text_parse_size(value, strlen(value), &bytes))
        return true;
    text_set(why, why_size, "%s", text_size_fault(value, strlen(value)));
    return false;
}

static bool check_limit(const char *value, char *why, size_t why_size)
{
    uint64_t bytes;
    if (!check_size(value, why, why_size))
        return false;
    if (!text_parse_size(value, strlen(value), &bytes) || bytes == 0 || bytes >= MEMORY_LIMIT_LEAST)
        return true;
    text_set(why, why_size, "too small for any memory, which is taken from a device by %llu MiB",
             (unsigned long long)MEMORY_LIMIT_LEAST >> 20);
    return false;
}

static bool check_log_level(const char *value, char *why, size_t why_size)
{
    haly_log_level level;
    if (log_level_parse(value, &level))
        return true;
    text_set(why, why_size, "not a level");
    return false;
}

static bool check_layers(const char *value, char *why, size_t why_size)
{
    return layers_check(value, why, why_size);
}

static bool check_validate(const char *value, char *why, size_t why_size)
{
    if (strcmp(value, "report") == 0 || strcmp(value, "fail") == 0)
        return true;
    text_set(why, why_size, "neither");
    return false;
}

static bool check_trace_file(const char *value, char *why, size_t why_size)
{
    return trace_file_check(value, why, why_size);
}

static const struct param core_params[] = {
#define PARAM(name_, variable_, check_, type_, default_, help_)                                                        \
    {name_, variable_, type_, help_, default_, default_, param_from_default, check_},
#include "param.def"
#undef PARAM
};

struct param *params_find(const struct params *params, const char *name)
{
    for (uint32_t i = 0; i < params->count; i++)
        if (strcmp(params->items[i].name, name) == 0)
            return &params->items[i];
    return NULL;
}

const char *param_text(const struct params *params, const char *name)
{
    const struct param *param = params_find(params, name);
    return param != NULL ? param->value : "";
}

bool param_bool(const struct params *params, const char *name)
{
    static const char *const yes[] = {"1", "on", "true", "yes"};
    const char *value = param_text(params, name);
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (text_matches(yes[i], value))
            return true;
    return false;
}

uint64_t param_size(const struct params *params, const char *name)
{
    const char *value = param_text(params, name);
    uint64_t bytes;
    return text_parse_size(value, strlen(value), &bytes) ? bytes : 0;
}

uint64_t param_number(const struct params *params, const char *name)
{
    const char *value = param_text(params, name);
    uint64_t number;
    return text_parse_number(value, strlen(value), &number) ? number : 0;
}

const char *param_origin(const struct params *params, const char *name)
{
    const struct param *param = params_find(params, name);
    if (param == NULL)
        return name;
    if (param->source != param_from_program)
        return param->variable;
    char parameter[64];
    text_set(parameter, sizeof parameter, "parameter \"%s\"", name);
    const char *kept = intern(parameter);
    return kept != NULL ? kept : name;
}

static const char *program_value(const struct params *params, const char *name)
{
    for (uint32_t i = 0; i < params->program_count; i++)
        if (strcmp(params->program[i].name, name) == 0)
            return params->program[i].value;
    return NULL;
}

static haly_status refuse_value(const struct param *param, const char *source, const char *value, const char *why)
{
    const bool is_program = source == param_from_program;
    return FAIL(HALY_ERR_INVALID, "%s%s%s=\"%s\": %s; expected %s", is_program ? "parameter \"" : "",
                is_program ? param->name : param->variable, is_program ? "\"" : "", PRINTABLE(value), why, param->type);
}

/* A value without the blanks around it. */
static haly_status take_value(struct param *param, const char *value, const char *source)
{
    char why[256] = "";
    if (param->check != NULL && !param->check(value, why, sizeof why))
        return refuse_value(param, source, value, why);
    const char *kept = intern(value);
    if (kept == NULL)
        return fail_host_oom("a parameter", strlen(value));
    param->source = source;
    param->value = kept;
    return HALY_OK;
}

haly_status params_read_value(const struct params *params, struct param *param)
{
    const char *value = program_value(params, param->name);
    const char *source = param_from_program;
    if (value == NULL) {
        value = read_environment(param->variable);
        source = param_from_environment;
    }
    size_t length = value != NULL ? strnlen(value, VALUE_BYTES_MAX) : 0;
    if (length == VALUE_BYTES_MAX)
        return refuse_value(param, source, value, "longer than 64 KiB");
    text_trim(&value, &length);
    if (length == 0)
        return HALY_OK;
    char *trimmed = strndup(value, length);
    if (trimmed == NULL)
        return fail_host_oom("a parameter", length);
    const haly_status status = take_value(param, trimmed, source);
    free(trimmed);
    return status;
}

haly_status params_fail_unknown(const struct params *params, const char *name)
{
    struct nearest nearest;
    nearest_start(&nearest, name);
    for (uint32_t i = 0; i < params->count; i++)
        nearest_offer(&nearest, params->items[i].name);
    for (uint32_t i = 0; i < params->count; i++) /* whoever names the variable means what it sets */
        if (strcmp(params->items[i].variable, name) == 0)
            nearest.best = params->items[i].name;
    if (nearest.best != NULL)
        return FAIL(HALY_ERR_INVALID, "no parameter \"%s\"; did you mean \"%s\"?", PRINTABLE(name), nearest.best);
    return FAIL(HALY_ERR_INVALID,
                "no parameter \"%s\"; a backend's is named \"<backend>.<name>\" (`halyard info --env` shows the names)",
                PRINTABLE(name));
}

/* Copies what the program set; names and values must be there, and no name twice. */
static haly_status take_program(struct params *params, const haly_instance_desc *desc)
{
    if (desc->param_count == 0)
        return HALY_OK;
    if (desc->params == NULL || desc->param_size < sizeof(haly_param))
        return FAIL(HALY_ERR_INVALID,
                    "haly_instance_desc: param_count is %u, so params must not be NULL and param_size "
                    "must be sizeof(haly_param)",
                    desc->param_count);
    params->program = calloc(desc->param_count, sizeof *params->program);
    if (params->program == NULL)
        return fail_host_oom("parameters", (uint64_t)desc->param_count * sizeof *params->program);
    for (uint32_t i = 0; i < desc->param_count; i++) {
        haly_param given;
        memcpy(&given, (const char *)desc->params + (size_t)i * desc->param_size, sizeof given);
        if (given.name == NULL || given.value == NULL)
            return FAIL(HALY_ERR_INVALID, "haly_instance_desc.params[%u]: name or value is NULL", i);
        if (program_value(params, given.name) != NULL)
            return FAIL(HALY_ERR_INVALID, "haly_instance_desc.params[%u]: \"%s\" stands there twice", i,
                        PRINTABLE(given.name));
        const haly_param kept = {intern(given.name), intern(given.value)};
        if (kept.name == NULL || kept.value == NULL)
            return fail_host_oom("a parameter", strlen(given.name) + strlen(given.value));
        params->program[params->program_count++] = kept;
    }
    return HALY_OK;
}

static haly_status read_core_params(struct params *params, const haly_instance_desc *desc)
{
    params->items = malloc(sizeof core_params);
    if (params->items == NULL)
        return fail_host_oom("parameters", sizeof core_params);
    memcpy(params->items, core_params, sizeof core_params);
    params->count = sizeof core_params / sizeof core_params[0];
    TRY(take_program(params, desc));
    for (uint32_t i = 0; i < params->program_count; i++)
        if (strchr(params->program[i].name, '.') == NULL && params_find(params, params->program[i].name) == NULL)
            return params_fail_unknown(params, params->program[i].name);
    for (uint32_t i = 0; i < params->count; i++)
        TRY(params_read_value(params, &params->items[i]));
    return HALY_OK;
}

haly_status params_create(const haly_instance_desc *desc, struct params **out_params)
{
    struct params *params = calloc(1, sizeof *params);
    if (params == NULL)
        return fail_host_oom("parameters", sizeof *params);
    const haly_status status = read_core_params(params, desc);
    if (status != HALY_OK) {
        params_destroy(params);
        return status;
    }
    *out_params = params;
    return HALY_OK;
}

void params_destroy(struct params *params)
{
    if (params == NULL)
        return;
    free(params->items);
    free(params->program);
    free(params);
}

uint32_t params_count(const struct params *params)
{
    return params->count;
}

void params_info(const struct params *params, uint32_t index, haly_param_info *out_info)
{
    const struct param *param = &params->items[index];
    *out_info = (haly_param_info){HALY_PARAM_INFO_INIT,  .name = param->name,    .variable = param->variable,
                                  .type = param->type,   .help = param->help,    .default_value = param->default_value,
                                  .value = param->value, .source = param->source};
}
