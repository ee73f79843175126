/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way a backend's file can be, in one table: what kind of file it is, what its ELF headers say, what it exports,
 * what its table of functions says, and what becomes of it. Each row is looked at three times: beside a good backend,
 * which must not suffer; again, since a process may make many instances; and named, when its failure is the program's.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/fake_instance.h"
#include "unit/sandbox.h"

#define STRANGER 65534

struct row {
    const char *name;
    void (*make)(void **state, const struct row *row, const char *file); /* NULL: installs the variant */
    const void *argument;                                                /* the variant's name, or what `make` takes */
    haly_backend_state state;
    haly_status status;
    const char *reason; /* part of it; NULL: none */
};

struct patch {
    size_t offset;
    uint64_t value;
    size_t bytes;
};

static const char good_file[] = FAKES_DIR "/good/libhalyard_backend_fake.so";
static const char plain_text[] =
    "this is no ELF file, whatever it is called, and long enough to hold the header of one";

/* `file` is the path below the sandbox. */

static void write_text(void **state, const struct row *row, const char *file)
{
    sandbox_file(state, file, row->argument, 0755);
}

#define IS_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* The good backend with one field of a header changed. */
static void patch(void **state, const struct row *row, const char *file)
{
    const struct patch *change = row->argument;
    const char *value = (const char *)&change->value + (IS_BIG_ENDIAN ? sizeof change->value - change->bytes : 0);
    const int made = open(sandbox_copy(state, good_file, file), O_WRONLY | O_CLOEXEC);
    assert_true(made >= 0);
    assert_int_equal(pwrite(made, value, change->bytes, (off_t)change->offset), (ssize_t)change->bytes);
    close(made);
}

static void copy_of_a_program(void **state, const struct row *row, const char *file)
{
    (void)row;
    sandbox_copy(state, "/proc/self/exe", file);
}

static void make_folder(void **state, const struct row *row, const char *file)
{
    (void)row;
    sandbox_folder(state, file, 0755);
}

static void make_pipe(void **state, const struct row *row, const char *file)
{
    (void)row;
    assert_int_equal(mkfifo(sandbox_path(state, file), 0700), 0);
}

static void make_socket(void **state, const struct row *row, const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)row;
    assert_true(listener >= 0);
    assert_true((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", sandbox_path(state, file)) <
                sizeof address.sun_path);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    close(listener);
}

/* A device of a number that no driver has: who opens it gets an error, who looks first does not open it. */
static void make_device(void **state, const struct row *row, const char *file)
{
    (void)row;
    if (mknod(sandbox_path(state, file), S_IFCHR | 0600, makedev(60, 0)) != 0)
        sandbox_link(state, "/dev/null", file);
}

/* A terabyte, of which nothing is on the disk; whole: behind a good library. */
static void make_sparse(void **state, const struct row *row, const char *file)
{
    const char *path =
        row->argument != NULL ? sandbox_copy(state, row->argument, file) : sandbox_file(state, file, "", 0755);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
}

static void make_unreadable(void **state, const struct row *row, const char *file)
{
    (void)row;
    assert_int_equal(chmod(sandbox_copy(state, good_file, file), 0), 0);
}

/* A link to what the argument names in the sandbox, which holds a trusted and a spoilt copy. */
static void make_link(void **state, const struct row *row, const char *file)
{
    const char *target = row->argument;
    sandbox_link(state, target[0] == '/' ? target : sandbox_path(state, target), file);
}

static void make_writable(void **state, const struct row *row, const char *file)
{
    (void)row;
    assert_int_equal(chmod(sandbox_copy(state, good_file, file), 0757), 0);
}

static void make_group_writable(void **state, const struct row *row, const char *file)
{
    (void)row;
    assert_int_equal(chmod(sandbox_copy(state, good_file, file), 0775), 0);
}

static void make_foreign(void **state, const struct row *row, const char *file)
{
    (void)row;
    assert_int_equal(chown(sandbox_copy(state, good_file, file), STRANGER, STRANGER), 0);
}

#define READY_ HALY_BACKEND_READY, HALY_OK, NULL
#define UNAVAILABLE_(status_, reason_) HALY_BACKEND_UNAVAILABLE, status_, reason_
#define REFUSED_(status_, reason_) HALY_BACKEND_REFUSED, status_, reason_
#define UNLOADABLE_(reason_) UNAVAILABLE_(HALY_ERR_UNAVAILABLE, reason_) /* in the dynamic linker's words */
#define UNFIT_(reason_) REFUSED_(HALY_ERR_VERSION, reason_)
#define UNTRUSTED_(reason_) REFUSED_(HALY_ERR_PERMISSION, reason_)
#define HEADER_(field_) offsetof(Elf64_Ehdr, field_)
#define PATCH_(offset_, value_, bytes_)                                                                                \
    &(const struct patch)                                                                                              \
    {                                                                                                                  \
        offset_, value_, bytes_                                                                                        \
    }
#define SEGMENT_(index_, field_) sizeof(Elf64_Ehdr) + (index_) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field_)

static const struct row rows[] = {
    /* What kind of file it is. */
    {"empty file", write_text, "", UNLOADABLE_("file too short")},
    {"text", write_text, plain_text, UNLOADABLE_("invalid ELF header")},
    {"short text", write_text, "no\n", UNLOADABLE_("file too short")},
    {"linker script", write_text, "INPUT(/lib/x86_64-linux-gnu/libc.so.6) /* as libc.so has it in its folder */\n",
     UNLOADABLE_("invalid ELF header")},
    {"archive", write_text, "!<arch>\nfake.o/         0           0     0     644     1234      `\n and so on",
     UNLOADABLE_("invalid ELF header")},
    {"program", copy_of_a_program, NULL, UNLOADABLE_("cannot dynamically load position-independent executable")},
    {"folder", make_folder, NULL, UNTRUSTED_("is not a regular file")},
    {"pipe", make_pipe, NULL, UNTRUSTED_("is not a regular file")},
    {"socket", make_socket, NULL, UNTRUSTED_("is not a regular file")},
    {"device", make_device, NULL, UNTRUSTED_("is not a regular file")},
    {"sparse", make_sparse, NULL, UNLOADABLE_("invalid ELF header")},
    {"sparse behind a good library", make_sparse, good_file, READY_},
    {"unreadable", make_unreadable, NULL, UNTRUSTED_("cannot open ")},
    {"written by everybody", make_writable, NULL, UNTRUSTED_("can be written by everybody")},
    {"written by its group", make_group_writable, NULL, UNTRUSTED_("can be written by its group")},
    {"a stranger's", make_foreign, NULL, UNTRUSTED_("belongs to user 65534, neither root nor the effective user")},

    /* Where links lead. */
    {"link to a trusted file", make_link, "kept/good.so", READY_},
    {"link to a spoilt file", make_link, "kept/spoilt.so", UNTRUSTED_("kept/spoilt.so can be written by everybody")},
    {"link to a file in a folder for everybody", make_link, "open/good.so",
     UNTRUSTED_("/open can be written by everybody")},
    {"link to a link", make_link, "kept/link.so", READY_},
    {"dangling link", make_link, "nowhere.so", REFUSED_(HALY_ERR_NOT_FOUND, "No such file")},
    {"link to itself", make_link, "link to itself/libhalyard_backend_fake.so", UNTRUSTED_("Too many levels")},
    {"link to a folder", make_link, "kept", UNTRUSTED_("is not a regular file")},
    {"link to a device", make_link, "/dev/null", UNTRUSTED_("is not a regular file")},
    {"link through what is no folder", make_link, "/dev/null/x.so", REFUSED_(HALY_ERR_NOT_FOUND, "Not a directory")},

    /* What its ELF headers say. */
    {"magic number", patch, PATCH_(HEADER_(e_ident), 'X', 1), UNLOADABLE_("invalid ELF header")},
    {"class", patch, PATCH_(HEADER_(e_ident) + EI_CLASS, ELFCLASS32, 1), UNLOADABLE_("wrong ELF class")},
    {"byte order", patch, PATCH_(HEADER_(e_ident) + EI_DATA, IS_BIG_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB, 1),
     UNLOADABLE_(IS_BIG_ENDIAN ? "ELF file data encoding not big-endian" : "ELF file data encoding not little-endian")},
    {"ELF version", patch, PATCH_(HEADER_(e_ident) + EI_VERSION, 9, 1), UNLOADABLE_("ELF file version")},
    {"operating system", patch, PATCH_(HEADER_(e_ident) + EI_OSABI, ELFOSABI_FREEBSD, 1),
     UNLOADABLE_("ELF file OS ABI invalid")},
    {"machine", patch, PATCH_(HEADER_(e_machine), EM_RISCV, 2),
     UNLOADABLE_("its file was made for another machine (ELF number 243; this one has ")},
    {"executable", patch, PATCH_(HEADER_(e_type), ET_EXEC, 2), UNLOADABLE_("cannot dynamically load executable")},
    {"object file", patch, PATCH_(HEADER_(e_type), ET_REL, 2), UNLOADABLE_("only ET_DYN and ET_EXEC can be loaded")},
    {"core dump", patch, PATCH_(HEADER_(e_type), ET_CORE, 2), UNLOADABLE_("only ET_DYN and ET_EXEC can be loaded")},
    {"no segments", patch, PATCH_(HEADER_(e_phnum), 0, 2), UNLOADABLE_("object file has no")},
    {"segments of another size", patch, PATCH_(HEADER_(e_phentsize), 32, 2),
     UNLOADABLE_("phentsize not the expected size")},
    {"headers behind the end", patch, PATCH_(HEADER_(e_phoff), 1U << 30, 8), UNLOADABLE_("cannot read file data")},
    {"segment behind the end", patch, PATCH_(SEGMENT_(1, p_offset), 1U << 30, 8),
     UNAVAILABLE_(HALY_ERR_CORRUPT, "its file is cut short: segment 1 ")},
    {"segment too long", patch, PATCH_(SEGMENT_(1, p_filesz), 1U << 30, 8),
     UNAVAILABLE_(HALY_ERR_CORRUPT, "its file is cut short: segment 1 ")},
    {"segment past all numbers", patch, PATCH_(SEGMENT_(1, p_filesz), UINT64_MAX, 8),
     UNAVAILABLE_(HALY_ERR_CORRUPT, "its file is cut short: segment 1 ")},
    {"section headers behind the end", patch, PATCH_(HEADER_(e_shoff), 1U << 30, 8), READY_}, /* for debuggers only */

    /* What it needs and exports. */
    {"no entry", NULL, "no_entry", UNFIT_("exports no function halyard_backend_fake")},
    {"data for the entry", NULL, "data", UNFIT_("exports halyard_backend_fake, but not as a function")},
    {"thread's data for the entry", NULL, "thread_local",
     UNFIT_("exports halyard_backend_fake, but not as a function")},
    {"entry of a dependency", NULL, "entry_in_dependency", UNFIT_("libdependency_of_entry.so, which it needs")},
    {"undefined symbol", NULL, "undefined_symbol", UNLOADABLE_("undefined symbol: fake_dependency_answer")},
    {"missing dependency", NULL, "missing_dependency", UNLOADABLE_("libdependency_elsewhere.so: cannot open")},
    {"dependency beside it", NULL, "origin_dependency", READY_},
    {"failing entry", NULL, "failing_entry", UNAVAILABLE_(HALY_ERR_VERSION, "the entry does not want to")},
    {"entry failing in silence", NULL, "silent_entry", UNAVAILABLE_(HALY_ERR_UNAVAILABLE, "without saying why")},
    {"entry's odd status", NULL, "odd_status", UNAVAILABLE_(HALY_ERR_BACKEND, "without saying why")},

    /* What its table says. */
    {"good", NULL, "good", READY_},
    {"shorter table", NULL, "older", READY_},
    {"table that ends in half a pointer", NULL, "half_pointer", READY_},
    {"longer table of a newer minor", NULL, "newer", READY_},
    {"table with gaps", NULL, "sparse", READY_},
    {"table forgotten by the backend", NULL, "forgotten_table", READY_},
    {"table that claims four gigabytes", NULL, "endless_table", READY_},
    {"table of one byte", NULL, "no_size", UNFIT_("its table has 1 bytes, and ABI 1.0 begins with 24")},
    {"header alone", NULL, "header_only", UNAVAILABLE_(HALY_ERR_UNSUPPORTED, "does not implement probe")},
    {"too short a table", NULL, "too_short", UNFIT_("its table has 8 bytes, and ABI 1.0 begins with 24")},
    {"newer major", NULL, "wrong_major", UNFIT_("it speaks backend ABI 2.0, and this Halyard 1.0")},
    {"older major", NULL, "old_major", UNFIT_("it speaks backend ABI 0.0, and this Halyard 1.0")},
    {"no table", NULL, "null_table", UNFIT_("gave no table")},
    {"another's name", NULL, "wrong_name", UNFIT_("named for \"fake\", its table for \"imposter\"")},
    {"no name", NULL, "no_name", UNFIT_("its table for \"\"")},
    {"huge blocks", NULL, "huge_blocks", UNFIT_("more than 1048576 bytes for one object")},
    {"parameters", NULL, "params", READY_},
    {"parameters at NULL", NULL, "null_params", UNFIT_("3 parameters at NULL")},
    {"badly named parameter", NULL, "bad_param", UNFIT_("parameter 0 of its table")},
    {"parameters too short", NULL, "short_params", UNFIT_("parameters of 16 bytes, expected 32 or more")},
    {"parameters between two words", NULL, "odd_params", UNFIT_("parameters of 33 bytes, expected 32 or more")},
    {"parameters without number", NULL, "countless_params", UNFIT_("declares 100000 parameters")},
    {"failing probe", NULL, "failing_probe", UNAVAILABLE_(HALY_ERR_PERMISSION, "probe does not want to")},
    {"no devices", NULL, "no_devices", UNAVAILABLE_(HALY_ERR_UNAVAILABLE, "no device")},
    {"perhaps no devices", NULL, "maybe_none", READY_}, /* found out by enumeration */
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void make_kept_files(void **state)
{
    sandbox_folder(state, "kept", 0755);
    sandbox_copy(state, good_file, "kept/good.so");
    assert_int_equal(chmod(sandbox_copy(state, good_file, "kept/spoilt.so"), 0757), 0);
    sandbox_link(state, "good.so", "kept/link.so");
    sandbox_folder(state, "open", 0755);
    sandbox_copy(state, good_file, "open/good.so");
    assert_int_equal(chmod(sandbox_path(state, "open"), 0777), 0);
    fake_install(state, "other", "other", "other");
}

static void make_row(void **state, const struct row *row)
{
    char file[256];
    if (row->make == NULL) {
        fake_install(state, row->argument, "fake", row->name);
        return;
    }
    sandbox_folder(state, row->name, 0755);
    snprintf(file, sizeof file, "%s/libhalyard_backend_fake.so", row->name);
    row->make(state, row, file);
}

static void check_info(const struct row *row, const haly_backend_info *info)
{
    assert_string_equal(info->name, "fake");
    assert_int_equal(info->state, row->state);
    assert_int_equal(info->status, row->status);
    if (row->reason != NULL)
        assert_non_null(strstr(info->reason, row->reason));
    else
        assert_string_equal(info->reason, "");
}

/* Not named: what became of it, and that the good backend behind it is chosen. */
static void check_unnamed(void **state, const struct row *row, const char *path)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    uint32_t count = 0;
    error_detail()->status = HALY_OK;
    assert_int_equal(fake_instance_create(state, &(struct fake_setup){.path = path}, &instance), HALY_OK);
    assert_int_equal(error_detail()->status, HALY_OK); /* no failure of this call */
    assert_int_equal(haly_backend_count(instance, &count), HALY_OK);
    assert_int_equal(count, 2);
    const haly_backend_info info = fake_backend_info(instance, 0);
    print_message("         %s: %s\n", row->name, info.reason);
    check_info(row, &info);
    assert_int_equal(fake_backend_info(instance, 1).state, HALY_BACKEND_READY);
    assert_int_equal(haly_device_find(instance, "other:0", &device), HALY_OK);
    haly_instance_release(instance);
}

static void check_named(void **state, const struct row *row, const char *path)
{
    haly_instance *instance = NULL;
    const struct fake_setup setup = {.path = path, .backend = "fake"};
    const haly_status status = fake_instance_create(state, &setup, &instance);
    assert_int_equal(status, row->status);
    if (status == HALY_OK) {
        haly_instance_release(instance);
        return;
    }
    assert_null(instance);
    assert_non_null(strstr(last_message(), "backend \"fake\" cannot be used: "));
    assert_non_null(strstr(last_message(), row->reason));
    assert_string_equal(error_detail()->backend, "fake");
}

static void check_row(void **state, const struct row *row)
{
    char path[1024];
    snprintf(path, sizeof path, "%s:%s", sandbox_path(state, row->name), sandbox_path(state, "other"));
    check_unnamed(state, row, path);
    check_unnamed(state, row, path);
    check_named(state, row, path);
}

/* Root may read anything: that row is looked at with an unprivileged effective user. */
static bool needs_stranger(const struct row *row)
{
    return row->make == make_unreadable && geteuid() == 0;
}

static void each_file_gets_its_state_and_reason(void **state)
{
    uint32_t looked_at = 0;
    make_kept_files(state);
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        if (row->make == make_foreign && geteuid() != 0) {
            print_message("         %s: only root can give files away\n", row->name);
            continue;
        }
        make_row(state, row);
        const bool as_stranger = needs_stranger(row);
        assert_int_equal(as_stranger ? chmod(*state, 0755) + seteuid(STRANGER) : 0, 0);
        check_row(state, row);
        assert_int_equal(as_stranger ? seteuid(0) : 0, 0);
        looked_at++;
    }
    print_message("table: %u kinds of plug-in files, each met three times\n", looked_at);
}

/* Ends of the good library's header, of each segment's header and of each segment, in ascending order; the last is the
 * end of what the dynamic linker maps. */
static size_t find_boundaries(const unsigned char *image, size_t *out_boundaries, size_t capacity)
{
    Elf64_Ehdr header;
    size_t count = 0;
    memcpy(&header, image, sizeof header);
    out_boundaries[count++] = 0;
    out_boundaries[count++] = EI_NIDENT;
    out_boundaries[count++] = sizeof header;
    for (size_t i = 0; i < header.e_phnum; i++)
        out_boundaries[count++] = header.e_phoff + (i + 1) * sizeof(Elf64_Phdr);
    for (size_t i = 0; i < header.e_phnum && count < capacity; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, image + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type == PT_LOAD) {
            out_boundaries[count++] = segment.p_offset;
            out_boundaries[count++] = segment.p_offset + segment.p_filesz;
        }
    }
    return count;
}

static size_t read_whole(const char *path, unsigned char *out, size_t size)
{
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    const size_t got = fread(out, 1, size, file);
    assert_true(got < size);
    fclose(file);
    return got;
}

static void a_library_cut_at_any_boundary_is_refused_and_kills_nobody(void **state)
{
    static unsigned char image[1U << 20];
    size_t boundaries[64], end = 0;
    uint32_t cut = 0;
    const size_t size = read_whole(good_file, image, sizeof image);
    const size_t count = find_boundaries(image, boundaries, sizeof boundaries / sizeof *boundaries - 2);
    for (size_t i = 0; i < count; i++)
        end = boundaries[i] > end ? boundaries[i] : end;
    assert_true(end <= size);
    for (size_t i = 0; i < count; i++) {
        for (int beside = -1; beside <= 1; beside++) {
            const size_t length = boundaries[i] + (size_t)beside;
            char folder[64];
            if (length > size)
                continue;
            snprintf(folder, sizeof folder, "cut%u", cut++);
            const char *path = fake_install(state, "good", "fake", folder);
            snprintf(folder + strlen(folder), 40, "/libhalyard_backend_fake.so");
            assert_int_equal(truncate(sandbox_path(state, folder), (off_t)length), 0);
            haly_instance *instance = NULL;
            assert_int_equal(fake_instance_create(state, &(struct fake_setup){.path = path}, &instance), HALY_OK);
            const haly_backend_info info = fake_backend_info(instance, 0);
            assert_int_equal(info.state, length < end ? HALY_BACKEND_UNAVAILABLE : HALY_BACKEND_READY);
            assert_int_equal(info.reason[0] == '\0', length >= end);
            haly_instance_release(instance);
        }
    }
    print_message("table: %u lengths of a library that was cut short\n", cut);
}

/* Files whose names are no backend's: nothing is found, opened or said. */
static void files_of_other_names_are_not_looked_at(void **state)
{
    static const char *const names[] = {"libhalyard_backend_FAKE.so",
                                        "libhalyard_backend_Fake.so",
                                        "libhalyard_backend_fa-ke.so",
                                        "libhalyard_backend_fa ke.so",
                                        "libhalyard_backend_fa.ke.so",
                                        "libhalyard_backend_fa\nke.so",
                                        "libhalyard_backend_f\xc3\xa4ke.so",
                                        "libhalyard_backend_\xff.so",
                                        "libhalyard_backend_.so",
                                        "libhalyard_backend_fake.so.1",
                                        "libhalyard_backend_fake.so~",
                                        ".libhalyard_backend_fake.so",
                                        "libhalyard_backend_fake.SO",
                                        "halyard_backend_fake.so",
                                        "libhalyard_backend_$(id).so",
                                        "libhalyard_backend_abcdefghijklmnopqrstuvwxyz0123456.so"};
    char file[256], path[256];
    haly_instance *instance = NULL;
    snprintf(path, sizeof path, "%s", fake_install(state, "good", "fake", "names"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(file, sizeof file, "names/%s", names[i]);
        sandbox_copy(state, good_file, file);
    }
    assert_int_equal(fake_instance_create(state, &(struct fake_setup){.path = path}, &instance), HALY_OK);
    uint32_t count = 0;
    assert_int_equal(haly_backend_count(instance, &count), HALY_OK);
    assert_int_equal(count, 1); /* of two names that differ in case alone, the lower one */
    assert_string_equal(fake_backend_info(instance, 0).path, sandbox_path(state, "names/libhalyard_backend_fake.so"));
    haly_instance_release(instance);
    print_message("table: %zu names that are no backend's\n", sizeof names / sizeof *names);
}

static void a_broken_first_of_two_is_not_replaced_by_the_second(void **state)
{
    char path[1024];
    haly_instance *instance = NULL;
    sandbox_folder(state, "broken", 0755);
    sandbox_file(state, "broken/libhalyard_backend_fake.so", "", 0755);
    snprintf(path, sizeof path, "%s:%s", sandbox_path(state, "broken"), fake_install(state, "good", "fake", "whole"));
    assert_int_equal(fake_instance_create(state, &(struct fake_setup){.path = path}, &instance), HALY_OK);
    assert_int_equal(fake_backend_info(instance, 0).state, HALY_BACKEND_UNAVAILABLE);
    assert_int_equal(fake_backend_info(instance, 1).state, HALY_BACKEND_FILTERED);
    assert_non_null(strstr(fake_backend_info(instance, 1).reason, "shadowed by "));
    haly_instance_release(instance);
    const struct fake_setup named = {.path = path, .backend = "fake"};
    assert_int_equal(fake_instance_create(state, &named, &instance), HALY_ERR_UNAVAILABLE);
}

/* /proc/self/fd/N means another file each time that N is opened anew; the dynamic linker would remember the name. */
static void two_files_by_way_of_one_descriptor_are_two_backends(void **state)
{
    static const char *const names[] = {"fake", "other"};
    char target[64], file[128], link[128];
    int first = -1;
    sandbox_folder(state, "links", 0755);
    for (int i = 0; i < 2; i++) {
        haly_instance *instance = NULL;
        snprintf(file, sizeof file, "%s/libhalyard_backend_%s.so",
                 fake_install(state, i == 0 ? "good" : "other", names[i], names[i]), names[i]);
        const int descriptor = open(file, O_RDONLY | O_CLOEXEC);
        first = i == 0 ? descriptor : first;
        assert_int_equal(descriptor, first);
        snprintf(target, sizeof target, "/proc/self/fd/%d", descriptor);
        snprintf(link, sizeof link, "links/libhalyard_backend_%s.so", names[i]);
        const struct fake_setup setup = {.path = sandbox_link(state, target, link), .backend = names[i]};
        assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
        assert_string_equal(fake_backend_info(instance, 0).name, names[i]);
        haly_instance_release(instance);
        close(descriptor);
    }
}

/* 0: what the meddler did changed nothing of what Halyard had read before, and nothing behind it in the search. */
static int meet_the_meddler(void **state, const char *path)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    if (freopen("/dev/null", "we", stdout) == NULL)
        return 1;
    setenv("HALYARD_BACKEND", "meddler,other", 1);
    setenv("HALYARD_DEVICE", "other:0", 1);
    if (fake_instance_create(state, &(struct fake_setup){.path = path}, &instance) != HALY_OK)
        return 2;
    if (strcmp(getenv("HALYARD_DEVICE"), "nowhere:9") != 0)
        return 3; /* it did nothing */
    if (fake_backend_info(instance, 0).state != HALY_BACKEND_READY ||
        fake_backend_info(instance, 1).state != HALY_BACKEND_READY)
        return 4;
    if (haly_device_find(instance, NULL, &device) != HALY_OK || haly_device_spec_get(device, &spec) != HALY_OK)
        return 5;
    if (strcmp(spec.backend, "other") != 0)
        return 6;
    haly_instance_release(instance);
    /* The process is as the meddler left it, and the next instance believes its environment. */
    return fake_instance_create(state, &(struct fake_setup){.path = path}, &instance) == HALY_ERR_NOT_FOUND ? 0 : 7;
}

static void a_constructor_that_meddles_with_the_process_changes_nothing_already_read(void **state)
{
    int status = -1;
    const char *path = fake_install(state, "meddler", "meddler", "meddling");
    fake_install(state, "other", "other", "meddling");
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        _exit(meet_the_meddler(state, path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_file_gets_its_state_and_reason),
        TEST(a_library_cut_at_any_boundary_is_refused_and_kills_nobody),
        TEST(files_of_other_names_are_not_looked_at),
        TEST(a_broken_first_of_two_is_not_replaced_by_the_second),
        TEST(two_files_by_way_of_one_descriptor_are_two_backends),
        TEST(a_constructor_that_meddles_with_the_process_changes_nothing_already_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
