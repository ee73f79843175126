/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operator kernels, expanded from the kernels' own list. Each is compiled several times with a suffix per
 * instruction set (CMakeLists.txt); on processors other than x86-64 there is the baseline alone.
 */
#include "cpu_operators.h"

#include <stddef.h>
#include <string.h>

#define META(name, suffix) haly_kernel_meta_##name##suffix

#if defined(__x86_64__)
#define DECLARE(name)                                                                                                  \
    extern const struct haly_kernel_meta META(name, _baseline);                                                        \
    extern const struct haly_kernel_meta META(name, _avx2);                                                            \
    extern const struct haly_kernel_meta META(name, _avx512);
#define ROW(name) {#name, {&META(name, _baseline), &META(name, _avx2), &META(name, _avx512)}},
#else
#define DECLARE(name) extern const struct haly_kernel_meta META(name, _baseline);
#define ROW(name) {#name, {&META(name, _baseline), &META(name, _baseline), &META(name, _baseline)}},
#endif

#define KERNEL(name) DECLARE(name)
#include "kernels.def"
#undef KERNEL

static const struct {
    const char *name;
    const struct haly_kernel_meta *meta[CPU_ISA_COUNT];
} operators[] = {
#define KERNEL(name) ROW(name)
#include "kernels.def"
#include "planted.h"
};

const struct haly_kernel_meta *cpu_operator_find(enum cpu_isa isa, const char *name)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators - PLANTED_OR(last_operator_is_missing, 0, 1); i++)
        if (strcmp(operators[i].name, name) == 0)
            return operators[i].meta[isa];
    return NULL;
}
