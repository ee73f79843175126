/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs while Halyard is built: makes the operator kernels' sources, each as one text, a part of the library.
 *     embed_kernels OUTPUT FOLDER FOLDER FILE…     the folders are those of headers
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flatten.h"

#define FOLDERS 2

/* The file's name up to its first dot. */
static void write_name(FILE *out, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    fprintf(out, "%.*s", (int)strcspn(name, "."), name);
}

/* As numbers, because compilers need not take long texts; a 0 follows. */
static void write_text(FILE *out, const char *path, const char *text)
{
    fprintf(out, "static const char ");
    write_name(out, path);
    fprintf(out, "_text[] = {");
    for (size_t i = 0; text[i] != '\0'; i++)
        fprintf(out, "%s%d,", i % 32 == 0 ? "\n" : "", text[i]);
    fprintf(out, "0};\n");
}

static void write_rows(FILE *out, char **files, int count)
{
    fprintf(out, "const struct operator_source operator_sources[] = {\n");
    for (int i = 0; i < count; i++) {
        fprintf(out, "{\"");
        write_name(out, files[i]);
        fprintf(out, "\", ");
        write_name(out, files[i]);
        fprintf(out, "_text, sizeof ");
        write_name(out, files[i]);
        fprintf(out, "_text - 1},\n");
    }
    fprintf(out, "};\nconst uint32_t operator_source_count = %d;\n", count);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "embed_kernels: %s: %s\n", what, why);
    return 1;
}

int main(int argc, char **argv)
{
    char why[512] = "";
    if (argc < 3 + FOLDERS)
        return fail("usage", "embed_kernels OUTPUT FOLDER FOLDER FILE...");
    FILE *out = fopen(argv[1], "w");
    if (out == NULL)
        return fail(argv[1], "cannot be written");
    fprintf(out, "#include \"operator_sources.h\"\n");
    for (int i = 2 + FOLDERS; i < argc; i++) {
        char *text = flatten_file(argv[i], (const char *const *)argv + 2, FOLDERS, why, sizeof why);
        if (text == NULL)
            return fail(argv[i], why);
        write_text(out, argv[i], text);
        free(text);
    }
    write_rows(out, argv + 2 + FOLDERS, argc - 2 - FOLDERS);
    const int is_bad = ferror(out);
    return fclose(out) != 0 || is_bad ? fail(argv[1], "cannot be written") : 0;
}
