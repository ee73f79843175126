/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of halyard/base.h for structs, once: ABI-001 for inputs, ABI-002 for outputs, ABI-003 for arrays. */
#ifndef HAL_CHECK_H
#define HAL_CHECK_H

#include <string.h>

#include "error.h"

/*
 * Copies an input struct into `copy` (known_size bytes, zero-filled behind what the caller's version has).
 * `baseline` is the 1.0 size. `name` names the struct in messages. A NULL `input` gives all zero with struct_size set.
 */
haly_status check_input(const void *input, uint32_t baseline, uint32_t known_size, const char *name, void *copy);
/* The caller's version is nearly always this one: then it is a plain copy. */
static inline haly_status check_input_quickly(const void *input, uint32_t baseline, uint32_t known_size,
                                              const char *name, void *copy)
{
    uint32_t size = 0;
    if (input != NULL)
        memcpy(&size, input, sizeof size);
    if (size != known_size || size < baseline)
        return check_input(input, baseline, known_size, name, copy);
    memcpy(copy, input, known_size);
    return HALY_OK;
}
#define CHECK_INPUT(input_, type_, last_1_0_, copy_)                                                                   \
    check_input_quickly((input_), HALY_SIZE_THROUGH(type_, last_1_0_), (uint32_t)sizeof(type_), #type_, (copy_))

/* Copies `value` (known_size bytes) into the caller's output struct, never past its struct_size, which is kept. */
haly_status check_output(void *output, uint32_t baseline, uint32_t known_size, const char *name, const void *value);
#define CHECK_OUTPUT(output_, type_, last_1_0_, value_)                                                                \
    check_output((output_), HALY_SIZE_THROUGH(type_, last_1_0_), (uint32_t)sizeof(type_), #type_, (value_))

/* Flag bits and reserved fields must be 0 where they mean nothing yet: a later library may read them. ABI-008. */
haly_status fail_unknown(uint32_t flags, uint32_t known_flags, uint32_t reserved, const char *name);
static inline haly_status check_unknown(uint32_t flags, uint32_t known_flags, uint32_t reserved, const char *name)
{
    return (flags & ~known_flags) == 0 && reserved == 0 ? HALY_OK : fail_unknown(flags, known_flags, reserved, name);
}

/* The chain is one that can be walked: for chains that a backend reads. ABI-007. */
haly_status check_ext(const haly_ext *ext, const char *name);

/* And it may hold only optional links, because nothing in it is known. */
haly_status check_no_ext(const haly_ext *ext, const char *name);

/* NULL, or valid UTF-8 of at most 63 bytes without control characters. */
haly_status check_name(const char *name);
haly_status check_label(const char *label);

#endif
