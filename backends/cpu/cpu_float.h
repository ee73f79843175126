/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floating-point environment of work that runs on a caller's thread. A caller may have set flush-to-zero or another
 * rounding mode, which would change results; so the default stands while our work runs, and the caller's is put back.
 */
#ifndef CPU_FLOAT_H
#define CPU_FLOAT_H

#include <stdint.h>

#include "planted.h"

#if defined(__x86_64__)

typedef uint32_t cpu_float_state;
#define CPU_MXCSR_DEFAULT 0x1f80U
#define CPU_MXCSR_FLAGS 0x3fU /* sticky exception flags: they change no result */

static inline cpu_float_state cpu_float_enter(void)
{
    const uint32_t state = __builtin_ia32_stmxcsr();
    PLANTED(float_mode_is_the_callers, return state);
    if (__builtin_expect((state & ~CPU_MXCSR_FLAGS) != CPU_MXCSR_DEFAULT, 0))
        __builtin_ia32_ldmxcsr(CPU_MXCSR_DEFAULT);
    return state;
}

static inline void cpu_float_leave(cpu_float_state state)
{
    if (__builtin_expect((state & ~CPU_MXCSR_FLAGS) != CPU_MXCSR_DEFAULT, 0))
        __builtin_ia32_ldmxcsr(state);
}

#elif defined(__aarch64__)

typedef uint64_t cpu_float_state; /* FPCR; its default is all zero */

static inline void cpu_float_set(uint64_t state)
{
    __asm__ volatile("msr fpcr, %0" ::"r"(state));
}

static inline cpu_float_state cpu_float_enter(void)
{
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    PLANTED(float_mode_is_the_callers, return state);
    if (__builtin_expect(state != 0, 0))
        cpu_float_set(0);
    return state;
}

static inline void cpu_float_leave(cpu_float_state state)
{
    if (__builtin_expect(state != 0, 0))
        cpu_float_set(state);
}

#elif defined(__s390x__)

typedef uint32_t cpu_float_state; /* FPC; its default is all zero */
#define CPU_FPC_MATTERS 0xfc000077U /* masks of traps and the rounding modes; the rest only tells what happened */

static inline void cpu_float_set(uint32_t state)
{
    __asm__ volatile("sfpc %0" ::"d"(state));
}

static inline cpu_float_state cpu_float_enter(void)
{
    uint32_t state;
    __asm__ volatile("efpc %0" : "=d"(state));
    if (__builtin_expect((state & CPU_FPC_MATTERS) != 0, 0))
        cpu_float_set(0);
    return state;
}

static inline void cpu_float_leave(cpu_float_state state)
{
    if (__builtin_expect((state & CPU_FPC_MATTERS) != 0, 0))
        cpu_float_set(state);
}

#else
#error "the cpu backend knows x86-64, aarch64 and s390x"
#endif

#endif
