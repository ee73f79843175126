/* SPDX-License-Identifier: Apache-2.0 */
/* The `halyard` command: finds the command named and hands the rest of the line over. */
#include <string.h>

#include "tool.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"info", command_info, "backends and devices on this machine, and why one is not usable"},
    {"doctor", command_doctor, "what is wrong on this machine and how to mend it"},
    {"cts", command_cts, "run the conformance suite on a backend"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(FILE *file)
{
    fprintf(file, "usage: halyard COMMAND [OPTION…]\n\n"
                  "Shows and checks what the Halyard library finds on this machine.\n\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(file, "\nhalyard COMMAND --help describes a command; halyard --version prints the library's version.\n\n"
                  "A program is told which backend or device to use by its environment:\n"
                  "  HALYARD_BACKEND=cpu            this backend and no other (a list, or ^name to leave one out)\n"
                  "  HALYARD_DEVICE=cpu:0           this device, or conditions: memory>=16GiB,vendor=amd\n"
                  "  HALYARD_LOG=debug              what the library does, on stderr\n"
                  "halyard info --env lists every variable with its grammar and the value in force.\n\n"
                  "exit status: 0 fine, 1 something is wrong, 2 the command line is wrong.\n");
}

static int unknown_command(const char *word)
{
    const char *names[COMMAND_COUNT + 2] = {"--help", "--version"};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i + 2] = commands[i].name;
    const char *nearest = nearest_word(word, names, COMMAND_COUNT + 2);
    fprintf(stderr, "halyard: unknown %s \"%s\"", word[0] == '-' ? "option" : "command", word);
    if (nearest != NULL)
        fprintf(stderr, "; did you mean %s?", nearest);
    fprintf(stderr, "\nhalyard --help lists the commands.\n");
    return TOOL_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return TOOL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("halyard %s\n", haly_version_text());
        return TOOL_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    const int result = run(argc, argv);
    /* A full disk or a closed pipe must not look like success to a script. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "halyard: cannot write to standard output\n");
        return TOOL_FAILED;
    }
    return result;
}
