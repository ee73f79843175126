/* SPDX-License-Identifier: Apache-2.0 */
/* Declared parameters: one list with type, default and help; values from program, environment, default, in that order.
 */
#ifndef HAL_PARAM_H
#define HAL_PARAM_H

#include <stdbool.h>

#include <halyard/backend.h>

#include "error.h"

struct params; /* one set per instance */

/* Value in force as text ("" when it has none). The name must be declared. Stays valid as long as the instance. */
const char *param_text(const struct params *params, const char *name);
bool param_bool(const struct params *params, const char *name);
uint64_t param_size(const struct params *params, const char *name);   /* "4GiB" */
uint64_t param_number(const struct params *params, const char *name); /* "16" */

/* HALYARD_BACKEND or, when the program set it, parameter "backend": for messages. */
const char *param_origin(const struct params *params, const char *name);

/*
 * Reads the core's parameters from `desc` and the environment. HALY_ERR_INVALID names the variable, its grammar and
 * what was found, or the nearest declared name. Names with a dot are a backend's and are looked at later.
 */
haly_status params_create(const haly_instance_desc *desc, struct params **out_params);
void params_destroy(struct params *params);

/* Adds what a backend declares ("threads" of "cpu" is "cpu.threads", HALYARD_CPU_THREADS) with its values in force. */
haly_status params_declare(struct params *params, const char *backend, const haly_backend_table *table);

/* What a backend declares follows the rules of halyard/backend.h; writes why not. */
bool params_are_sound(const haly_backend_table *table, char *why, size_t why_size);

/*
 * Once all backends have declared: a name set by the program that nobody declared is HALY_ERR_INVALID, an environment
 * variable HALYARD_… that nobody declared is logged. `unopened` are backends whose parameters are therefore not known.
 */
haly_status params_check_unknown(const struct params *params, const char *const *unopened, uint32_t unopened_count);

uint32_t params_count(const struct params *params);
void params_info(const struct params *params, uint32_t index, haly_param_info *out_info);

/*
 * A backend asks for its parameters without saying for which instance. While a call into a backend is made on behalf
 * of an instance, its parameters are the calling thread's scope; other threads see those of the latest instance.
 * Returns the scope before, to be put back. Texts stay valid for ever: each distinct value is kept once.
 */
const struct params *param_scope(const struct params *params);
/* A parameter of the core, of the instance that the calling thread works for; NULL when it works for none. */
const char *param_of_scope(const char *name);
const char *param_of_backend(const char *backend, const char *name);

#endif
