/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each function that can fail and that the libraries under test import: counted, failed when its turn has come, else
 * passed on. What is imported and stands neither here nor in expected.txt fails the sweep.
 */
#define _GNU_SOURCE
#include "calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "calls_dnnl.h"
#include "inject.h"
#include "interpose.h"
#include "ledger.h"

/* The call that this wrapper stands for: NULL when it is to go through. `site` is for the ledger. */
#define FAULT_OF(group_, site_) inject_call((group_), strchr(__func__, '_') + 1, __builtin_return_address(0), (site_))

/* Fails the call with the fault's errno when its turn has come. */
#define FAIL_IN_TURN(group_, failure_)                                                                                 \
    do {                                                                                                               \
        const struct fault *fault_ = FAULT_OF(group_, NULL);                                                           \
        if (fault_ != NULL) {                                                                                          \
            errno = fault_->code;                                                                                      \
            return failure_;                                                                                           \
        }                                                                                                              \
    } while (0)

/* The same for functions that return the number instead of setting errno. */
#define RETURN_IN_TURN(group_)                                                                                         \
    do {                                                                                                               \
        const struct fault *fault_ = FAULT_OF(group_, NULL);                                                           \
        if (fault_ != NULL)                                                                                            \
            return fault_->code;                                                                                       \
    } while (0)

/* ---- memory ---- */

#define ALLOCATE(call_)                                                                                                \
    do {                                                                                                               \
        uint32_t site_ = SITE_NONE;                                                                                    \
        if (FAULT_OF(GROUP_MEMORY, &site_) != NULL) {                                                                  \
            errno = ENOMEM;                                                                                            \
            return NULL;                                                                                               \
        }                                                                                                              \
        return ledger_add((call_), site_);                                                                             \
    } while (0)

static void *sweep_malloc(size_t size)
{
    ALLOCATE(malloc(size));
}

static void *sweep_calloc(size_t count, size_t size)
{
    ALLOCATE(calloc(count, size));
}

static void *sweep_aligned_alloc(size_t alignment, size_t size)
{
    ALLOCATE(aligned_alloc(alignment, size));
}

static char *sweep_strdup(const char *text)
{
    ALLOCATE(strdup(text));
}

static cpu_set_t *sweep___sched_cpualloc(size_t count)
{
    ALLOCATE(__sched_cpualloc(count));
}

static void sweep___sched_cpufree(cpu_set_t *set)
{
    ledger_remove(set);
    __sched_cpufree(set);
}

static void *sweep_realloc(void *block, size_t size)
{
    uint32_t site = SITE_NONE;
    if (FAULT_OF(GROUP_MEMORY, &site) != NULL) {
        errno = ENOMEM;
        return NULL;
    }
    ledger_remove(block);
    return ledger_add(realloc(block, size), site);
}

static int sweep_posix_memalign(void **out_block, size_t alignment, size_t size)
{
    uint32_t site = SITE_NONE;
    if (FAULT_OF(GROUP_MEMORY, &site) != NULL)
        return ENOMEM;
    const int error = posix_memalign(out_block, alignment, size);
    if (error == 0)
        ledger_add(*out_block, site);
    return error;
}

static void sweep_free(void *block)
{
    ledger_remove(block);
    free(block);
}

static void *sweep_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    FAIL_IN_TURN(GROUP_MAP, MAP_FAILED);
    void *mapped = mmap(address, size, protection, flags, file, offset);
    if (mapped != MAP_FAILED && (flags & MAP_FIXED) == 0) /* what is fixed replaces a part of another mapping of ours */
        ledger_mapped((int64_t)size);
    return mapped;
}

static int sweep_munmap(void *address, size_t size)
{
    ledger_mapped(-(int64_t)size); /* what the kernel refuses to take back is no leak of ours */
    FAIL_IN_TURN(GROUP_UNMAP, -1);
    return munmap(address, size);
}

static int sweep_madvise(void *address, size_t size, int advice)
{
    FAIL_IN_TURN(GROUP_ADVISE, -1);
    return madvise(address, size, advice);
}

/* ---- files ---- */

static const char *stand_in_for, *stand_in;

void calls_stand_in(const char *path, const char *instead)
{
    stand_in_for = path;
    stand_in = instead;
}

static int sweep_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    inject_look(path);
    FAIL_IN_TURN(GROUP_OPEN, -1);
    return open(stand_in_for != NULL && strcmp(path, stand_in_for) == 0 ? stand_in : path, flags, mode);
}

static int sweep_openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    FAIL_IN_TURN(GROUP_OPEN, -1);
    return openat(folder, path, flags, mode);
}

static char *sweep_mkdtemp(char *pattern)
{
    FAIL_IN_TURN(GROUP_OPEN, NULL);
    return mkdtemp(pattern);
}

static int sweep_mkdir(const char *path, mode_t mode)
{
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return mkdir(path, mode);
}

static int sweep_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return renameat(from_folder, from, to_folder, to);
}

static off_t sweep_lseek(int file, off_t offset, int from)
{
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return lseek(file, offset, from);
}

static int sweep_access(const char *path, int mode)
{
    inject_look(path);
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return access(path, mode);
}

static FILE *sweep_fopen(const char *path, const char *mode)
{
    FAIL_IN_TURN(GROUP_OPEN, NULL);
    return fopen(path, mode);
}

static DIR *sweep_opendir(const char *path)
{
    FAIL_IN_TURN(GROUP_OPEN, NULL);
    return opendir(path);
}

static int sweep_scandir(const char *path, struct dirent ***out_entries, int (*filter)(const struct dirent *),
                         int (*compare)(const struct dirent **, const struct dirent **))
{
    FAIL_IN_TURN(GROUP_OPEN, -1);
    return scandir(path, out_entries, filter, compare);
}

static int sweep_memfd_create(const char *name, unsigned flags)
{
    FAIL_IN_TURN(GROUP_OPEN, -1);
    return memfd_create(name, flags);
}

static int sweep_stat(const char *path, struct stat *out)
{
    inject_look(path);
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return stat(path, out);
}

static int sweep_lstat(const char *path, struct stat *out)
{
    inject_look(path);
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return lstat(path, out);
}

static int sweep_fstat(int file, struct stat *out)
{
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return fstat(file, out);
}

static int sweep_flock(int file, int operation)
{
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return flock(file, operation);
}

static int sweep_ftruncate(int file, off_t size)
{
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return ftruncate(file, size);
}

static int sweep_faccessat(int folder, const char *path, int mode, int flags)
{
    inject_look(path);
    FAIL_IN_TURN(GROUP_LOOK, -1);
    return faccessat(folder, path, mode, flags);
}

static char *sweep_realpath(const char *path, char *out)
{
    inject_look(path);
    uint32_t site = SITE_NONE;
    const struct fault *fault = FAULT_OF(GROUP_LOOK, &site);
    if (fault != NULL) {
        errno = fault->code;
        return NULL;
    }
    char *real = realpath(path, out);
    return out == NULL ? ledger_add(real, site) : real;
}

static ssize_t sweep_read(int file, void *buffer, size_t size)
{
    const struct fault *fault = FAULT_OF(GROUP_READ, NULL);
    if (fault != NULL && fault->code != 0) {
        errno = fault->code;
        return -1;
    }
    return read(file, buffer, fault != NULL && size > 1 ? 1 : size);
}

static ssize_t sweep_write(int file, const void *buffer, size_t size)
{
    const struct fault *fault = FAULT_OF(GROUP_WRITE, NULL);
    if (fault != NULL && fault->code != 0) {
        errno = fault->code;
        return -1;
    }
    return write(file, buffer, fault != NULL && size > 1 ? 1 : size);
}

static ssize_t sweep_pwrite(int file, const void *buffer, size_t size, off_t offset)
{
    const struct fault *fault = FAULT_OF(GROUP_WRITE, NULL);
    if (fault != NULL && fault->code != 0) {
        errno = fault->code;
        return -1;
    }
    return pwrite(file, buffer, fault != NULL && size > 1 ? 1 : size, offset);
}

static ssize_t sweep_pread(int file, void *buffer, size_t size, off_t offset)
{
    const struct fault *fault = FAULT_OF(GROUP_READ, NULL);
    if (fault != NULL && fault->code != 0) {
        errno = fault->code;
        return -1;
    }
    return pread(file, buffer, fault != NULL && size > 1 ? 1 : size, offset);
}

/* Takes what was read ahead away, and puts a folder in the place of the file: libc finds that it cannot be read, so
 * that ferror() tells the truth. Returns what restores the file. */
static int break_file(FILE *file)
{
    const int descriptor = fileno(file), kept = dup(descriptor), folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    __fpurge(file);
    dup2(folder, descriptor);
    close(folder);
    return kept;
}

static void restore_file(FILE *file, int kept)
{
    dup2(kept, fileno(file));
    close(kept);
    errno = EIO;
}

static size_t sweep_fread(void *buffer, size_t size, size_t count, FILE *file)
{
    const struct fault *fault = FAULT_OF(GROUP_READ, NULL);
    if (fault == NULL || fault->code != EIO) /* libc goes on after an interruption or a short read */
        return fread(buffer, size, count, file);
    const int kept = break_file(file);
    const size_t got = fread(buffer, size, count, file);
    restore_file(file, kept);
    return got;
}

static char *sweep_fgets(char *buffer, int size, FILE *file)
{
    const struct fault *fault = FAULT_OF(GROUP_READ, NULL);
    if (fault == NULL || fault->code != EIO)
        return fgets(buffer, size, file);
    const int kept = break_file(file);
    char *got = fgets(buffer, size, file);
    restore_file(file, kept);
    return got;
}

static struct dirent *sweep_readdir(DIR *folder)
{
    const struct fault *fault = FAULT_OF(GROUP_READ, NULL);
    if (fault == NULL || fault->code != EIO)
        return readdir(folder);
    errno = fault->code;
    return NULL;
}

/* ---- the dynamic linker ---- */

static _Thread_local char linker_error[256]; /* of a failure of ours, until it is asked for */

static void *sweep_dlopen(const char *path, int flags)
{
    const struct fault *fault = FAULT_OF(GROUP_LOAD, NULL);
    if (fault != NULL) {
        snprintf(linker_error, sizeof linker_error, "%.100s: cannot open shared object file: %s",
                 fault->code == ENOENT ? "libvendor.so.9" : path, strerror(fault->code));
        return NULL;
    }
    linker_error[0] = '\0';
    void *handle = dlopen(path, flags);
    if (handle != NULL)
        interpose_loaded();
    return handle;
}

static char *sweep_dlerror(void)
{
    static _Thread_local char told[sizeof linker_error];
    if (linker_error[0] == '\0')
        return dlerror();
    memcpy(told, linker_error, sizeof told);
    linker_error[0] = '\0';
    return told;
}

static void *sweep_dlsym(void *handle, const char *name)
{
    FAIL_IN_TURN(GROUP_SYMBOL, NULL);
    return dlsym(handle, name);
}

static int sweep_dlinfo(void *handle, int request, void *out)
{
    FAIL_IN_TURN(GROUP_SYMBOL, -1);
    return dlinfo(handle, request, out);
}

static int sweep_dladdr(const void *address, Dl_info *out)
{
    FAIL_IN_TURN(GROUP_SYMBOL, 0);
    return dladdr(address, out);
}

static int sweep_dladdr1(const void *address, Dl_info *out, void **extra, int flags)
{
    FAIL_IN_TURN(GROUP_SYMBOL, 0);
    return dladdr1(address, out, extra, flags);
}

/* ---- threads, processes and the rest of the system ---- */

static int sweep_posix_spawn(pid_t *out_child, const char *path, const posix_spawn_file_actions_t *actions,
                             const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment)
{
    RETURN_IN_TURN(GROUP_THREAD);
    return posix_spawn(out_child, path, actions, attributes, arguments, environment);
}

/* What only sets up a thread or process before it starts. */
#define SETS_UP(group_, name_, parameters_, arguments_)                                                                \
    static int sweep_##name_ parameters_                                                                               \
    {                                                                                                                  \
        RETURN_IN_TURN(group_);                                                                                        \
        return name_ arguments_;                                                                                       \
    }
SETS_UP(GROUP_THREAD, posix_spawn_file_actions_init, (posix_spawn_file_actions_t * actions), (actions))
SETS_UP(GROUP_THREAD, posix_spawn_file_actions_adddup2, (posix_spawn_file_actions_t * actions, int from, int to),
        (actions, from, to))
SETS_UP(GROUP_THREAD, posix_spawn_file_actions_addclosefrom_np, (posix_spawn_file_actions_t * actions, int from),
        (actions, from))
SETS_UP(GROUP_SYSTEM, pthread_attr_setstacksize, (pthread_attr_t * attributes, size_t size), (attributes, size))
SETS_UP(GROUP_THREAD, pthread_attr_init, (pthread_attr_t * attributes), (attributes))
SETS_UP(GROUP_THREAD, posix_spawnattr_init, (posix_spawnattr_t * attributes), (attributes))

static int sweep_pthread_create(pthread_t *out_thread, const pthread_attr_t *attributes, void *(*run)(void *),
                                void *argument)
{
    RETURN_IN_TURN(GROUP_THREAD);
    return pthread_create(out_thread, attributes, run, argument);
}

static int sweep_pthread_setname_np(pthread_t thread, const char *name)
{
    RETURN_IN_TURN(GROUP_SYSTEM);
    return pthread_setname_np(thread, name);
}

static int sweep_sched_getaffinity(pid_t process, size_t size, cpu_set_t *out_set)
{
    FAIL_IN_TURN(GROUP_SYSTEM, -1);
    return sched_getaffinity(process, size, out_set);
}

static int sweep_uname(struct utsname *out_name)
{
    FAIL_IN_TURN(GROUP_SYSTEM, -1);
    return uname(out_name);
}

static int sweep_prctl(int option, ...)
{
    unsigned long values[4];
    va_list arguments;
    va_start(arguments, option);
    for (int i = 0; i < 4; i++)
        values[i] = va_arg(arguments, unsigned long);
    va_end(arguments);
    FAIL_IN_TURN(GROUP_SYSTEM, -1);
    return prctl(option, values[0], values[1], values[2], values[3]);
}

/* ---- waits that end early: each is allowed to, so that nothing may come of it ---- */

static long sweep_syscall(long number, ...)
{
    long values[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        values[i] = va_arg(arguments, long);
    va_end(arguments);
    const long operation = values[1] & FUTEX_CMD_MASK;
    if (number == SYS_futex && (operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET))
        FAIL_IN_TURN(GROUP_SLEEP, -1);
    return syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

static int sweep_nanosleep(const struct timespec *duration, struct timespec *out_left)
{
    FAIL_IN_TURN(GROUP_SLEEP, -1);
    return nanosleep(duration, out_left);
}

static int sweep_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    if (FAULT_OF(GROUP_SLEEP, NULL) == NULL)
        return pthread_cond_wait(condition, mutex);
    pthread_mutex_unlock(mutex);
    sched_yield();
    return pthread_mutex_lock(mutex);
}

static int sweep_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                        const struct timespec *until)
{
    if (FAULT_OF(GROUP_SLEEP, NULL) == NULL)
        return pthread_cond_clockwait(condition, mutex, clock, until);
    pthread_mutex_unlock(mutex);
    sched_yield();
    return pthread_mutex_lock(mutex);
}

#define CALL(name_)                                                                                                    \
    {                                                                                                                  \
#name_, (void (*)(void))sweep_##name_, NULL                                                                    \
    }
const struct interposed interposed_calls[] = {CALL(malloc),
                                              CALL(calloc),
                                              CALL(realloc),
                                              CALL(aligned_alloc),
                                              CALL(posix_memalign),
                                              CALL(strdup),
                                              CALL(free),
                                              CALL(__sched_cpualloc),
                                              CALL(__sched_cpufree),
                                              CALL(mmap),
                                              CALL(munmap),
                                              CALL(madvise),
                                              CALL(open),
                                              CALL(fopen),
                                              CALL(opendir),
                                              CALL(scandir),
                                              CALL(memfd_create),
                                              CALL(stat),
                                              CALL(lstat),
                                              CALL(fstat),
                                              CALL(faccessat),
                                              CALL(realpath),
                                              CALL(read),
                                              CALL(pread),
                                              CALL(write),
                                              CALL(pwrite),
                                              CALL(flock),
                                              CALL(openat),
                                              CALL(mkdtemp),
                                              CALL(mkdir),
                                              CALL(renameat),
                                              CALL(lseek),
                                              CALL(access),
                                              CALL(posix_spawn),
                                              CALL(posix_spawn_file_actions_init),
                                              CALL(posix_spawn_file_actions_adddup2),
                                              CALL(posix_spawn_file_actions_addclosefrom_np),
                                              CALL(posix_spawnattr_init),
                                              CALL(ftruncate),
                                              CALL(fread),
                                              CALL(fgets),
                                              CALL(readdir),
                                              CALL(dlopen),
                                              CALL(dlerror),
                                              CALL(dlsym),
                                              CALL(dlinfo),
                                              CALL(dladdr),
                                              CALL(dladdr1),
                                              CALL(pthread_create),
                                              CALL(pthread_attr_init),
                                              CALL(pthread_attr_setstacksize),
                                              CALL(pthread_setname_np),
                                              CALL(sched_getaffinity),
                                              CALL(uname),
                                              CALL(prctl),
                                              CALL(syscall),
                                              CALL(nanosleep),
                                              CALL(pthread_cond_wait),
                                              CALL(pthread_cond_clockwait),
                                              DNNL_FUNCTIONS(DNNL_ROW){NULL, NULL, NULL}};
