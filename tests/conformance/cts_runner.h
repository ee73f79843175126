/* SPDX-License-Identifier: Apache-2.0 */
/* The runner's inside: options, verdicts, results, and what its files offer each other. */
#ifndef CTS_RUNNER_H
#define CTS_RUNNER_H

#include <stdbool.h>
#include <stdio.h>

#include "cts.h"

enum cts_verdict {
    CTS_PASS = 0,
    CTS_FAIL = 1,
    CTS_UNSUPPORTED = 2,      /* permanent: the device does not declare it */
    CTS_EXPECTED_FAILURE = 3, /* temporary: listed with a reason */
    CTS_NOT_RUN = 4,
    CTS_VERDICTS = 5
};

#define CTS_MAX_FILTERS 64

struct cts_options {
    const char *backend;      /* name, or NULL for the best device */
    const char *backend_path; /* file, when the backend was given by path */
    const char *device;       /* selector */
    const char *filters[CTS_MAX_FILTERS];
    uint32_t filter_count;
    uint32_t variants; /* bit 1 << enum cts_variant; 0: all that apply */
    uint64_t seed;
    uint32_t timeout_s;
    const char *json_path;
    const char *junit_path;
    const char *expected_path;
    const char *data_path;
    const char *emulator; /* program that runs this one, or NULL */
    const char *run_case;
    enum cts_variant run_variant;
    const char *strict_param; /* the backend's parameter that makes memory unreachable for the host */
    int result_fd;
    bool list, requirements, check_requirements, quiet, verbose, probe;
    bool has_no_text;   /* standard output is taken by a report */
    char program[4096]; /* path of this executable */
};

struct cts_result {
    const struct cts_case *info;
    enum cts_variant variant;
    enum cts_verdict verdict;
    double seconds;
    char *reason; /* owned; "" for a pass */
    char *output; /* owned; what the case wrote to stdout and stderr */
};

/** What the probing child found. */
struct cts_probe {
    bool is_usable;
    char message[1024]; /* why not */
    char backend[32];
    char name[128];
    char architecture[64];
    char strict_param[64]; /* "" when the backend has none */
    uint64_t capabilities;
};

/** One run of the suite. */
struct cts_run {
    const struct cts_options *options;
    struct cts_probe probe;
    struct cts_result *results;
    uint32_t count;
    uint32_t distinct; /* cases, however many contexts they ran in */
    bool was_run;      /* the backend could be tested */
};

/* cts_options.c: 0 to go on, else the exit code plus 1 */
int cts_options_parse(struct cts_options *options, int argc, char **argv);

/* cts_registry.c */
uint32_t cts_case_count(void);
const struct cts_case *cts_case_at(uint32_t index);
const struct cts_case *cts_case_find(const char *full_name);
bool cts_case_selected(const struct cts_options *options, const struct cts_case *info);
const char *cts_verdict_name(enum cts_verdict verdict);
const char *cts_variant_name(enum cts_variant variant);
void cts_print_list(const struct cts_options *options);
/* Prints requirement ids with their cases; returns the number of ids without a case and of citations of unknown ids. */
uint32_t cts_print_requirements(bool problems_only);

/* cts_requirements_table.c (generated) */
struct cts_requirement {
    const char *id;
    const char *header;
    int line;
};
extern const struct cts_requirement cts_requirements[];
extern const uint32_t cts_requirement_count;

/* cts_spawn.c: runs this program again with one case, or to probe. */
struct cts_child_result {
    char *text;   /* owned: what came through the result pipe */
    char *output; /* owned */
    int wait_status;
    bool timed_out;
    double seconds;
};
bool cts_spawn(const struct cts_options *options, char *const *arguments, struct cts_child_result *out_result);

/* cts_child.c: the other end. Both return the exit code. */
int cts_child_run(const struct cts_options *options);
int cts_child_probe(const struct cts_options *options);

/* cts_probe.c: the same on both ends of the pipe. What is no answer becomes a device that cannot be used. */
bool cts_probe_send(const struct cts_probe *probe, int fd);
void cts_probe_read(struct cts_probe *probe, const char *text);

/* cts_schedule.c: returns false when the suite could not be run at all (said on stderr). */
bool cts_run_all(struct cts_run *run);
void cts_run_free(struct cts_run *run);

/* cts_expected.c */
struct cts_expectation {
    char backend[64], pattern[192], variant[16], reason[512];
};
struct cts_expectations {
    struct cts_expectation *rows;
    uint32_t count;
};
/* false: the file cannot be read or a line is wrong, said on stderr. */
bool cts_expected_load(const char *path, struct cts_expectations *out_list);
const char *cts_expected_reason(const struct cts_expectations *list, const char *backend, const struct cts_case *info,
                                enum cts_variant variant);

/* cts_report.c, cts_report_file.c */
void cts_report_result(const struct cts_options *options, const struct cts_result *result);
void cts_report_summary(const struct cts_run *run);
bool cts_report_json(const struct cts_run *run, const char *path);
bool cts_report_junit(const struct cts_run *run, const char *path);
/* A copy, cut to `size`, that JSON and XML can hold: what is neither ASCII nor a line's end or a tab becomes '?'. */
void cts_printable(const char *text, char *out, size_t size);

/* cts_own.c: the resources of a case */
void cts_owned_check_guards(struct cts *t);
void cts_owned_release(struct cts *t);
void cts_owned_release_host(struct cts *t);
void cts_send_verdict(struct cts *t, enum cts_verdict verdict, const char *reason);
void cts_parameters(const struct cts *t, haly_param *params, uint32_t *count);

#endif
