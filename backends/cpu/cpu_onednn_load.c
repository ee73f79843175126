/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Opens the oneDNN object by its absolute path, next to the backend's own file and nowhere else. It stays loaded: its
 * libraries do not like being unloaded. */
#include "cpu_onednn_load.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic pid_t holder; /* of the lock: the process, so that a child does not wait for a thread of its parent's */
static cpu_onednn_entry *entry; /* NULL until it was found */

static void lock(void)
{
    const pid_t process = getpid();
    for (pid_t seen = 0; !atomic_compare_exchange_strong(&holder, &seen, process);)
        if (seen == process) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL); /* loading takes milliseconds */
            seen = 0;
        }
}

static void unlock(void)
{
    atomic_store(&holder, 0);
}

static bool make_path(char *path, size_t bytes)
{
    Dl_info own;
    if (dladdr(&holder, &own) == 0 || own.dli_fname == NULL)
        return false;
    const char *slash = strrchr(own.dli_fname, '/');
    if (own.dli_fname[0] != '/' || slash == NULL)
        return false;
    return (size_t)snprintf(path, bytes, "%.*s/%s", (int)(slash - own.dli_fname), own.dli_fname, CPU_ONEDNN_FILE) <
           bytes;
}

static haly_status load(void)
{
    char path[4096];
    if (!make_path(path, sizeof path))
        return FAIL(HALY_ERR_UNAVAILABLE, "oneDNN: the backend was not loaded by an absolute path");
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        const char *told = dlerror(), *text = told != NULL ? told : path;
        return FAIL(cpu_linker_status(text, HALY_ERR_UNAVAILABLE), "oneDNN: %.300s", text);
    }
    void *symbol = dlsym(handle, CPU_ONEDNN_SYMBOL);
    if (symbol == NULL)
        return FAIL(HALY_ERR_UNAVAILABLE, "oneDNN: %.200s does not export " CPU_ONEDNN_SYMBOL, path);
    memcpy(&entry, &symbol, sizeof symbol); /* ISO C has no cast from an object's to a function's address */
    return HALY_OK;
}

/* Under the lock. What failed is tried again the next time: memory may be there then. */
static haly_status set_up(uint32_t isa, const struct cpu_onednn_table **out_table)
{
    const struct cpu_onednn_table *table = NULL;
    if (entry == NULL)
        TRY(load());
    const int status = entry(isa, &table);
    if (status == CPU_ONEDNN_NO_MEMORY)
        return FAIL(HALY_ERR_HOST_OOM, "oneDNN has no memory to be set up");
    if (status != 0)
        return FAIL(HALY_ERR_UNAVAILABLE, "oneDNN could not be set up: its status is %d", status);
    if (table->version != CPU_ONEDNN_VERSION || table->isa != isa)
        return FAIL(HALY_ERR_UNAVAILABLE,
                    "oneDNN was set up for another instruction set, or its object is of another build");
    *out_table = table;
    return HALY_OK;
}

haly_status cpu_onednn_load(const struct cpu_config *config, const struct cpu_onednn_table **out_table)
{
    if (config->onednn == CPU_NO)
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN is switched off by HALYARD_CPU_ONEDNN");
    if (config->isa == CPU_ISA_BASELINE)
        return FAIL(HALY_ERR_UNSUPPORTED, "oneDNN is not used with the baseline instruction set");
    lock();
    const haly_status status = set_up((uint32_t)config->isa, out_table);
    unlock();
    return status;
}
