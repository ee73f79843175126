/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target on kept inputs, without libFuzzer and with any compiler: `replay FOLDER…`. Each input is copied to
 * memory of its exact size, so that a sanitizer sees a read past its end. The name of the input in hand is printed when
 * the target gives up. Fails when a folder holds no input: a corpus that went missing must not look like success.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char current[4096];

static void name_input(int signal_number)
{
    static const char before[] = "replay: the input is ";
    (void)!write(STDERR_FILENO, before, sizeof before - 1);
    (void)!write(STDERR_FILENO, current, strlen(current));
    (void)!write(STDERR_FILENO, "\n", 1);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

/* A sanitizer that has a handler of its own says more than this one would. */
static void name_input_on(int signal_number)
{
    struct sigaction before;
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        (void)signal(signal_number, name_input);
}

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = NULL;
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size >= 0)
        bytes = malloc(size > 0 ? (size_t)size : 1);
    bool is_read =
        bytes != NULL && fseek(file, 0, SEEK_SET) == 0 && fread(bytes, 1, (size_t)size, file) == (size_t)size;
    if (file != NULL)
        fclose(file);
    if (is_read)
        LLVMFuzzerTestOneInput(bytes, (size_t)size);
    else
        fprintf(stderr, "replay: cannot read %s\n", path);
    free(bytes);
    return is_read;
}

/* In the order of names, so that two runs do the same. Returns how many inputs ran, -1 when one could not be read. */
static int run_folder(const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    int ran = 0;
    for (int i = 0; i < count; i++) {
        snprintf(current, sizeof current, "%s/%s", folder, entries[i]->d_name);
        if (ran >= 0 && entries[i]->d_name[0] != '.')
            ran = run_file(current) ? ran + 1 : -1;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return ran;
}

int main(int argc, char **argv)
{
    static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        name_input_on(deadly[i]);
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER…\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        const int ran = run_folder(argv[i]);
        if (ran <= 0) {
            fprintf(stderr, "replay: %s holds no input that could be read\n", argv[i]);
            return 1;
        }
        printf("%d inputs of %s\n", ran, argv[i]);
    }
    return 0;
}
