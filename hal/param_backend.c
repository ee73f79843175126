/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters that backends declare, and names that nobody declared. A backend is loaded once per process and asks
 * without an instance at hand, so beside each instance's list there is one list of latest values for the process.
 */
#define _GNU_SOURCE
#include "param.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "intern.h"
#include "log.h"
#include "nearest.h"
#include "param_list.h"
#include "text.h"

#define PARAMS_PER_BACKEND 256
#define QUALIFIED_BYTES ((size_t)2 * BACKEND_NAME_BYTES)
#define VARIABLE_BYTES (sizeof "HALYARD_" + QUALIFIED_BYTES)

/* Grows at its head only, like interned texts: no lock to hold across a fork. */
struct latest {
    const char *name; /* "cpu.threads" */
    const char *_Atomic value;
    struct latest *next;
};

static struct latest *_Atomic latest_values;
static _Thread_local const struct params *scope;

static struct latest *latest_find(const char *name)
{
    struct latest *at = atomic_load(&latest_values);
    while (at != NULL && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

static bool latest_set(const char *name, const char *value)
{
    struct latest *known = latest_find(name);
    if (known != NULL) {
        atomic_store(&known->value, value);
        return true;
    }
    struct latest *added = malloc(sizeof *added);
    if (added == NULL)
        return false;
    added->name = name;
    atomic_init(&added->value, value);
    added->next = atomic_load(&latest_values);
    while (!atomic_compare_exchange_weak(&latest_values, &added->next, added))
        ;
    return true;
}

const struct params *param_scope(const struct params *params)
{
    const struct params *before = scope;
    scope = params;
    return before;
}

const char *param_of_scope(const char *name)
{
    return scope != NULL ? param_text(scope, name) : NULL;
}

const char *param_of_backend(const char *backend, const char *name)
{
    char qualified[QUALIFIED_BYTES];
    text_set(qualified, sizeof qualified, "%s.%s", backend, name);
    const struct param *param = scope != NULL ? params_find(scope, qualified) : NULL;
    if (param != NULL)
        return param->value;
    struct latest *known = latest_find(qualified);
    return known != NULL ? atomic_load(&known->value) : "";
}

/* Elements may be larger than those this library knows. */
static const haly_backend_param *declared_at(const haly_backend_table *table, uint32_t index)
{
    const size_t size = table->param_size != 0 ? table->param_size : sizeof(haly_backend_param);
    return (const haly_backend_param *)(const void *)((const char *)table->params + index * size);
}

bool params_are_sound(const haly_backend_table *table, char *why, size_t why_size)
{
    if (table->param_count > PARAMS_PER_BACKEND || (table->param_count != 0 && table->params == NULL)) {
        text_set(why, why_size, "its table declares %u parameters%s", table->param_count,
                 table->params == NULL ? " at NULL" : "");
        return false;
    }
    if (table->param_size != 0 &&
        (table->param_size < sizeof(haly_backend_param) || table->param_size % sizeof(void *) != 0)) {
        text_set(why, why_size, "its table declares parameters of %u bytes, expected %zu or more", table->param_size,
                 sizeof(haly_backend_param));
        return false;
    }
    for (uint32_t i = 0; i < table->param_count; i++) {
        const haly_backend_param *param = declared_at(table, i);
        if (param->name == NULL || param->type == NULL || param->default_value == NULL || param->help == NULL ||
            !text_is_backend_name(param->name, strnlen(param->name, BACKEND_NAME_BYTES))) {
            text_set(why, why_size, "parameter %u of its table lacks a text, or its name is not [a-z0-9_]{1,32}", i);
            return false;
        }
    }
    return true;
}

static void variable_name(char *out, const char *backend, const char *name)
{
    text_set(out, VARIABLE_BYTES, "HALYARD_%s_%s", backend, name);
    for (; *out != '\0'; out++)
        if (*out >= 'a' && *out <= 'z')
            *out = (char)(*out - 'a' + 'A');
}

static haly_status declare_one(struct params *params, const char *backend, const haly_backend_param *declared)
{
    char qualified[QUALIFIED_BYTES], variable[VARIABLE_BYTES];
    text_set(qualified, sizeof qualified, "%s.%s", backend, declared->name);
    variable_name(variable, backend, declared->name);
    struct param param = {.name = intern(qualified),
                          .variable = intern(variable),
                          .type = intern(declared->type),
                          .help = intern(declared->help),
                          .default_value = intern(declared->default_value),
                          .source = param_from_default};
    param.value = param.default_value;
    if (param.name == NULL || param.variable == NULL || param.type == NULL || param.help == NULL || param.value == NULL)
        return fail_host_oom("a backend's parameter", sizeof qualified);
    if (params_find(params, param.name) != NULL)
        return HALY_OK; /* declared twice by one table: the first stands */
    TRY(params_read_value(params, &param));
    if (!latest_set(param.name, param.value))
        return fail_host_oom("a backend's parameter", sizeof(struct latest));
    params->items[params->count++] = param;
    return HALY_OK;
}

haly_status params_declare(struct params *params, const char *backend, const haly_backend_table *table)
{
    const size_t bytes = (params->count + (size_t)table->param_count) * sizeof *params->items;
    struct param *grown = realloc(params->items, bytes);
    if (grown == NULL)
        return fail_host_oom("a backend's parameters", bytes);
    params->items = grown;
    for (uint32_t i = 0; i < table->param_count; i++)
        TRY(declare_one(params, backend, declared_at(table, i)));
    return HALY_OK;
}

static bool is_of_unopened(const char *name, size_t length, const char *const *unopened, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (strlen(unopened[i]) == length && strncasecmp(unopened[i], name, length) == 0)
            return true;
    return false;
}

/* "HALYARD_CUDA_X=…" belongs to "cuda", and to a backend named "cuda_x" too, if there is one. */
static bool is_variable_of_unopened(const char *entry, const char *const *unopened, uint32_t count)
{
    const char *rest = entry + strlen("HALYARD_");
    for (const char *at = strchr(rest, '_'); at != NULL; at = strchr(at + 1, '_'))
        if (is_of_unopened(rest, (size_t)(at - rest), unopened, count))
            return true;
    return false;
}

static void check_environment_entry(const struct params *params, const char *entry)
{
    char variable[TEXT_QUOTED_BYTES];
    text_printable(variable, sizeof variable, entry, strcspn(entry, "="));
    struct nearest nearest;
    nearest_start(&nearest, variable);
    for (uint32_t i = 0; i < params->count; i++) {
        if (strcmp(params->items[i].variable, variable) == 0)
            return;
        nearest_offer(&nearest, params->items[i].variable);
    }
    if (nearest.best != NULL)
        LOG(HALY_LOG_WARN, "environment variable %s means nothing here; did you mean %s?", variable, nearest.best);
    else
        LOG(HALY_LOG_WARN, "environment variable %s means nothing here", variable);
}

haly_status params_check_unknown(const struct params *params, const char *const *unopened, uint32_t unopened_count)
{
    for (uint32_t i = 0; i < params->program_count; i++) {
        const char *name = params->program[i].name;
        if (params_find(params, name) == NULL && !is_of_unopened(name, strcspn(name, "."), unopened, unopened_count))
            return params_fail_unknown(params, name);
    }
    if (getauxval(AT_SECURE) != 0 || environ == NULL)
        return HALY_OK;
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, "HALYARD_", strlen("HALYARD_")) == 0 &&
            !is_variable_of_unopened(*entry, unopened, unopened_count))
            check_environment_entry(params, *entry);
    return HALY_OK;
}
