/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening backends. RTLD_NOW shows a missing symbol here and not in the middle of work; RTLD_LOCAL and never
 * RTLD_DEEPBIND keep the libraries that two backends bring apart without breaking a program's allocator; RTLD_NODELETE
 * because vendors' libraries do not survive being unloaded. No lock is held while a backend's code runs.
 */
#define _GNU_SOURCE
#include "loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core_table.h"
#include "elf_file.h"
#include "error.h"
#include "log.h"
#include "object.h"
#include "param.h"
#include "stubs.h"
#include "text.h"

#define BLOCK_BYTES_MAX (1U << 20) /* more than this for one object is a table full of garbage */

/* What came of opening a file. */
struct outcome {
    haly_backend_state state;
    haly_status status;
    char reason[BACKEND_REASON_BYTES];
    haly_error failure; /* of the entry function */
    char version[64];
    uint16_t abi_major, abi_minor;
    haly_backend_table table;
    void *handle;
    bool was_entered; /* its entry function ran: it must not run again */
};

enum { LOAD_RUNNING, LOAD_DONE, LOAD_VACANT /* failed before the entry function ran: may be tried again */ };

struct load {
    struct load *next;
    struct loader_source source; /* without the path, which is not kept */
    int stage;
    uint32_t generation; /* that is running it */
    struct outcome outcome;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct load *loads; /* only grows */
void loader_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
}

haly_error loader_take_failure(haly_status status, uint64_t serial)
{
    haly_error failure = {HALY_ERROR_INIT};
    if (error_serial() != serial)
        failure = *error_detail();
    failure.status = status < HALY_ERR_INVALID ? HALY_ERR_BACKEND : status;
    if (failure.message[0] == '\0')
        text_set(failure.message, sizeof failure.message, "it failed without saying why (%s)",
                 haly_status_name(failure.status));
    text_printable(failure.message, sizeof failure.message, failure.message, SIZE_MAX);
    return failure;
}

HALY_PRINTF_LIKE(4, 5)
static bool reject(struct outcome *outcome, haly_backend_state state, haly_status status, const char *format, ...)
{
    char reason[BACKEND_REASON_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    text_printable(outcome->reason, sizeof outcome->reason, reason, SIZE_MAX);
    outcome->state = state;
    outcome->status = status;
    return false;
}

/* dlsym() searches dependencies too: a backend whose file lacks the entry must not get a dependency's. And it finds
 * data and thread-local variables as readily as functions. */
static bool find_entry(void *handle, const char *name, haly_backend_entry *out_entry, struct outcome *outcome)
{
    char symbol[sizeof "halyard_backend_" + BACKEND_NAME_BYTES];
    text_set(symbol, sizeof symbol, "halyard_backend_%s", name);
    void *address = dlsym(handle, symbol);
    if (address == NULL)
        return reject(outcome, HALY_BACKEND_REFUSED, HALY_ERR_VERSION, "its file exports no function %s", symbol);
    Dl_info info;
    const ElfW(Sym) *entry = NULL;
    struct link_map *file = NULL, *owner = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &file) != 0 || dladdr1(address, &info, (void **)&owner, RTLD_DL_LINKMAP) == 0 ||
        dladdr1(address, &info, (void **)&entry, RTLD_DL_SYMENT) == 0 ||
        (entry != NULL && ELF64_ST_TYPE(entry->st_info) != STT_FUNC)) /* the same bits in 32-bit objects */
        return reject(outcome, HALY_BACKEND_REFUSED, HALY_ERR_VERSION, "its file exports %s, but not as a function",
                      symbol);
    if (file != owner)
        return reject(outcome, HALY_BACKEND_REFUSED, HALY_ERR_VERSION,
                      "%s is not in its file but in %s, which it needs", symbol,
                      owner != NULL ? owner->l_name : "another");
    memcpy(out_entry, &address, sizeof address); /* ISO C has no cast from data to function pointers */
    return true;
}

static bool blocks_are_sound(const haly_backend_table *table)
{
    const uint32_t sizes[] = {table->device_size, table->context_size, table->segment_size, table->stream_size,
                              table->event_size,  table->module_size,  table->kernel_size,  table->plan_size};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i] > BLOCK_BYTES_MAX)
            return false;
    return true;
}

static bool check_table_name(const char *table_name, const char *name, struct outcome *outcome)
{
    if (table_name != NULL && strcmp(table_name, name) == 0)
        return true;
    return reject(outcome, HALY_BACKEND_REFUSED, HALY_ERR_VERSION, "it is named for \"%s\", its table for \"%s\"", name,
                  table_name != NULL ? PRINTABLE(table_name) : "");
}

/* Whether the table fits; completes it. */
static bool negotiate(const haly_backend_table *table, const char *name, struct outcome *outcome)
{
    const haly_backend_state refused = HALY_BACKEND_REFUSED;
    const uint32_t least = HALY_SIZE_THROUGH(haly_backend_table, version);
    char why[128];
    if (table == NULL)
        return reject(outcome, refused, HALY_ERR_VERSION, "its entry function gave no table");
    outcome->abi_major = table->abi_major;
    outcome->abi_minor = table->abi_minor;
    if (table->abi_major != HALY_BACKEND_ABI_MAJOR)
        return reject(outcome, refused, HALY_ERR_VERSION, "it speaks backend ABI %u.%u, and this Halyard %d.%d",
                      table->abi_major, table->abi_minor, HALY_BACKEND_ABI_MAJOR, HALY_BACKEND_ABI_MINOR);
    if (table->struct_size < least)
        return reject(outcome, refused, HALY_ERR_VERSION, "its table has %u bytes, and ABI 1.0 begins with %u",
                      table->struct_size, least);
    if (!check_table_name(table->name, name, outcome))
        return false;
    stubs_complete(table, &outcome->table);
    if (!blocks_are_sound(&outcome->table))
        return reject(outcome, refused, HALY_ERR_VERSION, "its table asks for more than %u bytes for one object",
                      BLOCK_BYTES_MAX);
    if (!params_are_sound(&outcome->table, why, sizeof why))
        return reject(outcome, refused, HALY_ERR_VERSION, "%s", why);
    text_printable(outcome->version, sizeof outcome->version, table->version != NULL ? table->version : "", SIZE_MAX);
    return true;
}

static bool reject_dlopen(struct outcome *outcome)
{
    const char *text = dlerror();
    text = text != NULL ? text : "unknown error";
    const haly_status status = strstr(text, strerror(ENOMEM)) != NULL ? HALY_ERR_HOST_OOM : HALY_ERR_UNAVAILABLE;
    return reject(outcome, HALY_BACKEND_UNAVAILABLE, status, "the system cannot load it: %s", text);
}

/* A file exchanged on disk since it was loaded: the linker gives the old one, whose entry function ran already. */
static bool was_loaded_before(const void *handle, struct outcome *outcome)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (const struct load *load = loads; load != NULL && !found; load = load->next)
        if (load->stage == LOAD_DONE && load->outcome.handle == handle) {
            *outcome = load->outcome;
            outcome->was_entered = false; /* not through this file, whose inode may be reused: nothing maps it */
            found = true;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

static bool enter(haly_backend_entry entry, const char *name, struct outcome *outcome)
{
    const haly_backend_table *table = NULL;
    const haly_error before = *error_detail();
    const uint64_t serial = error_serial();
    const haly_status status = entry(&core_table, &table);
    outcome->was_entered = true;
    if (status != HALY_OK) {
        outcome->failure = loader_take_failure(status, serial);
        *error_detail() = before;
        return reject(outcome, HALY_BACKEND_UNAVAILABLE, outcome->failure.status, "%s", outcome->failure.message);
    }
    *error_detail() = before;
    return negotiate(table, name, outcome);
}

static void open_file(const char *real, const char *name, struct outcome *outcome)
{
    haly_backend_entry entry = NULL;
    char why[160];
    const haly_status status = elf_file_check(real, why, sizeof why);
    if (status != HALY_OK) {
        reject(outcome, HALY_BACKEND_UNAVAILABLE, status, "%s", why);
        return;
    }
    dlerror();
    outcome->handle = dlopen(real, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (outcome->handle == NULL) {
        reject_dlopen(outcome);
        return;
    }
    if (was_loaded_before(outcome->handle, outcome)) {
        LOG(HALY_LOG_WARN, "%s was exchanged on disk; this process goes on with the one it loaded", real);
        return;
    }
    if (find_entry(outcome->handle, name, &entry, outcome) && entry != NULL && enter(entry, name, outcome))
        LOG(HALY_LOG_INFO, "backend \"%s\" %s loaded from %s", name, outcome->version, real);
}

static void open_source(const struct loader_source *source, const char *name, struct outcome *outcome)
{
    *outcome = (struct outcome){.state = HALY_BACKEND_READY};
    if (source->entry == NULL)
        open_file(source->real, name, outcome);
    else if (enter(source->entry, name, outcome))
        LOG(HALY_LOG_INFO, "backend \"%s\" %s is built in", name, outcome->version);
}

static bool is_same(const struct loader_source *a, const struct loader_source *b)
{
    return a->entry == b->entry && (a->entry != NULL || (a->device == b->device && a->inode == b->inode));
}

/* The record of a backend that is now ours to run, or NULL when it is done and *outcome is filled in. Waits for another
 * thread that is loading it. */
static struct load *claim(const struct loader_source *source, struct outcome *outcome)
{
    const uint32_t now = process_current_generation();
    pthread_mutex_lock(&lock);
    struct load *load = loads;
    while (load != NULL && !is_same(&load->source, source))
        load = load->next;
    if (load == NULL) {
        load = calloc(1, sizeof *load);
        if (load == NULL) {
            pthread_mutex_unlock(&lock);
            reject(outcome, HALY_BACKEND_UNAVAILABLE, HALY_ERR_HOST_OOM, "host memory exhausted");
            return NULL;
        }
        *load = (struct load){.next = loads, .source = *source, .stage = LOAD_VACANT};
        load->source.real = NULL;
        loads = load;
    }
    while (load->stage == LOAD_RUNNING && load->generation == now)
        pthread_cond_wait(&changed, &lock);
    const bool is_done = load->stage == LOAD_DONE;
    if (is_done) {
        *outcome = load->outcome;
    } else {
        load->stage = LOAD_RUNNING;
        load->generation = now;
    }
    pthread_mutex_unlock(&lock);
    return is_done ? NULL : load;
}

void loader_open(struct backend *backend, const struct loader_source *source)
{
    struct outcome outcome = {.state = HALY_BACKEND_READY};
    struct load *load = claim(source, &outcome);
    if (load != NULL) {
        open_source(source, backend->name, &outcome);
        pthread_mutex_lock(&lock);
        load->outcome = outcome;
        load->stage = outcome.was_entered ? LOAD_DONE : LOAD_VACANT;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    if (outcome.state == HALY_BACKEND_READY)
        check_table_name(outcome.table.name, backend->name, &outcome); /* a second name of a file loaded before */
    backend->state = outcome.state;
    backend->status = outcome.status;
    backend->failure = outcome.failure;
    backend->abi_major = outcome.abi_major;
    backend->abi_minor = outcome.abi_minor;
    backend->table = outcome.table;
    text_set(backend->version, sizeof backend->version, "%s", outcome.version);
    text_set(backend->reason, sizeof backend->reason, "%s", outcome.reason);
    if (outcome.state != HALY_BACKEND_READY)
        LOG(HALY_LOG_INFO, "backend \"%s\" (%s) cannot be used: %s", backend->name, backend->path, outcome.reason);
}

void loader_probe(struct backend *backend)
{
    haly_backend_probe probe = {.struct_size = sizeof probe};
    const haly_error before = *error_detail();
    const uint64_t serial = error_serial();
    const haly_status status = backend->table.probe(&probe);
    if (status != HALY_OK) {
        backend->failure = loader_take_failure(status, serial);
        backend->status = backend->failure.status;
        text_set(backend->reason, sizeof backend->reason, "%s", backend->failure.message);
    } else if (probe.device_count == 0 && probe.maybe == 0) {
        backend->status = HALY_ERR_UNAVAILABLE;
        text_set(backend->reason, sizeof backend->reason, "it found no device");
    }
    *error_detail() = before;
    backend->state = backend->status == HALY_OK ? HALY_BACKEND_READY : HALY_BACKEND_UNAVAILABLE;
    backend->device_count = backend->status == HALY_OK ? probe.device_count : 0;
    if (backend->state != HALY_BACKEND_READY)
        LOG(HALY_LOG_INFO, "backend \"%s\" cannot be used: %s", backend->name, backend->reason);
}

void loader_shutdown_backends(void)
{
    pthread_mutex_lock(&lock);
    struct load *load = loads;
    pthread_mutex_unlock(&lock);
    for (; load != NULL; load = load->next) { /* records stay, and are not written once done */
        pthread_mutex_lock(&lock);
        const bool is_ready = load->stage == LOAD_DONE && load->outcome.state == HALY_BACKEND_READY;
        pthread_mutex_unlock(&lock);
        if (is_ready)
            load->outcome.table.shutdown();
    }
}
