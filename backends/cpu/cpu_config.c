/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the declared parameters. A value that is not understood is an error: guessing would hide a typing mistake. */
#include "cpu_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_limits.h"
#include "planted.h"

#define THREADS_TYPE "number of threads, 1 to 1024"
#define STRICT_TYPE "0 or 1"
#define ISA_TYPE "auto, baseline, avx2 or avx512"
#define COMPILER_TYPE "name or absolute path of a C compiler, or off"
#define ONEDNN_TYPE "auto, 0 or 1"

const haly_backend_param cpu_params[CPU_PARAM_COUNT] = {
    {"threads", THREADS_TYPE, "",
     "threads that compute, the waiting one included; unset: the cores this process may use"},
    {"strict", STRICT_TYPE, "0",
     "1: device memory that the host cannot touch, staged copies, poisoned new memory; for finding mistakes"},
    {"isa", ISA_TYPE, "auto", "instruction set of the built-in operators; auto: the best this machine has"},
    {"onednn", ONEDNN_TYPE, "auto", "whether large matrix products use oneDNN; auto: when its object is installed"},
    {"compiler", COMPILER_TYPE, "cc", "what compiles kernel sources; a name is looked for in PATH"},
};

static haly_status refuse(const char *variable, const char *value, const char *type)
{
    return FAIL(HALY_ERR_INVALID, "%s is \"%s\"; expected: %s", variable, value, type);
}

/* Index of the value in a list of words that NULL ends, or -1. */
static int find_word(const char *value, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return -1;
}

static const char *value_of(const char *name)
{
    const char *value = cpu_core->param("cpu", name);
    return value != NULL ? value : "";
}

static haly_status read_threads(uint32_t *out_threads)
{
    const char *value = value_of("threads");
    if (value[0] == '\0') {
        *out_threads = cpu_limits_cores();
        return HALY_OK;
    }
    char *end = NULL;
    errno = 0;
    const unsigned long threads = strtoul(value, &end, 10);
    if (errno != 0 || value[0] < '0' || value[0] > '9' || *end != '\0' || threads < 1 || threads > CPU_MAX_THREADS)
        return refuse("HALYARD_CPU_THREADS", value, THREADS_TYPE);
    *out_threads = (uint32_t)threads;
    return HALY_OK;
}

static haly_status read_isa(enum cpu_isa *out_isa)
{
    static const char *const words[] = {"baseline", "avx2", "avx512", "auto", "", NULL};
    const char *value = value_of("isa");
    const int word = find_word(value, words);
    const enum cpu_isa best = cpu_isa_best();
    if (word < 0)
        return refuse("HALYARD_CPU_ISA", value, ISA_TYPE);
    if (word < (int)CPU_ISA_COUNT && word > (int)best)
        return FAIL(HALY_ERR_UNSUPPORTED, "HALYARD_CPU_ISA is \"%s\", which this machine lacks; its best is %s", value,
                    cpu_isa_name(best));
    *out_isa = word < (int)CPU_ISA_COUNT ? (enum cpu_isa)word : best;
    return HALY_OK;
}

static haly_status check_compiler(void)
{
    const char *value = value_of("compiler");
    return value[0] == '/' || strchr(value, '/') == NULL ? HALY_OK
                                                         : refuse("HALYARD_CPU_COMPILER", value, COMPILER_TYPE);
}

haly_status cpu_config_read(struct cpu_config *out_config)
{
    static const char *const strict_words[] = {"0", "1", "", NULL};
    static const char *const onednn_words[] = {"0", "1", "auto", "", NULL};
    struct cpu_config config;
    TRY(read_threads(&config.threads));
    TRY(read_isa(&config.isa));
    const char *strict = value_of("strict"), *onednn = value_of("onednn");
    const int strict_word = find_word(strict, strict_words), onednn_word = find_word(onednn, onednn_words);
    if (PLANTED_OR(nonsense_is_the_default, strict_word < 0, false))
        return refuse("HALYARD_CPU_STRICT", strict, STRICT_TYPE);
    if (onednn_word < 0)
        return refuse("HALYARD_CPU_ONEDNN", onednn, ONEDNN_TYPE);
    TRY(check_compiler());
    config.is_strict = PLANTED_OR(strict_mode_is_ignored, strict_word == 1, false);
    config.onednn = onednn_word == 0 ? CPU_NO : onednn_word == 1 ? CPU_YES : CPU_AUTO;
    *out_config = config;
    return HALY_OK;
}
