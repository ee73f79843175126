/* SPDX-License-Identifier: Apache-2.0 */
/* halyard-cts: runs the conformance suite against one backend. Exit codes: 0 nothing failed, 1 failures, 2 usage. */
#include <stdio.h>

#include "cts_runner.h"

static int run_suite(const struct cts_options *options)
{
    struct cts_run run = {.options = options};
    bool is_good = cts_run_all(&run);
    if (run.results != NULL && !options->has_no_text)
        cts_report_summary(&run);
    for (uint32_t i = 0; run.results != NULL && i < run.count; i++)
        is_good = is_good && run.results[i].verdict != CTS_FAIL;
    if (options->json_path != NULL)
        is_good = cts_report_json(&run, options->json_path) && is_good;
    if (options->junit_path != NULL)
        is_good = cts_report_junit(&run, options->junit_path) && is_good;
    cts_run_free(&run);
    return is_good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct cts_options options; /* large: it holds a path */
    const int stop = cts_options_parse(&options, argc, argv);
    if (stop != 0)
        return stop - 1;
    if (options.probe)
        return cts_child_probe(&options);
    if (options.run_case != NULL)
        return cts_child_run(&options);
    if (options.list) {
        cts_print_list(&options);
        return 0;
    }
    if (options.requirements || options.check_requirements)
        return cts_print_requirements(options.check_requirements) == 0 ? 0 : 1;
    return run_suite(&options);
}
