/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/*
 * The source goes to the compiler's standard input, what it says into a file in memory, and the object into a folder of
 * this call's own, which is gone afterwards. A result is kept under all that it depends on: source, flags, compiler.
 */
#include "cpu_compile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu_spawn.h"

#define MAX_WORDS 64
#define LOG_BYTES 4096

/* As CMakeLists.txt compiles the built-in kernels. */
#define COMMON_FLAGS                                                                                                   \
    "-x c -std=c11 -shared -fPIC -fvisibility=hidden -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math"
#if defined(__s390x__)
#define MACHINE_FLAGS " -fexcess-precision=fast"
#else
#define MACHINE_FLAGS ""
#endif

static const char *const isa_flags[CPU_ISA_COUNT] = {"", " -march=x86-64-v3",
                                                     " -march=x86-64-v4 -mprefer-vector-width=512"};

static bool is_program(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && access(path, X_OK) == 0;
}

/* Looks along PATH, whose relative elements are not followed. */
static bool find_in_path(const char *name, char *path, size_t path_size)
{
    const char *folders = secure_getenv("PATH");
    for (const char *at = folders; at != NULL && *at != '\0'; at += strspn(at, ":")) {
        const size_t length = strcspn(at, ":");
        const int written = snprintf(path, path_size, "%.*s/%s", (int)length, at, name);
        if (at[0] == '/' && written > 0 && (size_t)written < path_size && is_program(path))
            return true;
        at += length;
    }
    snprintf(path, path_size, "no program named \"%s\" is in PATH", name);
    return false;
}

bool cpu_compiler_find(char *path, size_t path_size)
{
    const char *name = cpu_core->param("cpu", "compiler");
    if (name == NULL || name[0] == '\0')
        name = "cc";
    if (strcmp(name, "off") == 0)
        snprintf(path, path_size, "HALYARD_CPU_COMPILER is off");
    else if (getauxval(AT_SECURE) != 0)
        snprintf(path, path_size, "a program with elevated privileges runs no compiler");
    else if (name[0] != '/')
        return find_in_path(name, path, path_size);
    else if (!is_program(name))
        snprintf(path, path_size, "%s is no program that can be run", name);
    else
        return snprintf(path, path_size, "%s", name) < (int)path_size;
    return false;
}

/* One compilation. */
struct job {
    const haly_backend_image *image;
    char compiler[PATH_MAX];
    char flags[512];    /* with the image's own options */
    char identity[128]; /* of the compiler's file */
    char folder[PATH_MAX], object[PATH_MAX + 16];
    int source, log; /* files in memory */
};

static haly_status identify_compiler(struct job *job)
{
    struct stat about;
    if (stat(job->compiler, &about) != 0)
        return cpu_fail_errno(errno, job->compiler);
    snprintf(job->identity, sizeof job->identity, "%llu %lld.%09ld", (unsigned long long)about.st_size,
             (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    return HALY_OK;
}

/* What the result depends on. */
static void make_key(const struct job *job, haly_cache_part parts[4])
{
    parts[0] = (haly_cache_part){job->compiler, strlen(job->compiler)};
    parts[1] = (haly_cache_part){job->identity, strlen(job->identity)};
    parts[2] = (haly_cache_part){job->flags, strlen(job->flags)};
    parts[3] = (haly_cache_part){job->image->data, job->image->size};
}

static haly_status write_source(struct job *job)
{
    const char *at = job->image->data;
    for (uint64_t left = job->image->size; left > 0;) {
        const ssize_t count = write(job->source, at, (size_t)left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return cpu_fail_errno(errno, "writing a source for the compiler");
        at += count;
        left -= (uint64_t)count;
    }
    return lseek(job->source, 0, SEEK_SET) == 0 ? HALY_OK : cpu_fail_errno(errno, "a source for the compiler");
}

static haly_status open_files(struct job *job)
{
    const char *temporary = secure_getenv("TMPDIR");
    snprintf(job->folder, sizeof job->folder, "%s/halyard-XXXXXX",
             temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
    job->source = memfd_create("halyard-source", MFD_CLOEXEC);
    job->log = memfd_create("halyard-log", MFD_CLOEXEC);
    if (job->source < 0 || job->log < 0)
        return cpu_fail_errno(errno, "memfd_create for the compiler");
    TRY(write_source(job));
    if (mkdtemp(job->folder) == NULL) {
        job->folder[0] = '\0';
        return cpu_fail_errno(errno, "a folder for the compiler");
    }
    snprintf(job->object, sizeof job->object, "%s/kernels.so", job->folder);
    return HALY_OK;
}

static void close_files(struct job *job)
{
    if (job->folder[0] != '\0') {
        unlink(job->object);
        rmdir(job->folder);
    }
    if (job->source >= 0)
        close(job->source);
    if (job->log >= 0)
        close(job->log);
}

/* Splits flags at blanks into the compiler's words. */
static haly_status make_words(struct job *job, char *flags, char *words[MAX_WORDS])
{
    static char output[] = "-o", standard_input[] = "-";
    size_t count = 0;
    words[count++] = job->compiler;
    for (char *rest = flags, *word; (word = strsep(&rest, " ")) != NULL;) {
        if (word[0] == '\0')
            continue;
        if (count == MAX_WORDS - 4)
            return FAIL(HALY_ERR_INVALID, "%s has more compiler options than %d", job->image->label, MAX_WORDS);
        words[count++] = word;
    }
    words[count++] = output;
    words[count++] = job->object;
    words[count++] = standard_input;
    words[count] = NULL;
    return HALY_OK;
}

/* The compiler's own words from its first error on, cut to what a failure's detail holds; the whole goes to the log. */
static haly_status fail_compile(struct job *job, int exit_status)
{
    char said[LOG_BYTES] = "";
    const ssize_t count = pread(job->log, said, sizeof said - 1, 0);
    if (count < 0)
        return cpu_fail_errno(errno, "reading what the compiler said");
    const char *error = strstr(said, "error:");
    while (error != NULL && error > said && error[-1] != '\n')
        error--;
    cpu_core->log(HALY_LOG_ERROR, "%s: %s says: %s", job->image->label, job->compiler, said);
    return cpu_core->fail(HALY_ERR_INVALID, HALY_SCOPE_CALL, HALY_RECOVER_NONE, exit_status,
                          error != NULL ? error : said, "%s does not compile: %.*s", job->image->label,
                          (int)strcspn(error != NULL ? error : said, "\n"), error != NULL ? error : said);
}

static haly_status read_object(const struct job *job, void **out_object, uint64_t *out_size)
{
    struct stat about;
    FILE *file = fopen(job->object, "rbe");
    if (file == NULL)
        return cpu_fail_errno(errno, "what the compiler wrote");
    if (fstat(fileno(file), &about) != 0) {
        const int error = errno;
        fclose(file);
        return cpu_fail_errno(error, "what the compiler wrote");
    }
    const size_t size = (size_t)about.st_size;
    void *object = malloc(size + 1);
    const size_t got = object != NULL ? fread(object, 1, size, file) : 0;
    fclose(file);
    if (object == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for %zu bytes of compiled kernels", size);
    if (got != size || size == 0) {
        free(object);
        return FAIL(HALY_ERR_IO, "what the compiler wrote for %s cannot be read", job->image->label);
    }
    *out_object = object;
    *out_size = size;
    return HALY_OK;
}

static haly_status run_compiler(struct job *job, void **out_object, uint64_t *out_size)
{
    char flags[sizeof job->flags];
    char *words[MAX_WORDS];
    int exit_status = 0;
    memcpy(flags, job->flags, sizeof flags);
    TRY(open_files(job));
    TRY(make_words(job, flags, words));
    TRY(cpu_spawn(job->compiler, words, job->source, job->log, &exit_status));
    if (exit_status > 0)
        return fail_compile(job, exit_status);
    const haly_status status = read_object(job, out_object, out_size);
    return status == HALY_ERR_NOT_FOUND ? fail_compile(job, exit_status) : status;
}

haly_status cpu_compile(const haly_backend_image *image, enum cpu_isa isa, void **out_object, uint64_t *out_size)
{
    struct job job = {.image = image, .source = -1, .log = -1};
    haly_cache_part key[4];
    if (!cpu_compiler_find(job.compiler, sizeof job.compiler))
        return FAIL(HALY_ERR_UNAVAILABLE,
                    "%s is source, and there is no compiler for it: %s; give a host object, or set "
                    "HALYARD_CPU_COMPILER",
                    image->label, job.compiler);
    const int written = snprintf(job.flags, sizeof job.flags, COMMON_FLAGS MACHINE_FLAGS "%s %s", isa_flags[isa],
                                 image->options != NULL ? image->options : "");
    if (written < 0 || (size_t)written >= sizeof job.flags)
        return FAIL(HALY_ERR_INVALID, "%s has more than %zu bytes of compiler options", image->label,
                    sizeof job.flags - sizeof COMMON_FLAGS);
    TRY(identify_compiler(&job));
    make_key(&job, key);
    if (cpu_core->cache_get("cpu", key, 4, out_object, out_size) == HALY_OK)
        return HALY_OK;
    const haly_status status = run_compiler(&job, out_object, out_size);
    close_files(&job);
    if (status == HALY_OK)
        cpu_core->cache_put("cpu", key, 4, *out_object, *out_size);
    return status;
}
