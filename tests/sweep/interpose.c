/* SPDX-License-Identifier: Apache-2.0 */
/* Rewriting the slots through which an ELF object calls what it imports. */
#define _GNU_SOURCE
#include "interpose.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OBJECTS_MOST 32

static struct interposed_object objects[OBJECTS_MOST];
static _Atomic uint32_t object_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What a loaded object says of its imports. */
struct imports {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * tables[2]; /* of calls, and of other addresses */
    size_t counts[2];
    uintptr_t relro, relro_end; /* made read-only by the loader */
};

/* Libraries of ours, but neither the backends that tests bring nor the one that fails on purpose. */
static bool is_under_test(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "libhalyard", strlen("libhalyard")) == 0 && strstr(path, "/fakes/") == NULL &&
           strstr(path, "/faulty/") == NULL;
}

/* Some loaders relocate the dynamic section's addresses and some do not. */
static const void *absolute(uintptr_t base, ElfW(Addr) address)
{
    return (const void *)(address < base ? base + address : address);
}

static void read_dynamic(struct imports *imports, const ElfW(Dyn) * entry)
{
    for (; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB:
            imports->symbols = absolute(imports->base, entry->d_un.d_ptr);
            break;
        case DT_STRTAB:
            imports->names = absolute(imports->base, entry->d_un.d_ptr);
            break;
        case DT_JMPREL:
            imports->tables[0] = absolute(imports->base, entry->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            imports->counts[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_RELA:
            imports->tables[1] = absolute(imports->base, entry->d_un.d_ptr);
            break;
        case DT_RELASZ:
            imports->counts[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
}

static const struct interposed *find_call(const char *name)
{
    for (const struct interposed *call = interposed_calls; call->name != NULL; call++)
        if (strcmp(call->name, name) == 0)
            return call;
    return NULL;
}

static void write_slot(const struct imports *imports, uintptr_t slot, const struct interposed *call)
{
    const uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)(slot & ~(page_bytes - 1));
    const bool is_sealed = slot >= imports->relro && slot < imports->relro_end;
    if (is_sealed && mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) {
        perror("halyard-sweep: mprotect");
        abort();
    }
    if (call->original != NULL)
        memcpy(call->original, (void *)slot, sizeof *call->original);
    memcpy((void *)slot, &call->function, sizeof call->function);
    if (is_sealed)
        mprotect(page, page_bytes, PROT_READ);
}

static void replace(const struct imports *imports)
{
    for (int table = 0; table < 2; table++)
        for (size_t i = 0; i < imports->counts[table]; i++) {
            const ElfW(Rela) *relocation = &imports->tables[table][i];
            const ElfW(Sym) *symbol = &imports->symbols[ELF64_R_SYM(relocation->r_info)];
            if (ELF64_R_SYM(relocation->r_info) == 0 || symbol->st_shndx != SHN_UNDEF)
                continue;
            const struct interposed *call = find_call(imports->names + symbol->st_name);
            if (call != NULL)
                write_slot(imports, imports->base + relocation->r_offset, call);
        }
}

/* Under the lock. False when it is known already. */
static bool remember(const struct dl_phdr_info *info)
{
    const uint32_t count = atomic_load(&object_count);
    const char *slash = strrchr(info->dlpi_name, '/');
    for (uint32_t i = 0; i < count; i++)
        if (objects[i].base == info->dlpi_addr)
            return false;
    if (count == OBJECTS_MOST) {
        fprintf(stderr, "halyard-sweep: more than %d libraries of ours\n", OBJECTS_MOST);
        abort();
    }
    struct interposed_object *object = &objects[count];
    snprintf(object->name, sizeof object->name, "%s", slash != NULL ? slash + 1 : info->dlpi_name);
    snprintf(object->path, sizeof object->path, "%s", info->dlpi_name);
    object->base = object->end = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            const uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
            object->end = end > object->end ? end : object->end;
        }
    atomic_store(&object_count, count + 1);
    return true;
}

static int visit(struct dl_phdr_info *info, size_t size, void *unused)
{
    struct imports imports = {.base = info->dlpi_addr};
    (void)size;
    (void)unused;
    if (!is_under_test(info->dlpi_name) || !remember(info))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_DYNAMIC) {
            read_dynamic(&imports, (const void *)(info->dlpi_addr + header->p_vaddr));
        } else if (header->p_type == PT_GNU_RELRO) {
            imports.relro = info->dlpi_addr + header->p_vaddr;
            imports.relro_end = (imports.relro + header->p_memsz) & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
        }
    }
    replace(&imports);
    return 0;
}

void interpose_loaded(void)
{
    pthread_mutex_lock(&lock);
    dl_iterate_phdr(visit, NULL);
    pthread_mutex_unlock(&lock);
}

const struct interposed_object *interpose_find(const void *address)
{
    const uint32_t count = atomic_load(&object_count);
    for (uint32_t i = 0; i < count; i++)
        if ((uintptr_t)address >= objects[i].base && (uintptr_t)address < objects[i].end)
            return &objects[i];
    return NULL;
}
