/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction sets this machine has; the operating system's support for their registers included. */
#include "cpu_isa.h"

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"

enum cpu_isa cpu_isa_best(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2"))
        return CPU_ISA_BASELINE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return CPU_ISA_AVX2;
    return CPU_ISA_AVX512;
}
#else
#if defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#else
#define ARCHITECTURE "s390x"
#endif

enum cpu_isa cpu_isa_best(void)
{
    return CPU_ISA_BASELINE;
}
#endif

const char *cpu_isa_name(enum cpu_isa isa)
{
    static const char *const names[CPU_ISA_COUNT] = {"baseline", "avx2", "avx512"};
    return names[isa];
}

const char *cpu_isa_architecture(enum cpu_isa isa)
{
    static const char *const names[CPU_ISA_COUNT] = {ARCHITECTURE, ARCHITECTURE "-avx2", ARCHITECTURE "-avx512"};
    return names[isa];
}
