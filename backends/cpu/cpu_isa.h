/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction sets that the operators are compiled for, one copy each, chosen when the backend is used. */
#ifndef CPU_ISA_H
#define CPU_ISA_H

enum cpu_isa {
    CPU_ISA_BASELINE = 0, /* x86-64, or ARMv8-A */
    CPU_ISA_AVX2 = 1,     /* x86-64-v3: AVX2, FMA, F16C, BMI */
    CPU_ISA_AVX512 = 2,   /* x86-64-v4: and AVX-512 F, BW, CD, DQ, VL */
    CPU_ISA_COUNT
};

/* The best one that this machine has. */
enum cpu_isa cpu_isa_best(void);

/* "baseline", "avx2", "avx512". */
const char *cpu_isa_name(enum cpu_isa isa);

/* What haly_device_spec.architecture says: "x86_64-avx512", "x86_64", "aarch64", "s390x". */
const char *cpu_isa_architecture(enum cpu_isa isa);

#endif
